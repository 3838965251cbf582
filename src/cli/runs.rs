//! Defines the arguments of the commands about runs.

use clap::Args;

use crate::model::RunId;

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct Runs {
    /// Maximum number of runs.
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub limit: u16,
    /// Print the runs as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `resume` and `abort`.
#[derive(Debug, Args)]
pub struct Recover {
    /// ID of the run, as `bakeline runs` shows it.
    #[arg(value_parser = parse_run)]
    pub run: RunId,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

fn parse_run(text: &str) -> Result<RunId, String> {
    let run = RunId::from(text);
    if run.is_valid() {
        Ok(run)
    } else {
        Err("a run ID has only ASCII letters, digits and `-`".to_owned())
    }
}
