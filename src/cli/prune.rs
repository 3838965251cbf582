//! Owns the command line of what moves AMIs down the ladder and back up.

use std::path::PathBuf;

use clap::Args;

use super::InventoryArgs;

/// `prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Move what the decision lets go down the ladder; with a FILE exactly what was saved there, or nothing.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub apply: Option<Option<PathBuf>>,
    /// Write the decision and the facts it was made from, for review and `--apply FILE`.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Let what is shared with others go beyond deprecation.
    #[arg(long)]
    pub shared_ok: bool,
    /// The most AMIs to move, instead of the catalog's brakes.most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub most: Option<u32>,
    /// The largest share of the AMIs to move, instead of the catalog's brakes.percent.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub percent: Option<u32>,
    /// How many versions of an image to keep in each environment, instead of the catalog's `retention`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// Print every AMI with every rule's answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Facts from or to files.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The AMI's id.
    pub ami: String,
    /// Its Region, where an id is not enough.
    #[arg(long)]
    pub region: Option<String>,
}

/// `retire`.
#[derive(Debug, Args)]
pub struct Retire {
    /// The image's name.
    pub image: String,
    /// Do it.
    #[arg(long)]
    pub apply: bool,
    /// Let what is shared with others go beyond deprecation.
    #[arg(long)]
    pub shared_ok: bool,
    /// Print every AMI with every rule's answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Facts from or to files.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}
