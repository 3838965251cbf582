//! Defines the arguments of `rollback`, `hold`, `revoke`, `doctor` and `unlock`.

use clap::Args;

use super::inventory::InventoryArgs;
use crate::model::Version;

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Name of the image.
    pub image: String,
    /// Environment to roll back.
    #[arg(long, value_name = "ENV")]
    pub env: String,
    /// Version to make current [default: the previous released version that all locations have].
    #[arg(long, value_name = "VERSION")]
    pub to: Option<Version>,
    /// Only show what would change.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `hold`.
#[derive(Debug, Args)]
pub struct Hold {
    /// Name of the image.
    pub image: String,
    /// Version, such as 20261122.1.
    #[arg(value_name = "VERSION")]
    pub which: Version,
    /// Release the hold.
    #[arg(long)]
    pub release_hold: bool,
    /// Only show what would change.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `unlock`.
#[derive(Debug, Args)]
pub struct Unlock {
    /// Environment; can be given several times [default: all environments].
    #[arg(long, value_name = "ENV")]
    pub env: Vec<String>,
    /// Release the lock even if its run may still be active. That run stops before its next change.
    #[arg(long)]
    pub force: bool,
    /// Print the locks as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Name of the image; it can be one that was removed from the catalog.
    pub image: String,
    /// Version, such as 20261122.1.
    #[arg(value_name = "VERSION")]
    pub which: Version,
    /// Revoke the versions. Without it, only show them and the versions that become current instead.
    #[arg(long)]
    pub apply: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Repair the differences.
    #[arg(long)]
    pub apply: bool,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
    /// Recorded facts.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}
