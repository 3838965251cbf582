//! Runs the commands. Each command gathers facts, decides, acts, and reports.

mod changelog;
mod check;
mod check_build;
mod context;
mod diff;
mod doctor;
mod explain;
mod gather;
mod hold;
mod latest;
mod list;
mod lock;
mod plan;
mod play;
mod probe;
mod promote;
mod prune;
mod references;
mod release;
mod restore;
mod retire;
mod revoke;
mod rollback;
mod run;
mod schema;
mod since;
mod stages;
mod store_inventory;
mod stored_evidence;
mod summary;
mod sweep;
mod timer;
mod unlock;
mod unreachable;
mod validate;
mod why;

use clap::Parser as _;

use crate::adapters::{sandbox, supervise};
use crate::cli::{Cli, Command};
use crate::error::{Error, Kind, Result};
use crate::ui;

/// Parses the command line, runs the command, and returns the exit code of the process.
#[must_use]
pub fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _printed = e.print();
            return u8::try_from(e.exit_code()).unwrap_or(2);
        }
    };
    context::start_logging();
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match threads {
        Ok(runtime) => {
            let result = runtime.block_on(dispatch(cli));
            // Do not wait for a blocking read, such as that of the supervisor's pipe.
            runtime.shutdown_background();
            result
        }
        Err(e) => Err(Error::new(Kind::StepFailed, "cannot start the async runtime").because(e)),
    };
    result.unwrap_or_else(|error| {
        ui::error(&error);
        error.kind.exit_code()
    })
}

async fn dispatch(cli: Cli) -> Result<u8> {
    let dir = cli.dir;
    match cli.command {
        Command::Validate(args) => validate::run(&dir, &args),
        Command::Plan(args) => Box::pin(plan::run(&dir, &args)).await,
        Command::Why(args) => Box::pin(why::run(&dir, &args)).await,
        Command::Probe(args) => Box::pin(probe::run(&dir, &args)).await,
        Command::Release(args) => Box::pin(release::run(&dir, &args)).await,
        Command::Promote(args) => Box::pin(promote::run(&dir, &args)).await,
        Command::Rollback(args) => Box::pin(rollback::run(&dir, &args)).await,
        Command::Hold(args) => Box::pin(hold::run(&dir, &args)).await,
        Command::Revoke(args) => Box::pin(revoke::run(&dir, &args)).await,
        Command::Unlock(args) => unlock::run(&dir, &args).await,
        Command::Doctor(args) => Box::pin(doctor::run(&dir, &args)).await,
        Command::Latest(args) => Box::pin(latest::run(&dir, &args)).await,
        Command::List(args) => Box::pin(list::run(&dir, &args)).await,
        Command::Prune(args) => Box::pin(prune::run(&dir, &args)).await,
        Command::Restore(args) => Box::pin(restore::run(&dir, &args)).await,
        Command::Retire(args) => Box::pin(retire::run(&dir, &args)).await,
        Command::Explain(args) => Box::pin(explain::run(&dir, &args)).await,
        Command::Sweep(args) => Box::pin(sweep::run(&dir, &args)).await,
        Command::Diff(args) => Box::pin(diff::run(&dir, &args)).await,
        Command::Check(args) => Box::pin(check::run(&dir, &args)).await,
        Command::Sandbox(args) => sandbox::run(&args.arguments, &|text| ui::say(text)),
        Command::Schema(args) => schema::run(&dir, &args),
        Command::CheckBuild(args) => Box::pin(check_build::run(&args)).await,
        Command::Play(args) => Box::pin(play::run(&args)).await,
        Command::Supervise(args) => supervise::run(&args.command)
            .await
            .map_err(|e| Error::new(Kind::StepFailed, "cannot start the command").because(e)),
    }
}
