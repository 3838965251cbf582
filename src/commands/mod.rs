//! Runs the commands. Each command gathers facts, decides, acts, and reports.

mod build;
mod catalog;
mod check;
mod lifecycle;
mod program;
mod query;
mod retention;
mod runs;
mod summary;
mod support;

use clap::Parser as _;

use crate::adapters::{sandbox, supervise};
use crate::cli::{Cli, Command, ProgressForm};
use crate::error::{Error, ErrorKind, Result};
use crate::ui;
use crate::ui::progress::ProgressMode;

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
    support::context::start_logging();
    ui::progress::set_mode(match cli.progress {
        ProgressForm::Auto => ProgressMode::Auto,
        ProgressForm::Plain => ProgressMode::Plain,
        ProgressForm::Json => ProgressMode::Json,
    });
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
        Err(e) => {
            Err(Error::new(ErrorKind::StepFailed, "cannot start the async runtime").because(e))
        }
    };
    result.unwrap_or_else(|error| {
        ui::error(&error);
        error.kind.exit_code()
    })
}

/// Returns the error for a directory of the local EC2 at the place of the catalog's directory.
fn misplaced_directory() -> Error {
    Error::new(ErrorKind::Usage, "the local EC2 uses no catalog directory")
        .hint("for the directory of its state, use `bakeline sandbox up --dir DIR`")
}

async fn dispatch(cli: Cli) -> Result<u8> {
    let has_directory = cli.dir.is_some();
    let dir = match &cli.command {
        Command::Init(_) => cli.dir.unwrap_or_else(|| ".".into()),
        _ => support::context::catalog_directory(cli.dir),
    };
    match cli.command {
        Command::Init(args) => catalog::init::run(&dir, &args),
        Command::New(args) => catalog::new::run(&dir, &args),
        Command::Validate(args) => catalog::validate::run(&dir, &args),
        Command::Show(args) => catalog::show::run(&dir, &args),
        Command::Plan(args) => Box::pin(build::plan::run(&dir, &args)).await,
        Command::Why(args) => Box::pin(build::why::run(&dir, &args)).await,
        Command::Probe(args) => Box::pin(build::probe::run(&dir, &args)).await,
        Command::Preflight(args) => Box::pin(build::preflight::run(&dir, &args)).await,
        Command::Release(args) => Box::pin(build::release::run(&dir, &args)).await,
        Command::Promote(args) => Box::pin(lifecycle::promote::run(&dir, &args)).await,
        Command::Rollback(args) => Box::pin(lifecycle::rollback::run(&dir, &args)).await,
        Command::Hold(args) => Box::pin(lifecycle::hold::run(&dir, &args)).await,
        Command::Revoke(args) => Box::pin(lifecycle::revoke::run(&dir, &args)).await,
        Command::Runs(args) => Box::pin(runs::list(&dir, &args)).await,
        Command::Resume(args) => Box::pin(runs::resume(&dir, &args)).await,
        Command::Abort(args) => Box::pin(runs::abort(&dir, &args)).await,
        Command::Unlock(args) => lifecycle::unlock::run(&dir, &args).await,
        Command::Doctor(args) => Box::pin(lifecycle::doctor::run(&dir, &args)).await,
        Command::Latest(args) => Box::pin(query::latest::run(&dir, &args)).await,
        Command::List(args) => Box::pin(query::list::run(&dir, &args)).await,
        Command::Prune(args) => Box::pin(retention::prune::run(&dir, &args)).await,
        Command::Restore(args) => Box::pin(retention::restore::run(&dir, &args)).await,
        Command::Retire(args) => Box::pin(retention::retire::run(&dir, &args)).await,
        Command::Explain(args) => Box::pin(query::explain::run(&dir, &args)).await,
        Command::Sweep(args) => Box::pin(retention::sweep::run(&dir, &args)).await,
        Command::Diff(args) => Box::pin(query::diff::run(&dir, &args)).await,
        Command::Check(args) => Box::pin(check::run(&dir, &args)).await,
        Command::Permissions(args) => catalog::permissions::run(&dir, &args),
        Command::Sandbox(_) if has_directory => Err(misplaced_directory()),
        Command::Sandbox(args) => sandbox::run(&args.arguments, &|text| ui::say(text)),
        Command::Schema(args) => catalog::schema::run(&dir, &args),
        Command::Completions(args) => program::completions::run(&args),
        Command::Version(args) => program::version::run(&args),
        Command::ManPages(args) => program::man_pages::run(&args),
        Command::CheckBuild(args) => Box::pin(check::build_phase::run(&args)).await,
        Command::Play(args) => Box::pin(build::play::run(&args)).await,
        Command::Supervise(args) => supervise::run(&args.command)
            .await
            .map_err(|e| Error::new(ErrorKind::StepFailed, "cannot start the command").because(e)),
    }
}
