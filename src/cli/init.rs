//! Defines the arguments of `init`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Example:\n  bakeline init images --region eu-central-1 --region eu-west-1 \\\n      \
--account 111111111111 --prod-account 222222222222"
)]
pub struct Init {
    /// Directory of the catalog. Is created if it does not exist [default: the working directory].
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Name of the catalog [default: the name of the directory].
    #[arg(long)]
    pub name: Option<String>,
    /// Region, such as `eu-central-1`. Can be repeated; images are built in the first. Without it,
    /// `init` asks for all missing options, if it runs on a terminal.
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// ID of the account in which images are built.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// ID of an account of the environment Prod. Can be repeated [default: the account of the builds].
    #[arg(long = "prod-account", value_name = "ID")]
    pub prod_accounts: Vec<String>,
    /// Operating system of a base image, such as `ubuntu-24-04`. Can be repeated [default:
    /// debian-13].
    #[arg(long = "os", value_name = "OS")]
    pub systems: Vec<String>,
    /// Also write a pipeline for GitLab.
    #[arg(long)]
    pub gitlab: bool,
}
