//! Defines the ports: traits for everything outside of the program, with types of bakeline only.
//! Adapters implement them; engine and steps use them.

mod builder;
mod cloud;
mod credentials;
mod http;
mod machine;
mod secret;
mod shell;
mod store;
mod workspace;

pub use builder::{BuildJob, BuildOutcome, BuilderError, ImageBuilder, OnLine};
pub use cloud::{
    AccessReader, AccessWriter, Cloud, CloudError, CloudErrorKind, CloudReader, CloudResult,
    CloudWriter, CopyRequest, CreationTest, Deregistration, EncryptionReader, GroupRequest,
    Identity, IdentityReader, ImageQuery, ImageReader, ImageWriter, Instance, InstanceReader,
    InstanceWriter, KeyDescription, LaunchRequest, LaunchTest, ParameterReader, ParameterWriter,
    PrerequisiteReader, ResourceReader, ResourceWriter, Retirement, RoleSession, Subnet,
    TemporaryQuery, TrialOutcome, TrialRequest, UsageReader, launch_refusal_kind,
};
pub use credentials::{CredentialSource, Credentials};
pub use http::{Http, HttpError, HttpMethod, HttpRequest, HttpResponse};
pub use machine::{Clock, Processes, Vcs};
pub use secret::Secret;
pub use shell::{
    HostKey, HostKeyPolicy, ScriptLimits, ScriptOutput, Shell, ShellError, ShellErrorKind,
    SshConfig, SshTarget,
};
pub use store::{Store, StoreError, StoreErrorKind, StoreResult};
pub use workspace::{Journal, Workspace};
