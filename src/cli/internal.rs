//! Defines the arguments of the hidden commands that bakeline and Packer call.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// Arguments of `check-build`.
#[derive(Debug, Args)]
pub struct CheckBuild {
    /// Path of the request file.
    #[arg(long)]
    pub request: PathBuf,
    /// Address of the instance.
    #[arg(long, env = "BAKELINE_HOST")]
    pub host: String,
    /// SSH port of the instance.
    #[arg(long, env = "BAKELINE_PORT", default_value_t = 22)]
    pub port: u16,
}

/// Arguments of `play`.
#[derive(Debug, Args)]
pub struct Play {
    /// Directory of the job.
    #[arg(long)]
    pub folder: PathBuf,
    /// Path of the private key.
    #[arg(long)]
    pub key: PathBuf,
    /// Address of the instance.
    #[arg(long, env = "BAKELINE_HOST")]
    pub host: String,
    /// SSH port of the instance.
    #[arg(long, env = "BAKELINE_PORT", default_value_t = 22)]
    pub port: u16,
}

/// Arguments of `supervise`.
#[derive(Debug, Args)]
pub struct Supervise {
    /// Command to run, with its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<OsString>,
}
