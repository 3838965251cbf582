//! Defines the command line and its help texts.

mod check;
mod init;
mod inspect;
mod internal;
mod inventory;
mod lifecycle;
mod new;
mod permissions;
mod plan;
mod program;
mod prune;
mod runs;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::Arch;

pub use check::Check;
pub use init::Init;
pub use inspect::{Diff, Explain, Sweep};
pub use internal::{CheckBuild, Play, Supervise};
pub use inventory::InventoryArgs;
pub use lifecycle::{Doctor, Hold, Revoke, Rollback, Unlock};
pub use new::{New, NewFile, NewImage, NewProfile};
pub use permissions::{PermissionFormat, PermissionRole, Permissions};
pub use plan::{Format, Plan, Preflight, Probe, Release, Why};
pub use program::{Completions, ManPages, Version};
pub use prune::{Prune, Restore, Retire};
pub use runs::{Recover, Runs};

/// Build, check, release, promote and prune operating system images (AMIs).
#[derive(Debug, Parser)]
#[command(
    name = "bakeline",
    version,
    max_term_width = 110,
    propagate_version = true
)]
#[command(
    after_help = "Exit codes:\n  0    success\n  1    invalid input\n  2    invalid usage\n  \
3    checks failed\n  4    a build or cloud step failed; its changes were undone\n  \
5    stuck: manual action is needed\n  6    not found\n  7    refused; nothing was changed\n  \
130  interrupted; changes were undone\n\n\
Set BAKELINE_LOG=debug to print debug messages."
)]
pub struct Cli {
    /// Directory that contains bakeline.yaml [default: the working directory, or the nearest one above
    /// it in the Git repository].
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Progress on stderr: auto (live lines on a terminal), plain or json (one object per line).
    #[arg(
        long,
        global = true,
        value_name = "FORM",
        value_enum,
        default_value_t = ProgressForm::Auto,
        hide_possible_values = true
    )]
    pub progress: ProgressForm,
    /// Command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// Form of the progress on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressForm {
    /// Live lines on a terminal, else one line for each event.
    Auto,
    /// One line with its time for each event.
    Plain,
    /// One JSON object for each event and message.
    Json,
}

/// Commands of bakeline.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a catalog: write its settings, base images and an example image.
    Init(Init),
    /// Add an image or a profile to the catalog.
    New(New),
    /// Validate the catalog and show all problems.
    Validate(Validate),
    /// Show an image with the origin of each value, or the shipped templates and profiles.
    Show(Show),
    /// Show which images a release would build, and why.
    Plan(Plan),
    /// Check the prerequisites of a release without changes: tools, roles, permissions, network, keys,
    /// store.
    Preflight(Preflight),
    /// Build and check the images that need it, and make them current in the first environment.
    Release(Release),
    /// Compare the inputs of an image with those of its last release.
    Why(Why),
    /// Look for pending security updates on an instance of the current version, for the next plan.
    Probe(Probe),
    /// Promote the current version of the previous environment to another environment.
    Promote(Promote),
    /// Roll an environment back to an earlier version and hold the version that was current.
    Rollback(Rollback),
    /// Hold a version (no promotion, no child builds) or release the hold.
    Hold(Hold),
    /// Show a version and all versions built from it; revoke them, and roll back environments that use
    /// them, with --apply.
    Revoke(Revoke),
    /// Compare tags, pointers and the store; repair differences with --apply.
    Doctor(Doctor),
    /// List the newest runs and their states.
    Runs(Runs),
    /// Continue a killed run where its journal ends.
    Resume(Recover),
    /// Undo what a killed run has begun, and what a run could not undo.
    Abort(Recover),
    /// Show the locks of the environments and release those of dead runs.
    Unlock(Unlock),
    /// Print the ID of the current AMI of an image.
    Latest(Latest),
    /// List the versions of images and the environments in which they are current.
    List(List),
    /// Show which AMIs no retention rule keeps; deprecate, disable or deregister them with --apply.
    Prune(Prune),
    /// Undo the retirement of an AMI: re-enable it and restore its launch permissions.
    Restore(Restore),
    /// Retire all AMIs of an image that was removed from the catalog.
    Retire(Retire),
    /// Show the lineage, build reason, checks, locations, references and retirement date of a
    /// version.
    Explain(Explain),
    /// Show the differences between two versions of an image: packages, units, accounts, files.
    Diff(Diff),
    /// Show temporary resources that dead runs left; remove them with --apply.
    Sweep(Sweep),
    /// Run checks against a machine, an instance, an AMI or an unpacked root file system.
    Check(Box<Check>),
    /// Print the permissions that this catalog needs in AWS, as policies or as a CloudFormation
    /// template.
    Permissions(Permissions),
    /// Manage the local EC2, which builds and boots images without a cloud account.
    Sandbox(Sandbox),
    /// Write the JSON Schemas of the catalog files for editors.
    Schema(Schema),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Print version, commit, target and features of this program.
    Version(Version),
    /// Write the man pages (called by `make dist`).
    #[command(hide = true)]
    ManPages(ManPages),
    /// Run the build-phase checks on the build instance (called by Packer).
    #[command(hide = true)]
    CheckBuild(CheckBuild),
    /// Run an Ansible playbook on the build instance (called by Packer).
    #[command(hide = true)]
    Play(Play),
    /// Run a command and stop it when the caller ends (called by bakeline).
    #[command(hide = true)]
    Supervise(Supervise),
}

/// Output format of the diagnostics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// Excerpts of the files on stderr.
    Text,
    /// All diagnostics as JSON.
    Json,
    /// A code quality report of GitLab, in addition to the text.
    Codequality,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Output format.
    #[arg(long, value_enum, default_value_t = ValidateFormat::Text)]
    pub format: ValidateFormat,
    /// Print the diagnostics as JSON (same as --format json).
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Object to show.
    #[command(subcommand)]
    pub subject: ShowSubject,
}

/// Objects that `show` prints.
#[derive(Debug, Subcommand)]
pub enum ShowSubject {
    /// Show one image: its own values, those of bakeline.yaml, and those that it inherits.
    Image(ShowImage),
    /// List the shipped templates and profiles, and which of them the catalog replaces.
    Files(ShowFiles),
    /// Print a template or profile.
    File(ShowFile),
}

/// Arguments of `show files`.
#[derive(Debug, Args)]
pub struct ShowFiles {
    /// Print the list as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `show file`.
#[derive(Debug, Args)]
pub struct ShowFile {
    /// Path, such as `profiles/ssh-baseline.yaml`.
    pub path: String,
    /// Print the shipped file also if the catalog replaces it.
    #[arg(long)]
    pub shipped: bool,
}

/// Arguments of `show image`.
#[derive(Debug, Args)]
pub struct ShowImage {
    /// Name of the image.
    pub name: String,
    /// Print the image as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `promote`.
#[derive(Debug, Args)]
pub struct Promote {
    /// Names of the images.
    #[arg(required = true)]
    pub images: Vec<String>,
    /// Environment to promote to.
    #[arg(long, value_name = "ENV")]
    pub to: String,
    /// Number of locations to work on in parallel. EC2 itself limits the copies of each location.
    #[arg(short, long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: u16,
    /// Only show what would change.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Catalog and Region to look in.
#[derive(Debug, Args)]
pub struct CatalogArgs {
    /// Name of the catalog [default: that of bakeline.yaml].
    #[arg(long, env = "BAKELINE_CATALOG")]
    pub catalog: Option<String>,
    /// Region [default: the first Region of bakeline.yaml; without it AWS_REGION,
    /// AWS_DEFAULT_REGION, else that of the profile].
    #[arg(long)]
    pub region: Option<String>,
}

/// Arguments of `latest`.
#[derive(Debug, Args)]
pub struct Latest {
    /// Name of the image.
    pub image: String,
    /// Environment [default: `default_environment` in bakeline.yaml].
    #[arg(long, env = "BAKELINE_ENV")]
    pub env: Option<String>,
    /// Architecture.
    #[arg(long, default_value = "x86_64")]
    pub arch: Arch,
    /// Print ID, version, Region and environment as JSON.
    #[arg(long)]
    pub json: bool,
    /// Catalog and Region to look in.
    #[command(flatten)]
    pub lookup: CatalogArgs,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Names of the images [default: all].
    pub images: Vec<String>,
    /// List only the AMIs that are current in this environment.
    #[arg(long, value_name = "ENV")]
    pub env: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Name of the catalog, which needs no checkout and lists one Region of one account
    /// [default: that of bakeline.yaml, with all its locations].
    #[arg(long, env = "BAKELINE_CATALOG", value_name = "NAME")]
    pub catalog: Option<String>,
    /// List only this Region [default: all Regions of the catalog; with --catalog: AWS_REGION,
    /// AWS_DEFAULT_REGION, else that of the profile].
    #[arg(long)]
    pub region: Option<String>,
}

/// Arguments of `sandbox`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct Sandbox {
    /// up, status, reset, publish or down, with options (see `bakeline sandbox --help`).
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ACTION"
    )]
    pub arguments: Vec<OsString>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Check that the files are up to date instead of writing them.
    #[arg(long)]
    pub check: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn argument_names_are_unique() {
        super::Cli::command().debug_assert();
    }
}
