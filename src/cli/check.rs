//! Owns what can be typed behind `bakeline check`.

use std::path::PathBuf;

use clap::Args;

/// `check`.
#[derive(Debug, Args)]
#[command(
    override_usage = "bakeline check [OPTIONS] [IMAGE] TARGET\n       bakeline check [OPTIONS] [IMAGE] --facts <FILE>",
    after_help = "Targets: `local` (this machine), `ssh://[USER@]HOST[:PORT]`, a directory (an unpacked root file system), the id of \
an instance (i-...) or of an AMI (ami-...: it is booted, asked and ended again).\n\
All but a directory are looked at as root: by `sudo -n`, once, where the user is another."
)]
pub struct Check {
    /// The image whose checks (and its parents') are judged, and what they are judged on.
    #[arg(value_name = "IMAGE] [TARGET", num_args = 0..=2)]
    pub words: Vec<String>,
    /// A profile to judge by, beside the image's checks or without an image; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub profile: Vec<String>,
    /// The same as a directory as target.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Judge facts that were collected before, and ask nobody.
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub facts: Option<PathBuf>,
    /// Write down the facts that were collected.
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    /// `build` or `boot`: whose checks; by default `build` for a directory, else `boot`, or what the facts were of.
    #[arg(long, value_parser = ["build", "boot"])]
    pub phase: Option<String>,
    /// How to report; several, or any with --output, go to files there.
    #[arg(long, value_parser = ["text", "json", "inspec-json", "junit", "html", "cyclonedx"])]
    pub format: Vec<String>,
    /// The folder for reports; every format unless --format names some.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Report as JSON: the same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// The private key to log in with.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Where the host's key must stand, instead of the user's own known hosts.
    #[arg(long, value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// OpenSSH's configuration, instead of the user's own; /dev/null for none.
    #[arg(long, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
    /// The Region of the instance or AMI; the catalog's first by default.
    #[arg(long)]
    pub region: Option<String>,
    /// After how many seconds the collection is given up.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub max_seconds: u64,
    /// After how many MiB of output the collection is given up.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub max_mebibytes: u64,
}
