//! Implements `bakeline unlock`: shows the locks and releases those of dead runs.

use std::path::Path;

use serde::Serialize;

use crate::cli::Unlock;
use crate::commands::support::{context, lock};
use crate::engine::lock::{LockState, UnlockResult};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::lock::LockHolder;
use crate::model::EnvName;
use crate::ui;
use crate::ui::table::Table;

/// Lock of an environment.
#[derive(Debug, Serialize)]
struct LockRow {
    environment: EnvName,
    /// `free`, `held`, `expired` or `dead`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<LockHolder>,
    released: bool,
}

pub(crate) async fn run(dir: &Path, args: &Unlock) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let settings = &loaded.catalog.settings;
    let known = settings.environment_names();
    let asked: Result<Vec<EnvName>> = args
        .env
        .iter()
        .map(|name| context::find_environment(&known, name))
        .collect();
    let envs = if args.env.is_empty() { known } else { asked? };
    let locks = lock::environment_locks(settings, context::open_store(settings).await?);
    let mut rows = Vec::new();
    for environment in envs {
        let state = locks.state(&environment).await?;
        let released = locks.unlock(&environment, &state, args.force).await? == UnlockResult::Yes;
        rows.push(LockRow {
            environment,
            state: state_name(&state),
            holder: state.holder().cloned(),
            released,
        });
    }
    if args.json {
        ui::json(&rows);
    } else {
        print_locks(&rows);
    }
    let held: Vec<&LockRow> = rows
        .iter()
        .filter(|row| row.state == "held" && !row.released)
        .collect();
    let Some(first) = held.first() else {
        return Ok(0);
    };
    let names = held
        .iter()
        .map(|row| row.environment.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let until = first
        .holder
        .as_ref()
        .map(|holder| holder.expires.to_string())
        .unwrap_or_default();
    let text = format!(
        "the lock of {names} is held by a run that may be active; the lock was not released"
    );
    Err(Error::new(ErrorKind::Refused, text)
        .hint(format!("wait for the run to end; without a renewal the lock expires at {until}"))
        .hint(
            "if the run is dead, use --force; a run that is still active stops before its next change",
        ))
}

fn state_name(state: &LockState) -> &'static str {
    match state {
        LockState::Free => "free",
        LockState::Held(_) => "held",
        LockState::Expired(_) => "expired",
        LockState::Dead(_) => "dead",
    }
}

fn print_locks(rows: &[LockRow]) {
    let mut table = Table::new(&["ENV", "LOCK", "RUN", "HOST", "EXPIRES"]);
    for row in rows {
        let holder = row.holder.as_ref();
        let text = |of: fn(&LockHolder) -> String| holder.map_or_else(|| "-".to_owned(), of);
        table.push(vec![
            row.environment.to_string(),
            if row.released {
                format!("{}, released", row.state)
            } else {
                row.state.to_owned()
            },
            text(|h| h.run.to_string()),
            text(|h| format!("{} (pid {})", h.host, h.pid)),
            text(|h| h.expires.to_string()),
        ]);
    }
    ui::table(&table);
}
