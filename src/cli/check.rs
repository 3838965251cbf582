//! Defines the arguments of `bakeline check`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(
    override_usage = "bakeline check [OPTIONS] [IMAGE] TARGET\n       bakeline check [OPTIONS] \
[IMAGE] --facts <FILE>",
    after_help = "Targets:\n  local                        this machine\n  \
ssh://[USER@]HOST[:PORT]     a remote machine\n  DIRECTORY                    an unpacked root \
file system\n  i-...                        a running instance\n  ami-...                      an \
AMI: bakeline starts an instance of it and terminates it afterwards\n\n\
Facts are collected as root, except from a directory. If the user is not root, bakeline runs \
`sudo -n`."
)]
pub struct Check {
    /// The image whose checks are run, and the target to run them against.
    #[arg(value_name = "IMAGE] [TARGET", num_args = 0..=2)]
    pub words: Vec<String>,
    /// Run the checks of this profile; can be given several times, with or without an image.
    #[arg(long, value_name = "NAME")]
    pub profile: Vec<String>,
    /// Check an unpacked root file system, as if DIR were the target.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Evaluate facts saved earlier instead of collecting new ones.
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub facts: Option<PathBuf>,
    /// Save the collected facts to a file.
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    /// Run the checks of this phase [default: that of saved facts, `build` for a directory, else
    /// `boot`].
    #[arg(long, value_parser = ["build", "boot"])]
    pub phase: Option<String>,
    /// Report format; several formats need --output.
    #[arg(long, value_parser = ["text", "json", "inspec-json", "junit", "html", "cyclonedx"])]
    pub format: Vec<String>,
    /// Write reports to this directory, in every format unless --format selects some.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print the report as JSON (same as --format json).
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Private key for SSH.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Known hosts file with the host key [default: that of the user].
    #[arg(long, value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// OpenSSH configuration file [default: that of the user]; /dev/null for none.
    #[arg(long, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
    /// Region of the instance or AMI [default: the first Region of the catalog].
    #[arg(long)]
    pub region: Option<String>,
    /// Maximum duration of the collection in seconds.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub max_seconds: u64,
    /// Maximum size of the collected output in MiB.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub max_mebibytes: u64,
}
