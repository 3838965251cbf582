//! Defines the options for recorded facts.

use std::path::PathBuf;

use clap::Args;

/// Options for recorded facts.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    /// Read facts from a file instead of querying AWS.
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Save the facts that the decision is based on to a file.
    #[arg(long, value_name = "FILE")]
    pub save_inventory: Option<PathBuf>,
}
