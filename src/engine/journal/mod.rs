//! Records the steps of a run. The lines are chained by hashes, which reveals a changed or missing
//! line.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::model::Timestamp;
use crate::plan::StepId;
use crate::ports::Journal;

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
///
/// A step goes through [`StartedStep`], [`FinishedStep`] and [`UndoingStep`]. Each phase is a method
/// that consumes the state before it, so no step can skip or repeat a phase.
#[derive(Debug, Default)]
pub struct Recorder {
    seq: u64,
    last: String,
    started: BTreeSet<StepId>,
}

/// Content of a line, and the journal to which it is appended.
#[derive(Clone, Copy)]
pub struct NewLine<'l> {
    /// Time of the event.
    pub time: Timestamp,
    /// Output, error or action of the step.
    pub data: &'l Value,
    /// Journal of the run.
    pub journal: &'l dyn Journal,
}

/// Step that has started and not ended.
#[derive(Debug)]
pub struct StartedStep(StepId);

/// Step that succeeded or failed.
#[derive(Debug)]
pub struct FinishedStep(StepId);

/// Step whose undo has started.
#[derive(Debug)]
pub struct UndoingStep(StepId);

impl Recorder {
    /// Returns a recorder that continues after these lines. Steps of these lines can start again.
    #[must_use]
    pub fn continue_after(lines: &[JournalLine]) -> Self {
        let last = lines.last();
        Self {
            seq: last.map_or(0, |line| line.seq),
            last: last.map(|line| line.hash.clone()).unwrap_or_default(),
            started: BTreeSet::new(),
        }
    }

    /// Records the start of a step.
    ///
    /// # Errors
    /// Fails if the plan contains the step twice, or if the line cannot be written.
    pub fn start(&mut self, step: &StepId, line: NewLine<'_>) -> Result<StartedStep> {
        if self.started.contains(step) {
            let text = format!("the plan contains the step {step} twice");
            return Err(Error::new(ErrorKind::StepFailed, text).hint("create the plan again"));
        }
        self.append(step, Phase::Started, line)?;
        self.started.insert(step.clone());
        Ok(StartedStep(step.clone()))
    }

    /// Appends the next line as JSON. If the journal fails, the line does not count: the next one
    /// takes its place in the chain.
    fn append(&mut self, step: &StepId, phase: Phase, new: NewLine<'_>) -> Result<()> {
        let prev = if self.last.is_empty() {
            "0".repeat(64)
        } else {
            self.last.clone()
        };
        let line = JournalLine {
            seq: self.seq + 1,
            time: new.time,
            step: step.clone(),
            phase,
            data: new.data.clone(),
            prev,
            hash: String::new(),
        }
        .with_hash();
        let failed = || {
            Error::new(
                ErrorKind::StepFailed,
                "the journal of the run cannot be written",
            )
        };
        let text = serde_json::to_string(&line).map_err(|e| failed().because(e))?;
        new.journal
            .append(&text)
            .map_err(|e| failed().because(e).hint("free disk space and run again"))?;
        (self.seq, self.last) = (line.seq, line.hash);
        Ok(())
    }
}

impl StartedStep {
    /// Records the success of the step. The step has ended even if the line cannot be written.
    pub fn succeed(self, recorder: &mut Recorder, line: NewLine<'_>) -> (FinishedStep, Result<()>) {
        let written = recorder.append(&self.0, Phase::Succeeded, line);
        (FinishedStep(self.0), written)
    }

    /// Records the failure of the step. The step has ended even if the line cannot be written.
    pub fn fail(self, recorder: &mut Recorder, line: NewLine<'_>) -> (FinishedStep, Result<()>) {
        let written = recorder.append(&self.0, Phase::Failed, line);
        (FinishedStep(self.0), written)
    }
}

impl FinishedStep {
    /// Returns a step that has ended according to an earlier part of the journal.
    #[must_use]
    pub(super) fn ended_before(step: StepId) -> Self {
        Self(step)
    }

    /// Records the start of the undo.
    ///
    /// # Errors
    /// Fails if the line cannot be written.
    pub fn start_undo(self, recorder: &mut Recorder, line: NewLine<'_>) -> Result<UndoingStep> {
        recorder.append(&self.0, Phase::UndoStarted, line)?;
        Ok(UndoingStep(self.0))
    }
}

impl UndoingStep {
    /// Records that the step is undone.
    ///
    /// # Errors
    /// Fails if the line cannot be written.
    pub fn succeed(self, recorder: &mut Recorder, line: NewLine<'_>) -> Result<()> {
        recorder.append(&self.0, Phase::Undone, line)
    }

    /// Records that the step could not be undone.
    ///
    /// # Errors
    /// Fails if the line cannot be written.
    pub fn fail(self, recorder: &mut Recorder, line: NewLine<'_>) -> Result<()> {
        recorder.append(&self.0, Phase::UndoFailed, line)
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

/// Records the phases of one step for a test. Returns the journal.
///
/// # Panics
/// If the phases are not `Started`, then an end, then an undo and its end.
#[cfg(test)]
pub(crate) fn record_phases(
    journal: &crate::adapters::fake::MemoryJournal,
    step: &StepId,
    phases: &[Phase],
) {
    let (time, data) = (Timestamp::UNIX_EPOCH, &serde_json::json!({"n": 1}));
    let (mut recorder, line) = (
        Recorder::default(),
        NewLine {
            time,
            data,
            journal,
        },
    );
    let mut phases = phases.iter();
    let Some(Phase::Started) = phases.next() else {
        return;
    };
    let started = recorder.start(step, line).expect("written");
    let (finished, written) = match phases.next() {
        None => return,
        Some(Phase::Succeeded) => started.succeed(&mut recorder, line),
        Some(Phase::Failed) => started.fail(&mut recorder, line),
        Some(other) => panic!("{other:?} after the start"),
    };
    written.expect("written");
    let Some(Phase::UndoStarted) = phases.next() else {
        return;
    };
    let undoing = finished.start_undo(&mut recorder, line).expect("written");
    let written = match phases.next() {
        None => return,
        Some(Phase::Undone) => undoing.succeed(&mut recorder, line),
        Some(Phase::UndoFailed) => undoing.fail(&mut recorder, line),
        Some(other) => panic!("{other:?} after the start of the undo"),
    };
    written.expect("written");
}
