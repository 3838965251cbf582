//! Owns what can be typed to ask about what is there: explain, diff, sweep.

use clap::Args;

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// An image (what is current on the lowest rung), IMAGE@VERSION, or an AMI's id.
    pub what: String,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The image.
    pub image: String,
    /// The older version, such as 20261122.1; by default the one before the newer.
    pub from: Option<String>,
    /// The newer version; by default the newest.
    pub to: Option<String>,
    /// Build the image anew from its source or parent, judge it, throw it away, and show what the newest version has that
    /// a fresh build has not: the drift of a chain of builds.
    #[arg(long, value_parser = ["scratch"], conflicts_with_all = ["from", "to"])]
    pub against: Option<String>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `sweep`.
#[derive(Debug, Args)]
pub struct Sweep {
    /// Remove what is left over.
    #[arg(long)]
    pub apply: bool,
    /// Also take key pairs and groups that Packer made without tags, by name and age: another team's Packer may have made them.
    #[arg(long)]
    pub packer_leftovers: bool,
    /// Print every thing with its reason as JSON.
    #[arg(long)]
    pub json: bool,
}
