//! Owns what can be typed about the life of finished versions: rollback, hold, revoke, doctor.

use clap::Args;

use super::InventoryArgs;
use crate::model::Version;

/// `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The image.
    pub image: String,
    /// The environment that goes back.
    #[arg(long, value_name = "ENV")]
    pub env: String,
    /// The version to go back to; by default the released one before, at all places of the environment.
    #[arg(long, value_name = "VERSION")]
    pub to: Option<Version>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hold`.
#[derive(Debug, Args)]
pub struct Hold {
    /// The image.
    pub image: String,
    /// The version.
    #[arg(value_name = "VERSION")]
    pub which: Version,
    /// Let it be promoted again.
    #[arg(long)]
    pub release_hold: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `unlock`.
#[derive(Debug, Args)]
pub struct Unlock {
    /// The environment; may be given several times. All environments by default.
    #[arg(long, value_name = "ENV")]
    pub env: Vec<String>,
    /// Release the lock also if the holder may still be at work. It stops before its next change.
    #[arg(long)]
    pub force: bool,
    /// Print the holders as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The image; it need not be in the catalog any more.
    pub image: String,
    /// The version.
    #[arg(value_name = "VERSION")]
    pub which: Version,
    /// Only show what it reaches and what becomes current instead.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Repair what can be repaired.
    #[arg(long)]
    pub apply: bool,
    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,
    /// Facts from or to files.
    #[command(flatten)]
    pub inventory: InventoryArgs,
}
