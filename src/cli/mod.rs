//! Owns the command line: what can be typed and what it means in help texts; no behaviour.

mod ask;
mod check;
mod inner;
mod life;
mod plan;
mod prune;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::model::Arch;

pub use ask::{Diff, Explain, Sweep};
pub use check::Check;
pub use inner::{CheckBuild, Play, Supervise};
pub use life::{Doctor, Hold, Revoke, Rollback, Unlock};
pub use plan::{Format, Plan, Probe, Release, Why};
pub use prune::{Prune, Restore, Retire};

/// Release operating-system base images: build with Packer, check, promote, look up, prune.
#[derive(Debug, Parser)]
#[command(
    name = "bakeline",
    version,
    max_term_width = 110,
    propagate_version = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 input wrong, 2 usage, 3 checks failed, 4 a build or cloud step failed (world clean), \
5 stuck (a person is needed), 6 not found, 7 refused (nothing changed), 130 interrupted (world clean).\n\
Set BAKELINE_LOG=debug to see what goes on inside."
)]
pub struct Cli {
    /// The folder with bakeline.yaml.
    #[arg(
        short = 'C',
        long,
        global = true,
        value_name = "DIR",
        default_value = "."
    )]
    pub dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the whole catalog and show every problem at once.
    Validate(Validate),
    /// Show what a release would do, and why, without doing it.
    Plan(Plan),
    /// Build what needs building, check it, tag it, make it current.
    Release(Release),
    /// Explain one image: every input of its recipe now and in its last release, and which moved.
    Why(Why),
    /// Boot what is current, ask it for pending security updates, and remember the answer for the next plan.
    Probe(Probe),
    /// Move what is current on the rung below up to another environment.
    Promote(Promote),
    /// Point an environment back at an earlier version and hold the one it leaves.
    Rollback(Rollback),
    /// Keep a version from being promoted and built upon, or let it again.
    Hold(Hold),
    /// Withdraw a version and everything layered on it; what pointed at them goes back.
    Revoke(Revoke),
    /// Compare tags, pointers and store, and repair what differs with --apply.
    Doctor(Doctor),
    /// Show who holds the locks of the environments, and release those of dead runs.
    Unlock(Unlock),
    /// Print the id of the current AMI of an image, and nothing else.
    Latest(Latest),
    /// List what exists: each image's versions and where they are current.
    List(List),
    /// Show which AMIs retention lets go, and move them down the ladder with --apply.
    Prune(Prune),
    /// Bring an AMI back up the ladder: enabled, launchable by whom it was, not deprecated.
    Restore(Restore),
    /// Take an image that is no longer in the catalog out of service.
    Retire(Retire),
    /// Explain one version: where it comes from, why it was built, where it is, what uses it, when prune takes it.
    Explain(Explain),
    /// Show what two versions of an image differ in: packages, units, accounts, files.
    Diff(Diff),
    /// Show the temporary things that dead runs left, and remove them with --apply.
    Sweep(Sweep),
    /// Judge a machine, an instance, an AMI or an unpacked root file system by an image's checks or by profiles.
    Check(Box<Check>),
    /// Run the local EC2: real Packer, real boots, no cloud account.
    Sandbox(Sandbox),
    /// Write the JSON Schemas of bakeline.yaml and images/*.yaml for editors.
    Schema(Schema),
    /// Judge the build-phase checks of an instance that Packer is building (called by Packer).
    #[command(hide = true)]
    CheckBuild(CheckBuild),
    /// Play an Ansible playbook against an instance that Packer is building (called by Packer).
    #[command(hide = true)]
    Play(Play),
    /// Run a command and end it in order when the caller is gone (called by bakeline).
    #[command(hide = true)]
    Supervise(Supervise),
}

/// `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where facts come from.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    /// Decide from recorded facts instead of asking the cloud.
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Write the facts the decision was made from.
    #[arg(long, value_name = "FILE")]
    pub save_inventory: Option<PathBuf>,
}

/// `promote`.
#[derive(Debug, Args)]
pub struct Promote {
    /// The images.
    #[arg(required = true)]
    pub images: Vec<String>,
    /// The environment to move to.
    #[arg(long, value_name = "ENV")]
    pub to: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which catalog, where.
#[derive(Debug, Args)]
pub struct Where {
    /// The catalog's name; without it bakeline.yaml is read.
    #[arg(long, env = "BAKELINE_CATALOG")]
    pub catalog: Option<String>,
    /// The Region; by default the catalog's first, or AWS_REGION.
    #[arg(long)]
    pub region: Option<String>,
}

/// `latest`.
#[derive(Debug, Args)]
pub struct Latest {
    /// The image.
    pub image: String,
    /// The environment; must be given here, in BAKELINE_ENV, or as default_environment in bakeline.yaml.
    #[arg(long, env = "BAKELINE_ENV")]
    pub env: Option<String>,
    /// The architecture.
    #[arg(long, default_value = "x86_64")]
    pub arch: Arch,
    /// Print id, version, Region and environment as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which catalog, where.
    #[command(flatten)]
    pub place: Where,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    /// The images; all if none is named.
    pub images: Vec<String>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which catalog, where.
    #[command(flatten)]
    pub place: Where,
}

/// `sandbox`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct Sandbox {
    /// up, status, reset, publish or down, with their options (`bakeline sandbox --help`).
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ACTION"
    )]
    pub arguments: Vec<OsString>,
}

/// `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Compare with what is there instead of writing.
    #[arg(long)]
    pub check: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn no_two_arguments_have_one_name() {
        super::Cli::command().debug_assert();
    }
}
