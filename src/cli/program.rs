//! Defines the arguments of the commands about the program itself.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Arguments of `version`.
#[derive(Debug, Args)]
pub struct Version {
    /// Print the version as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Shell to print the completions for.
    pub shell: Shell,
}

/// Arguments of `man-pages`.
#[derive(Debug, Args)]
pub struct ManPages {
    /// Directory for the pages.
    pub folder: PathBuf,
    /// Date of the pages, such as `2026-11-30`.
    #[arg(long)]
    pub date: String,
}
