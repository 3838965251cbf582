//! Reads runs from the store: their plans, descriptions and journals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::{StreamExt as _, stream};

use super::context::LoadedCatalog;
use super::run_files::EarlierAttempt;
use super::stored_evidence;
use crate::adapters::state_directory::run_directory;
use crate::adapters::system::{JournalFile, read_file};
use crate::engine::journal::{self, JournalLine};
use crate::engine::recovery::RunProgress;
use crate::engine::{Goal, Recovery};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::keys;
use crate::evidence::run_description::{RunDescription, parse_description};
use crate::model::{CatalogName, ImageName, RunId};
use crate::plan::{Plan, ScopeSubject};
use crate::ports::Store;

/// Maximum number of runs that are read in parallel.
const MAX_CONCURRENT: usize = 16;

/// Run in the store.
#[derive(Debug)]
pub(crate) struct StoredRun {
    pub(crate) plan: Plan,
    /// Description; `None` for a run of an earlier version of bakeline.
    pub(crate) description: Option<RunDescription>,
    pub(crate) progress: RunProgress,
    /// True if the run reached its end, even if a scope failed.
    pub(crate) ended: bool,
    lines: Vec<JournalLine>,
    text: String,
    files: Vec<String>,
}

/// Keys of the runs of a store, by run.
pub(crate) type RunKeys = BTreeMap<RunId, Vec<String>>;

/// Lists all runs that saved a plan.
pub(crate) async fn list_runs(store: &dyn Store, catalog: &CatalogName) -> Result<RunKeys> {
    let mut out = RunKeys::new();
    for key in store.list(&keys::runs(catalog)).await? {
        if let Some(run) = keys::run_in(&key) {
            out.entry(run).or_default().push(key);
        }
    }
    out.retain(|run, all| all.contains(&keys::plan(catalog, run)));
    Ok(out)
}

/// Reads a run. The journal of the run directory counts if it is longer than that of the store.
///
/// # Errors
/// The store does not have the run, fails, or contains a plan or a journal that cannot be read.
pub(crate) async fn load_run(
    store: &dyn Store,
    loaded: &LoadedCatalog,
    run: &RunId,
) -> Result<StoredRun> {
    let catalog = &loaded.catalog.settings.name;
    let all = store.list(&keys::run(catalog, run)).await?;
    let Some(bytes) = store.get(&keys::plan(catalog, run)).await? else {
        let text = format!(
            "run `{run}` is not in the store {} of catalog `{catalog}`",
            store.location()
        );
        return Err(Error::new(ErrorKind::NotFound, text).hint(
            "`bakeline runs` lists the runs; runs without a lock, such as `check`, are not stored",
        ));
    };
    read_run(store, loaded, run, &all, &bytes).await
}

async fn read_run(
    store: &dyn Store,
    loaded: &LoadedCatalog,
    run: &RunId,
    all: &[String],
    plan: &[u8],
) -> Result<StoredRun> {
    let catalog = &loaded.catalog.settings.name;
    let plan: Plan = serde_json::from_slice(plan).map_err(|e| {
        Error::input(format!("the plan of run {run} cannot be read"))
            .because(e)
            .hint("use the version of bakeline that started the run")
    })?;
    let description = store.get(&keys::run_description(catalog, run)).await?;
    let stored = read_journal(catalog, store, run, all).await?;
    let (text, lines) = longest_journal(loaded.files.root(), run, &stored)?;
    let progress = RunProgress::read(&plan, &lines)?;
    let ended = [keys::journal(catalog, run), keys::report(catalog, run)];
    let prefix = format!("{}/", keys::run_files(catalog, run));
    Ok(StoredRun {
        plan,
        description: description.as_deref().and_then(parse_description),
        progress,
        ended: ended.iter().any(|key| all.contains(key)),
        lines,
        text,
        files: all
            .iter()
            .filter(|key| key.starts_with(&prefix))
            .cloned()
            .collect(),
    })
}

/// Returns the valid journal with the most lines: that of the store, in which lines may be missing, or
/// that of this machine. Incomplete last lines are removed.
fn longest_journal(
    catalog_dir: &Path,
    run: &RunId,
    stored: &str,
) -> Result<(String, Vec<JournalLine>)> {
    let complete = |text: &str| {
        let text = text[..text.rfind('\n').map_or(0, |end| end + 1)].to_owned();
        let lines = journal::read(&text)?;
        Ok::<_, Error>((text, lines))
    };
    let stored = complete(stored);
    let local = read_local_journal(catalog_dir, run).and_then(|text| complete(&text).ok());
    match (stored, local) {
        (Ok(stored), Some(local)) if stored.1.len() >= local.1.len() => Ok(stored),
        (_, Some(local)) => Ok(local),
        (Ok(stored), None) => Ok(stored),
        (Err(error), None) => {
            let text = format!("the journal of run {run} cannot be read");
            Err(Error::input(text)
                .because(error)
                .hint("run this command on the machine of the run, with the same directory of the catalog"))
        }
    }
}

fn read_local_journal(catalog_dir: &Path, run: &RunId) -> Option<String> {
    let directory = run_directory(catalog_dir, run);
    let bytes = read_file(&directory.join(JournalFile::NAME)).ok()?;
    String::from_utf8(bytes).ok()
}

impl StoredRun {
    /// Returns the run as the earlier attempt of a run that continues or is undone.
    pub(crate) async fn into_attempt(
        self,
        store: &dyn Store,
        catalog: &CatalogName,
        goal: Goal,
    ) -> Result<(Plan, EarlierAttempt)> {
        let prefix = format!("{}/", keys::run_files(catalog, &self.plan.run));
        let path = |key: String| (key.strip_prefix(&prefix).unwrap_or(&key).to_owned(), key);
        let wanted = self.files.into_iter().map(path).collect();
        let files = stored_evidence::fetch_existing(store, wanted).await?;
        let progress = self.progress;
        let attempt = EarlierAttempt {
            lines: self.lines,
            text: self.text,
            files,
            recovery: Recovery { progress, goal },
        };
        Ok((self.plan, attempt))
    }

    /// Returns whether this run, which started later, changed resources of an earlier run: an image of
    /// that run, or any resource of a run without images, such as a prune.
    pub(crate) fn supersedes(&self, earlier: &StoredRun) -> bool {
        let command = self.description.as_ref().map(|d| d.command.as_str());
        if self.lines.is_empty() || command == Some("sweep") {
            return false;
        }
        let (images, earlier) = (images_of(&self.plan), images_of(&earlier.plan));
        let shares = match (images.is_empty(), earlier.is_empty()) {
            (false, false) => !images.is_disjoint(&earlier),
            (here, there) => here && there,
        };
        shares || command == Some("doctor")
    }
}

fn images_of(plan: &Plan) -> BTreeSet<ImageName> {
    let of_scopes = plan
        .steps
        .iter()
        .filter_map(|step| match step.scope.subject() {
            ScopeSubject::Image(image) => Some(image.clone()),
            _ => None,
        });
    let decided = plan.decisions.iter().map(|decision| decision.image.clone());
    decided.chain(of_scopes).collect()
}

/// Reads runs in parallel and returns them in the same order.
pub(crate) async fn read_runs<'r>(
    store: &dyn Store,
    loaded: &LoadedCatalog,
    runs: impl Iterator<Item = (&'r RunId, &'r Vec<String>)>,
) -> Vec<(&'r RunId, Result<StoredRun>)> {
    let reads = runs.map(|(run, keys)| async move {
        let plan = store
            .get(&keys::plan(&loaded.catalog.settings.name, run))
            .await;
        let stored = match plan {
            Ok(plan) => read_run(store, loaded, run, keys, &plan.unwrap_or_default()).await,
            Err(error) => Err(error.into()),
        };
        (run, stored)
    });
    stream::iter(reads).buffered(MAX_CONCURRENT).collect().await
}

/// Returns the first later run that changed the same resources.
///
/// # Errors
/// The store fails, or a later run cannot be read.
pub(crate) async fn later_run(
    store: &dyn Store,
    loaded: &LoadedCatalog,
    run: &StoredRun,
) -> Result<Option<(RunId, String)>> {
    let all = list_runs(store, &loaded.catalog.settings.name).await?;
    let later = all.iter().filter(|(id, _)| **id > run.plan.run);
    for (id, later) in read_runs(store, loaded, later).await {
        let later = later?;
        if later.supersedes(run) {
            let command = later.description.map(|d| d.command).unwrap_or_default();
            return Ok(Some((id.clone(), command)));
        }
    }
    Ok(None)
}

/// Reads the journal of a run from the store. A run that ended has one object with its journal. Other runs have one object for each line, as all runs of earlier versions.
pub(crate) async fn read_journal(
    catalog: &CatalogName,
    store: &dyn Store,
    run: &RunId,
    keys: &[String],
) -> Result<String> {
    let journal = keys::journal(catalog, run);
    let lines = format!("{}/journal/", keys::run(catalog, run));
    let objects = if keys.contains(&journal) {
        vec![(journal.clone(), journal)]
    } else {
        let lines = keys.iter().filter(|key| key.starts_with(&lines));
        lines.map(|key| (key.clone(), key.clone())).collect()
    };
    let mut objects = stored_evidence::fetch_existing(store, objects).await?;
    objects.sort();
    let texts = objects.iter();
    Ok(texts
        .map(|(_, text)| String::from_utf8_lossy(text))
        .collect())
}
