//! Records the steps of a run. The lines are chained by hashes, which reveals a changed or missing
//! line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};
use crate::model::Timestamp;
use crate::plan::StepId;

/// Recorded phase of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The step is about to be probed and performed.
    Started,
    /// The step succeeded, with its output.
    Succeeded,
    /// The step failed, with its error.
    Failed,
    /// The step is about to be undone.
    UndoStarted,
    /// The step is undone.
    Undone,
    /// The step could not be undone. Manual action is needed.
    UndoFailed,
}

impl Phase {
    /// Returns whether `next` may follow `now`. The first phase of a step is `Started`.
    fn is_allowed(now: Option<Self>, next: Self) -> bool {
        matches!(
            (now, next),
            (None, Self::Started)
                | (Some(Self::Started), Self::Succeeded | Self::Failed)
                | (
                    Some(Self::Started | Self::Succeeded | Self::Failed),
                    Self::UndoStarted
                )
                | (Some(Self::UndoStarted), Self::Undone | Self::UndoFailed)
        )
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalLine {
    /// Number of the line, from 1.
    pub seq: u64,
    /// Time of the event.
    pub time: Timestamp,
    /// Step.
    pub step: StepId,
    /// Phase that the step reached.
    pub phase: Phase,
    /// Output, error or action of the step.
    pub data: Value,
    /// Hash of the previous line, or zeros.
    pub prev: String,
    /// Hash of this line without this field.
    #[serde(default)]
    pub hash: String,
}

impl JournalLine {
    fn with_hash(mut self) -> Self {
        self.hash = String::new();
        let text = serde_json::to_string(&self).unwrap_or_default();
        self.hash = format!("{:x}", Sha256::digest(text.as_bytes()));
        self
    }
}

/// Writer of chained journal lines.
#[derive(Debug, Default)]
pub struct Recorder {
    seq: u64,
    last: String,
    phases: BTreeMap<StepId, Phase>,
}

impl Recorder {
    /// Passes the next line as JSON to `write`. If `write` fails, the line does not count: the next
    /// one takes its place in the chain.
    ///
    /// # Errors
    /// Fails if the phase may not follow the previous one, or if `write` fails.
    pub fn record(
        &mut self,
        (time, step, phase): (Timestamp, &StepId, Phase),
        data: &Value,
        write: impl FnOnce(&str) -> std::io::Result<()>,
    ) -> Result<()> {
        let now = self.phases.get(step).copied();
        if !Phase::is_allowed(now, phase) {
            return Err(Error::new(
                Kind::StepFailed,
                format!(
                    "internal error: step {step} cannot go from {now:?} to {phase:?}; \
                     please report this"
                ),
            ));
        }
        let prev = if self.last.is_empty() {
            "0".repeat(64)
        } else {
            self.last.clone()
        };
        let line = JournalLine {
            seq: self.seq + 1,
            time,
            step: step.clone(),
            phase,
            data: data.clone(),
            prev,
            hash: String::new(),
        }
        .with_hash();
        let failed = || Error::new(Kind::StepFailed, "the journal of the run cannot be written");
        let text = serde_json::to_string(&line).map_err(|e| failed().because(e))?;
        write(&text).map_err(|e| failed().because(e).hint("free disk space and run again"))?;
        self.phases.insert(step.clone(), phase);
        (self.seq, self.last) = (line.seq, line.hash);
        Ok(())
    }
}

/// Parses a journal and verifies its chain. An incomplete last line is ignored.
///
/// # Errors
/// Fails with the number of the first line that is not valid.
pub fn read(text: &str) -> Result<Vec<JournalLine>> {
    let mut lines = Vec::new();
    let mut last = "0".repeat(64);
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    for (index, raw) in complete.lines().enumerate() {
        let invalid = |why: &str| Error::input(format!("journal line {}: {why}", index + 1));
        let line: JournalLine =
            serde_json::from_str(raw).map_err(|e| invalid("not a journal line").because(e))?;
        if line.prev != last || line.clone().with_hash().hash != line.hash {
            return Err(invalid("the hash does not match; the file was changed"));
        }
        last.clone_from(&line.hash);
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_lines() -> Vec<String> {
        let mut recorder = Recorder::default();
        let time: Timestamp = "2026-11-22T12:00:00Z".parse().expect("time");
        let step = "jdk/build".parse().expect("a step ID");
        let mut lines = Vec::new();
        for phase in [Phase::Started, Phase::Failed, Phase::UndoStarted] {
            let full = recorder.record((time, &step, phase), &Value::Null, |_| {
                Err(std::io::Error::other("full"))
            });
            assert!(full.is_err(), "an unwritten line does not count");
            let write = |line: &str| {
                lines.push(line.to_owned());
                Ok(())
            };
            recorder
                .record((time, &step, phase), &serde_json::json!({"n": 1}), write)
                .expect("legal");
        }
        lines
    }

    #[test]
    fn parse_detects_changes_and_ignores_incomplete_last_line() {
        let lines = three_lines();
        let text = lines.join("\n") + "\n";
        assert_eq!(read(&text).expect("complete").len(), 3);
        assert_eq!(read(&text[..text.len() - 5]).expect("cut").len(), 2);
        assert!(
            read(&text.replace("\"n\":1", "\"n\":2")).is_err(),
            "changed"
        );
        assert!(
            read(&format!("{}\n{}\n", lines[0], lines[2])).is_err(),
            "left out"
        );
    }

    #[test]
    fn record_rejects_illegal_transitions() {
        let mut recorder = Recorder::default();
        let time = Timestamp::UNIX_EPOCH;
        let step = "a/build".parse().expect("a step ID");
        let mut record = |phase| {
            recorder
                .record((time, &step, phase), &Value::Null, |_| Ok(()))
                .is_ok()
        };
        let all = [
            Phase::Succeeded,
            Phase::Started,
            Phase::Started,
            Phase::Undone,
            Phase::Failed,
            Phase::Failed,
            Phase::UndoStarted,
        ];
        assert_eq!(
            all.map(&mut record),
            [false, true, false, false, true, false, true]
        );
        let rest = [
            Phase::Started,
            Phase::Undone,
            Phase::UndoFailed,
            Phase::UndoStarted,
        ];
        assert_eq!(rest.map(record), [false, true, false, false]);
    }
}
