//! Implements `bakeline unlock`: shows who holds the locks, and releases those of dead runs.

use std::path::Path;

use serde::Serialize;

use super::{context, lock};
use crate::cli::Unlock;
use crate::engine::lock::{LockState, UnlockResult};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::lock::Holder;
use crate::model::EnvName;
use crate::ui;

/// One environment's lock, before and after.
#[derive(Debug, Serialize)]
struct Row {
    environment: EnvName,
    /// `free`, `held`, `expired` or `dead`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<Holder>,
    released: bool,
}

pub(super) async fn run(dir: &Path, args: &Unlock) -> Result<u8> {
    let loaded = context::load(dir)?;
    let settings = &loaded.catalog.settings;
    let known: Vec<EnvName> = settings
        .environments
        .iter()
        .map(|e| e.name.clone())
        .collect();
    let asked: Result<Vec<EnvName>> = args
        .env
        .iter()
        .map(|name| context::environment(&known, name))
        .collect();
    let envs = if args.env.is_empty() { known } else { asked? };
    let locks = lock::locks(settings, context::store(settings).await?);
    let mut rows = Vec::new();
    for environment in envs {
        let state = locks.state(&environment).await?;
        let released = locks.unlock(&environment, &state, args.force).await? == UnlockResult::Yes;
        rows.push(Row {
            environment,
            state: word(&state),
            holder: state.holder().cloned(),
            released,
        });
    }
    if args.json {
        ui::json(&rows);
    } else {
        show(&rows);
    }
    let held: Vec<&Row> = rows
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
    let text =
        format!("the lock of {names} is held by a run that may be at work; nothing was released");
    Err(Error::new(Kind::Refused, text)
        .hint(format!("wait for it to end; without a sign of life its lock expires at {until}"))
        .hint(
            "if you know that it is dead, use --force: should it be alive after all, it stops before its next change",
        ))
}

fn word(state: &LockState) -> &'static str {
    match state {
        LockState::Free => "free",
        LockState::Held(_) => "held",
        LockState::Expired(_) => "expired",
        LockState::Dead(_) => "dead",
    }
}

fn show(rows: &[Row]) {
    let cells = |row: &Row| {
        let holder = row.holder.as_ref();
        let text = |of: fn(&Holder) -> String| holder.map_or_else(|| "-".to_owned(), of);
        vec![
            row.environment.to_string(),
            if row.released {
                format!("{}, released", row.state)
            } else {
                row.state.to_owned()
            },
            text(|h| h.run.to_string()),
            text(|h| format!("{} (pid {})", h.host, h.pid)),
            text(|h| h.expires.to_string()),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    ui::data(&ui::table::columns(
        &["ENV", "LOCK", "RUN", "HOST", "EXPIRES"],
        &rows,
    ));
}
