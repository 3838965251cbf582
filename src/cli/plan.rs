//! Owns what can be typed to learn what a release would do and why, and to do it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::InventoryArgs;

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people.
    Table,
    /// Everything, for programs.
    Json,
    /// A table for a merge request.
    Markdown,
}

/// `why`.
#[derive(Debug, Args)]
pub struct Why {
    /// The image.
    pub image: String,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
    /// Facts from or to files.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}

/// `probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// The images.
    #[arg(required = true)]
    pub images: Vec<String>,
    /// How many instances to boot at the same time.
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The images; all if none is named.
    pub images: Vec<String>,
    /// Build even what needs no build.
    #[arg(long)]
    pub force: bool,
    /// Only images whose files, settings, templates or profiles differ from this git revision, and their descendants.
    #[arg(long, value_name = "REF")]
    pub since: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write the plan to a file, to be reviewed and then executed with `release --plan`.
    #[arg(long, value_name = "FILE", conflicts_with = "inventory")]
    pub save: Option<PathBuf>,
    /// Facts from or to files.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}

/// `release`.
#[derive(Debug, Args)]
pub struct Release {
    /// The images; all if none is named.
    pub images: Vec<String>,
    /// Build even what needs no build.
    #[arg(long)]
    pub force: bool,
    /// Leave the broken instance or candidate of a failed image for a look, and say how to ssh in; it expires.
    #[arg(long)]
    pub keep_failed: bool,
    /// Execute this reviewed plan (from `plan --save`) exactly, or refuse when what it was decided from has changed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "force"])]
    pub plan: Option<PathBuf>,
    /// How many images to build at the same time.
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write the facts the decision was made from.
    #[arg(long, value_name = "FILE")]
    pub save_inventory: Option<PathBuf>,
}
