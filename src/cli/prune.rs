//! Defines the arguments of `prune`, `restore` and `retire`.

use std::path::PathBuf;

use clap::Args;

use super::inventory::InventoryArgs;

/// Arguments of `prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Move AMIs to their next retirement stage. With FILE, apply exactly that saved decision.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub apply: Option<Option<PathBuf>>,
    /// Save the decision and its facts to a file for review; `--apply FILE` applies it.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Allow AMIs that are shared with other accounts to be disabled and deregistered.
    #[arg(long)]
    pub shared_ok: bool,
    /// Maximum number of AMIs to move [default: `brakes.most` in bakeline.yaml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub most: Option<u32>,
    /// Maximum percentage of AMIs to move [default: `brakes.percent` in bakeline.yaml].
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub percent: Option<u32>,
    /// Number of versions to keep per image and level [default: `retention` in
    /// bakeline.yaml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// Print the result of every rule for every AMI.
    #[arg(long)]
    pub explain: bool,
    /// Print every AMI with the result of every rule as JSON.
    #[arg(long, conflicts_with = "explain")]
    pub json: bool,
    /// Recorded facts.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// ID of the AMI.
    pub ami: String,
    /// Search only this Region.
    #[arg(long)]
    pub region: Option<String>,
}

/// Arguments of `retire`.
#[derive(Debug, Args)]
pub struct Retire {
    /// Name of the image.
    pub image: String,
    /// Retire the AMIs of the image.
    #[arg(long)]
    pub apply: bool,
    /// Allow AMIs that are shared with other accounts to be disabled and deregistered.
    #[arg(long)]
    pub shared_ok: bool,
    /// Print the result of every rule for every AMI.
    #[arg(long)]
    pub explain: bool,
    /// Print every AMI with the result of every rule as JSON.
    #[arg(long, conflicts_with = "explain")]
    pub json: bool,
    /// Recorded facts.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}
