//! Defines the interface of a step and the ports and settings that all steps share.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::catalog::{Builder, Catalog, Image, Settings};
use crate::engine::lock::fence::FencedCloud;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Result};
use crate::lifecycle::{candidate, tags};
use crate::model::{RunId, Tags, Timestamp, is_aws_endpoint};
use crate::plan::Step;
use crate::plan::{Scope, ScopeSubject};
use crate::ports::{Clock, ImageBuilder, Shell, Store, Workspace};
use crate::steps::creations::Creations;
use crate::steps::publish::launch_grants::LaunchGrants;
use crate::steps::publish::location_copies::LocationCopies;
use crate::steps::publish::shares::Shares;
use crate::steps::references::ParameterReferences;

/// Ports and settings that the steps of one run share.
pub struct Steps {
    /// Catalog of the plan.
    pub catalog: Arc<Catalog>,
    /// ID of the run.
    pub run: RunId,
    /// Start of a later attempt of the run in Unix milliseconds, 0 for the first attempt. Client tokens
    /// contain it, so that no attempt receives an instance of another one.
    pub attempt: i64,
    /// Expiry of temporary resources.
    pub expires: Timestamp,
    /// ID of the builder's account. Environments may list it.
    pub account: String,
    /// EC2, SSM and STS of the builder's account.
    pub cloud: FencedCloud,
    /// Clouds of the other accounts that environments name.
    pub others: BTreeMap<String, FencedCloud>,
    /// Packer.
    pub builder: Arc<dyn ImageBuilder>,
    /// SSH.
    pub shell: Arc<dyn Shell>,
    /// Run directory.
    pub workspace: Arc<dyn Workspace>,
    /// Store of evidence, manifests and recorded permissions.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// EC2 endpoint of the environment, such as that of the local EC2 or of a VPC.
    pub endpoint: Option<String>,
    /// Path of the bakeline program, for the build-phase checks.
    pub program: PathBuf,
    /// True to keep failed resources for inspection until they expire.
    pub keep_failed: bool,
    /// Commit, for the environment of scripts.
    pub commit: Option<String>,
    /// Copies to other accounts that are in progress.
    pub shares: Shares,
    /// Launch permissions that this run granted.
    pub launches: LaunchGrants,
    /// Copies that are in progress, by location.
    pub copies: LocationCopies,
    /// Resources that this run has created.
    pub creations: Creations,
    /// SSM parameters that contain AMI IDs.
    pub parameter_references: ParameterReferences,
}

/// Effect of one kind of step. Every method is idempotent.
#[async_trait]
pub(in crate::steps) trait StepEffect: Send + Sync {
    /// Returns the output if the effect exists already.
    async fn probe(
        &self,
        _steps: &Steps,
        _step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<Option<StepOutput>> {
        Ok(None)
    }

    /// Performs the effect.
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput>;

    /// Undoes the effect. `output` is absent if the step failed, so the effect may be partial.
    async fn undo(
        &self,
        _steps: &Steps,
        _step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        Ok(())
    }
}

/// Returns the client token of a request that the parts identify: at most 64 ASCII characters (EC2
/// API Reference, "Ensuring idempotency").
pub(in crate::steps) fn client_token(parts: &str) -> String {
    let digest = format!("{:x}", Sha256::digest(parts.as_bytes()));
    digest.chars().take(48).collect()
}

/// Returns the tags of a temporary resource of a run.
pub(in crate::steps) fn temporary_tags(
    settings: &Settings,
    run: &RunId,
    expires: Timestamp,
    image: impl Display,
) -> Tags {
    let mut tags = settings.builder.tags.clone();
    for (key, value) in [
        (tags::CATALOG, settings.name.to_string()),
        (tags::RUN, run.to_string()),
        (tags::IMAGE, image.to_string()),
        (tags::EXPIRES, expires.to_string()),
        (tags::NAME, format!("bakeline {} {image}", settings.name)),
    ] {
        tags.insert(key.to_owned(), value);
    }
    tags
}

impl Steps {
    /// Returns the number of seconds between two polls. The local EC2 is polled more often than AWS.
    pub(in crate::steps) fn poll_seconds(&self) -> u32 {
        let is_local = |url: &String| !is_aws_endpoint(url);
        if self.endpoint.as_ref().is_some_and(is_local) {
            1
        } else {
            5
        }
    }

    /// Returns the cloud of the step's account.
    pub(in crate::steps) fn cloud_for(&self, step: &Step) -> Result<&FencedCloud> {
        self.cloud_of(step.account.as_deref())
    }

    /// Returns the image of a scope.
    pub(in crate::steps) fn image_of(&self, scope: &Scope) -> Option<&Image> {
        match scope.subject() {
            ScopeSubject::Image(name) => self.catalog.images.get(name),
            _ => None,
        }
    }

    /// Returns the settings of the instances for the image of a scope.
    pub(in crate::steps) fn builder_of(&self, scope: &Scope) -> Builder {
        let settings = &self.catalog.settings;
        let image = self.image_of(scope);
        image.map_or_else(|| settings.builder.clone(), |image| image.builder(settings))
    }

    /// Returns the cloud of an account. `None` means the builder's account.
    pub(in crate::steps) fn cloud_of(&self, account: Option<&str>) -> Result<&FencedCloud> {
        let Some(account) = account else {
            return Ok(&self.cloud);
        };
        let known = self.others.get(account);
        known.ok_or_else(|| {
            Error::input(format!(
                "account {account} is not in any environment of bakeline.yaml"
            ))
            .hint("add the account and its role to the environment in bakeline.yaml")
        })
    }

    /// Returns the tags of a temporary resource. They are set by the call that creates it.
    pub(in crate::steps) fn temporary_tags(&self, image: impl Display) -> Tags {
        let mut tags = temporary_tags(&self.catalog.settings, &self.run, self.expires, image);
        if self.keep_failed {
            tags.insert(tags::KEPT.to_owned(), candidate::UNTIL_EXPIRY.to_owned());
        }
        tags
    }

    /// Returns the tags that identify this run's temporary resources of an image.
    pub(in crate::steps) fn run_tags(&self, image: impl Display) -> Tags {
        Tags::from([
            (
                tags::CATALOG.to_owned(),
                self.catalog.settings.name.to_string(),
            ),
            (tags::RUN.to_owned(), self.run.to_string()),
            (tags::IMAGE.to_owned(), image.to_string()),
        ])
    }
}
