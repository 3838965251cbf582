//! Defines the arguments of `explain`, `diff` and `sweep`.

use clap::Args;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// An image (its current version in the first environment), IMAGE@VERSION, or an AMI ID.
    pub what: String,
    /// Version of the image, such as 20261122.1.
    #[arg(id = "image_version", value_name = "VERSION")]
    pub version: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Name of the image.
    pub image: String,
    /// Older version, such as 20261122.1 [default: the version before the newer one].
    pub from: Option<String>,
    /// Newer version [default: the newest].
    pub to: Option<String>,
    /// `scratch`: build the image from its source or parent instead of its previous version,
    /// compare the result with the newest version, and delete it.
    #[arg(long, value_parser = ["scratch"], conflicts_with_all = ["from", "to"])]
    pub against: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub struct Sweep {
    /// Remove the resources marked `remove`.
    #[arg(long)]
    pub apply: bool,
    /// Also remove untagged Packer key pairs and security groups, selected by name and age.
    /// Packer runs of other teams may have created them.
    #[arg(long)]
    pub packer_leftovers: bool,
    /// Print every resource with its reason as JSON.
    #[arg(long)]
    pub json: bool,
}
