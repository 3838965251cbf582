//! Defines the arguments of `new`.

use clap::{Args, Subcommand};

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct New {
    /// File to add.
    #[command(subcommand)]
    pub file: NewFile,
}

/// File that `new` adds.
#[derive(Debug, Subcommand)]
pub enum NewFile {
    /// Add an image that is built on another one.
    Image(NewImage),
    /// Add a profile: checks that several images use.
    Profile(NewProfile),
}

/// Arguments of `new image`.
#[derive(Debug, Args)]
pub struct NewImage {
    /// Name of the image.
    pub name: String,
    /// Image to build on.
    #[arg(long)]
    pub parent: String,
}

/// Arguments of `new profile`.
#[derive(Debug, Args)]
pub struct NewProfile {
    /// Name of the profile.
    pub name: String,
}
