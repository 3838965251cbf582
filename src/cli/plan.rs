//! Defines the arguments of `plan`, `preflight`, `release`, `why` and `probe`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::inventory::InventoryArgs;

/// Output format of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// The complete plan as JSON.
    Json,
    /// A Markdown table, for example for a merge request.
    Markdown,
    /// A code quality report of GitLab, with the images that a release would change.
    Codequality,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct Why {
    /// Name of the image.
    pub image: String,
    /// Print all inputs, not only those that changed.
    #[arg(long)]
    pub all: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Recorded facts.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}

/// Arguments of `probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// Names of the images.
    #[arg(required = true)]
    pub images: Vec<String>,
    /// Number of instances to boot in parallel.
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Names of the images [default: all].
    pub images: Vec<String>,
    /// Build images even if nothing has changed.
    #[arg(long)]
    pub force: bool,
    /// Plan only images that changed since this Git revision, and their descendants.
    #[arg(long, value_name = "REF")]
    pub since: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Print the plan as JSON (same as --format json).
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Save the plan to a file for review; `release --plan` executes it.
    #[arg(long, value_name = "FILE", conflicts_with = "inventory")]
    pub save: Option<PathBuf>,
    /// Write the plan as a note on the merge request of this GitLab job, or update the note of the last
    /// plan. Needs a token with the scope `api` in BAKELINE_GITLAB_TOKEN. Errors are warnings.
    #[arg(long)]
    pub gitlab_note: bool,
    /// Recorded facts.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}

/// Arguments of `preflight`.
#[derive(Debug, Args)]
pub struct Preflight {
    /// Names of the images [default: all].
    pub images: Vec<String>,
    /// Highest environment whose accounts, Regions and keys are checked [default: the last].
    #[arg(long, value_name = "ENV")]
    pub env: Option<String>,
    /// Print the checks as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub struct Release {
    /// Names of the images [default: all].
    pub images: Vec<String>,
    /// Build images even if nothing has changed.
    #[arg(long)]
    pub force: bool,
    /// Keep the instance or candidate AMI of a failed image until it expires, and print how to
    /// connect to it.
    #[arg(long)]
    pub keep_failed: bool,
    /// Execute this plan (from `plan --save`) exactly; fails if the facts behind it have changed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "force"])]
    pub plan: Option<PathBuf>,
    /// Number of images to build in parallel.
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Save the facts that the plan is based on to a file.
    #[arg(long, value_name = "FILE")]
    pub save_inventory: Option<PathBuf>,
}
