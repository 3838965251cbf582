//! Implements `bakeline runs`: lists the newest runs of the catalog and their states.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::cli::Runs;
use crate::commands::support::stored_runs::{self, StoredRun};
use crate::commands::support::{context, lock};
use crate::engine::recovery::ScopeStage;
use crate::error::Result;
use crate::model::RunId;
use crate::ui;
use crate::ui::table::Table;

/// Run in the list.
#[derive(Debug, Serialize)]
struct RunRow {
    run: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// `active`, `unfinished`, `superseded`, `ended` or `unreadable`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    /// Number of scopes by stage.
    scopes: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) async fn run(dir: &Path, args: &Runs) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let settings = &loaded.catalog.settings;
    let store = context::open_store(settings).await?;
    let environments = settings.environment_names();
    let locks = lock::environment_locks(settings, store.clone());
    let holders = locks.holders(&environments).await?;
    let active: BTreeSet<RunId> = holders.into_iter().map(|holder| holder.run).collect();
    let all = stored_runs::list_runs(&*store, &settings.name).await?;
    let newest = all.iter().rev().take(usize::from(args.limit));
    let (mut rows, mut later) = (Vec::new(), Vec::new());
    for (run, stored) in stored_runs::read_runs(&*store, &loaded, newest).await {
        rows.push(row(run, &stored, active.contains(run), &later));
        later.extend(stored);
    }
    if args.json {
        ui::json(&rows);
    } else {
        print_rows(&rows);
    }
    Ok(0)
}

/// Describes a run. `later` are the runs that started after it.
fn row(run: &RunId, stored: &Result<StoredRun>, active: bool, later: &[StoredRun]) -> RunRow {
    let mut row = RunRow {
        run: run.clone(),
        command: None,
        state: "unreadable",
        host: None,
        job: None,
        scopes: BTreeMap::new(),
        error: None,
    };
    let stored = match stored {
        Ok(stored) => stored,
        Err(error) => {
            row.error = Some(error.one_line());
            return row;
        }
    };
    row.state = match (active, stored.ended) {
        (true, _) => "active",
        (false, true) => "ended",
        (false, false) if later.iter().any(|one| one.supersedes(stored)) => "superseded",
        (false, false) => "unfinished",
    };
    if let Some(description) = stored.description.clone() {
        row.command = Some(description.command);
        row.host = Some(description.host);
        row.job = description.job;
    }
    for (_, stage) in stored.progress.stages(&stored.plan) {
        *row.scopes.entry(stage_name(stage)).or_default() += 1;
    }
    row
}

pub(super) fn stage_name(stage: ScopeStage) -> &'static str {
    match stage {
        ScopeStage::NotStarted => "not started",
        ScopeStage::Interrupted => "begun",
        ScopeStage::HalfUndone => "not yet undone",
        ScopeStage::Undone => "undone",
        ScopeStage::Done => "done",
    }
}

/// Describes the number of scopes by stage: `2 done, 1 begun`.
pub(super) fn describe_scopes(scopes: &BTreeMap<&'static str, usize>) -> String {
    let parts: Vec<String> = ["done", "begun", "undone", "not yet undone", "not started"]
        .into_iter()
        .filter_map(|stage| Some(format!("{} {stage}", scopes.get(stage)?)))
        .collect();
    parts.join(", ")
}

fn print_rows(rows: &[RunRow]) {
    if rows.is_empty() {
        return ui::say("no runs in the store");
    }
    let mut table = Table::with_text(&["RUN", "COMMAND", "STATE"], "SCOPES");
    for row in rows {
        let command = row.command.clone().unwrap_or_else(|| "-".to_owned());
        let detail = match &row.error {
            Some(error) => error.clone(),
            None => describe_scopes(&row.scopes),
        };
        let values = vec![row.run.to_string(), command, row.state.to_owned()];
        table.push_text(values, vec![detail]);
    }
    ui::table(&table);
    if let Some(row) = rows.iter().find(|row| row.state == "unfinished") {
        ui::say(&format!(
            "`bakeline resume {0}` continues an unfinished run, `bakeline abort {0}` undoes what it has begun",
            row.run
        ));
    }
}
