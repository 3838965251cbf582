//! Owns what only bakeline itself and Packer type: check-build, play, supervise.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// `check-build`.
#[derive(Debug, Args)]
pub struct CheckBuild {
    /// The request file.
    #[arg(long)]
    pub request: PathBuf,
    /// The instance's address.
    #[arg(long, env = "BAKELINE_HOST")]
    pub host: String,
    /// Its SSH port.
    #[arg(long, env = "BAKELINE_PORT", default_value_t = 22)]
    pub port: u16,
}

/// `play`.
#[derive(Debug, Args)]
pub struct Play {
    /// The job's folder.
    #[arg(long)]
    pub folder: PathBuf,
    /// The private key's file.
    #[arg(long)]
    pub key: PathBuf,
    /// The instance's address.
    #[arg(long, env = "BAKELINE_HOST")]
    pub host: String,
    /// Its SSH port.
    #[arg(long, env = "BAKELINE_PORT", default_value_t = 22)]
    pub port: u16,
}

/// `supervise`.
#[derive(Debug, Args)]
pub struct Supervise {
    /// The command.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<OsString>,
}
