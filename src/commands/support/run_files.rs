//! Sets up the files of a run: its directory and journal on this machine, and its plan, description and
//! files in the store.

use std::sync::Arc;

use super::command_locks::CommandLocks;
use super::context::LoadedCatalog;
use super::run::RunOptions;
use crate::adapters::system::{JournalFile, RunDirectory, host_name, variable, write_atomically};
use crate::catalog::{Catalog, OnFailure};
use crate::engine::Recovery;
use crate::engine::journal::JournalLine;
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::keys;
use crate::evidence::run_description::{RUN_SCHEMA, RunDescription, format_description};
use crate::model::RunId;
use crate::plan::Plan;
use crate::plan::catalog_digests::catalog_digests;
use crate::ports::{Journal, Store, Workspace as _};

/// Earlier attempt of a run.
#[derive(Debug, Default)]
pub(crate) struct EarlierAttempt {
    /// Lines of the journal.
    pub(crate) lines: Vec<JournalLine>,
    /// Journal as text: complete lines only.
    pub(crate) text: String,
    /// Files of the run directory, by path.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Progress, and the goal of this attempt.
    pub(crate) recovery: Recovery,
}

/// Creates the directory of a run with its plan, and opens its journal. After an earlier attempt, the
/// directory receives the journal and the missing files of that attempt.
pub(super) fn open_run_directory(
    loaded: &LoadedCatalog,
    plan: &Plan,
    saved: &[u8],
    earlier: Option<&EarlierAttempt>,
) -> Result<(Arc<RunDirectory>, Arc<dyn Journal>)> {
    let failed = |what: &str, e: std::io::Error| {
        Error::new(ErrorKind::StepFailed, what.to_owned()).because(e)
    };
    let directory = RunDirectory::create(loaded.files.root(), &plan.run)
        .map_err(|e| failed("cannot create the run directory", e))?;
    if let Some(earlier) = earlier {
        for (path, content) in &earlier.files {
            if directory.read(path).is_none() {
                directory
                    .write(path, content, true)
                    .map_err(|e| failed("cannot restore a file of the run", e))?;
            }
        }
        let path = directory.root().join(JournalFile::NAME);
        write_atomically(&path, earlier.text.as_bytes(), 0o644)
            .map_err(|e| failed("cannot restore the journal", e))?;
    }
    let journal =
        JournalFile::open(directory.root()).map_err(|e| failed("cannot open the journal", e))?;
    directory
        .write("plan.json", saved, false)
        .map_err(|e| failed("cannot save the plan", e))?;
    Ok((Arc::new(directory), Arc::new(journal)))
}

/// Describes a run for the store.
pub(super) fn describe_run(
    loaded: &LoadedCatalog,
    plan: &Plan,
    options: RunOptions,
    locks: &CommandLocks,
) -> RunDescription {
    RunDescription {
        schema: RUN_SCHEMA,
        command: options.command.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        locks: locks.environments.clone(),
        jobs: options.jobs,
        location_jobs: options.location_jobs,
        stop_on_failure: options.on_failure == OnFailure::Stop,
        keep_failed: options.keep_failed,
        host: host_name(),
        job: variable("CI_JOB_URL"),
        catalog: catalog_digests(&loaded.catalog, plan),
    }
}

/// Writes the description and the plan of a run to the store. A sweep needs the plan of a dead run,
/// because old versions of Packer tag an AMI only when it is available. The plan is last: a run
/// without a plan is not listed, so that each listed run has a description.
pub(super) async fn store_run(
    store: &dyn Store,
    catalog: &Catalog,
    plan: &Plan,
    (saved, description): (&[u8], &RunDescription),
) -> Result<()> {
    let name = &catalog.settings.name;
    let key = keys::run_description(name, &plan.run);
    store.put(&key, &format_description(description)).await?;
    store.put(&keys::plan(name, &plan.run), saved).await?;
    Ok(())
}

/// Deletes the files that a run keeps for another machine. Files that remain do no harm.
pub(super) async fn delete_kept_files(store: &dyn Store, catalog: &Catalog, run: &RunId) {
    let prefix = keys::run_files(&catalog.settings.name, run);
    for key in store.list(&prefix).await.unwrap_or_default() {
        if let Err(error) = store.delete(&key).await {
            tracing::debug!(%error, "a file of the run stays");
        }
    }
}
