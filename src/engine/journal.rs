//! Owns the run's record: which transitions are legal, and the chain of hashes that shows a cut or changed line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};
use crate::model::Timestamp;
use crate::plan::StepId;

/// What is recorded of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// About to probe and perform.
    Started,
    /// Done, with its output.
    Succeeded,
    /// Not done, with the error.
    Failed,
    /// About to be taken back.
    UndoStarted,
    /// Taken back.
    Undone,
    /// Could not be taken back: a person is needed.
    UndoFailed,
}

impl Phase {
    /// Whether `next` may follow `self`; a step's first record is `Started`.
    fn allows(now: Option<Self>, next: Self) -> bool {
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
pub struct Line {
    /// Counts from 1.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Which step.
    pub step: StepId,
    /// What happened.
    pub phase: Phase,
    /// The output, the error or the action.
    pub data: Value,
    /// The hash of the line before, or zeros.
    pub prev: String,
    /// The hash of this line without this field.
    #[serde(default)]
    pub hash: String,
}

impl Line {
    fn seal(mut self) -> Self {
        self.hash = String::new();
        let text = serde_json::to_string(&self).unwrap_or_default();
        self.hash = format!("{:x}", Sha256::digest(text.as_bytes()));
        self
    }
}

/// Makes lines, each chained to the one before.
#[derive(Debug, Default)]
pub struct Recorder {
    seq: u64,
    last: String,
    phases: BTreeMap<StepId, Phase>,
}

impl Recorder {
    /// Hands the next line as JSON to `write`. A line that can't be written did not happen: the next one takes its location
    /// in the chain.
    ///
    /// # Errors
    /// An illegal transition, which is a defect; what `write` said.
    pub fn record(
        &mut self,
        (time, step, phase): (Timestamp, &StepId, Phase),
        data: &Value,
        write: impl FnOnce(&str) -> std::io::Result<()>,
    ) -> Result<()> {
        let now = self.phases.get(step).copied();
        if !Phase::allows(now, phase) {
            return Err(Error::new(
                Kind::StepFailed,
                format!("a defect: step {step} can't go from {now:?} to {phase:?}"),
            ));
        }
        let prev = if self.last.is_empty() {
            "0".repeat(64)
        } else {
            self.last.clone()
        };
        let line = Line {
            seq: self.seq + 1,
            time,
            step: step.clone(),
            phase,
            data: data.clone(),
            prev,
            hash: String::new(),
        }
        .seal();
        let failed = || Error::new(Kind::StepFailed, "the run's journal can't be written");
        let text = serde_json::to_string(&line).map_err(|e| failed().because(e))?;
        write(&text).map_err(|e| failed().because(e).hint("free disk space and run again"))?;
        self.phases.insert(step.clone(), phase);
        (self.seq, self.last) = (line.seq, line.hash);
        Ok(())
    }
}

/// Reads a journal and proves its chain; a last line that was cut off is left out.
///
/// # Errors
/// The number of the first line that does not fit, and why.
pub fn read(text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut last = "0".repeat(64);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for (index, raw) in whole.lines().enumerate() {
        let bad = |why: &str| Error::input(format!("journal line {}: {why}", index + 1));
        let line: Line =
            serde_json::from_str(raw).map_err(|e| bad("it is not a journal line").because(e))?;
        if line.prev != last || line.clone().seal().hash != line.hash {
            return Err(bad("its hash does not fit: the file was changed"));
        }
        last.clone_from(&line.hash);
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Vec<String> {
        let mut recorder = Recorder::default();
        let time: Timestamp = "2026-11-22T12:00:00Z".parse().expect("time");
        let step = StepId("jdk/build".to_owned());
        let mut lines = Vec::new();
        for phase in [Phase::Started, Phase::Failed, Phase::UndoStarted] {
            let full = recorder.record((time, &step, phase), &Value::Null, |_| {
                Err(std::io::Error::other("full"))
            });
            assert!(full.is_err(), "a line that is not written does not count");
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
    fn the_chain_shows_any_change_and_forgives_a_cut_last_line() {
        let lines = three();
        let text = lines.join("\n") + "\n";
        assert_eq!(read(&text).expect("whole").len(), 3);
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
    fn illegal_transitions_are_refused() {
        let mut recorder = Recorder::default();
        let (time, step) = (Timestamp::UNIX_EPOCH, StepId("a/b".to_owned()));
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
