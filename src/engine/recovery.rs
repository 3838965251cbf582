//! Reads how far a run came from its plan and its journal, so that the run can continue or be undone.

use std::collections::BTreeMap;

use super::journal::{JournalLine, Phase};
use super::outcome::ScopeEnd;
use super::output::{Outputs, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Timestamp;
use crate::plan::{Plan, Scope, Step, StepId};

/// Last recorded state of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// The step started, and its end is unknown.
    Begun,
    /// The step succeeded.
    Done(StepOutput),
    /// The step failed.
    Failed,
    /// The step is not completely undone. The output is absent if the step had not succeeded.
    Undoing(Option<StepOutput>),
    /// The step is undone.
    Undone,
}

/// Last recorded states of the steps of a scope.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScopeProgress {
    states: BTreeMap<StepId, StepState>,
    started: BTreeMap<StepId, Timestamp>,
    error: Option<String>,
}

/// Stage of a scope in an earlier attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeStage {
    /// No step started.
    NotStarted,
    /// Some steps are done, and none failed.
    Interrupted,
    /// A step failed, and not all of its steps are undone.
    HalfUndone,
    /// A step failed, and all steps are undone.
    Undone,
    /// All steps are done.
    Done,
}

/// Progress of a run, scope by scope.
#[derive(Debug, Clone, Default)]
pub struct RunProgress {
    scopes: BTreeMap<Scope, ScopeProgress>,
}

impl RunProgress {
    /// Reads the progress of a run.
    ///
    /// # Errors
    /// Fails if the journal names a step that the plan does not have, or contains an output that this
    /// version of bakeline cannot read.
    pub fn read(plan: &Plan, lines: &[JournalLine]) -> Result<Self> {
        let steps: BTreeMap<&StepId, &Step> = plan.steps.iter().map(|s| (&s.id, s)).collect();
        let mut scopes: BTreeMap<Scope, ScopeProgress> = BTreeMap::new();
        for line in lines {
            let unreadable = |why: &str| {
                let text = format!("journal line {} of run {}: {why}", line.seq, plan.run);
                Error::input(text).hint("use the version of bakeline that started the run")
            };
            let Some(step) = steps.get(&line.step) else {
                let why = format!("the plan has no step `{}`", line.step);
                return Err(unreadable(&why));
            };
            let progress = scopes.entry(step.scope.clone()).or_default();
            progress
                .add(line)
                .map_err(|e| unreadable("the output of the step cannot be read").because(e))?;
        }
        Ok(Self { scopes })
    }

    /// Returns the progress of a scope.
    #[must_use]
    pub fn of(&self, scope: &Scope) -> ScopeProgress {
        self.scopes.get(scope).cloned().unwrap_or_default()
    }

    /// Returns the scopes of a plan with their stages.
    #[must_use]
    pub fn stages<'p>(&self, plan: &'p Plan) -> Vec<(&'p Scope, ScopeStage)> {
        let scopes = plan.scopes().into_iter();
        scopes
            .map(|(scope, _)| (scope, self.of(scope).stage(steps_of(plan, scope).len())))
            .collect()
    }

    /// Returns the times at which the steps first started.
    pub(super) fn start_times(&self) -> BTreeMap<StepId, Timestamp> {
        let started = self.scopes.values().flat_map(|scope| scope.started.clone());
        started.collect()
    }

    /// Returns the outputs of all steps that are done.
    pub(super) fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::default();
        for progress in self.scopes.values() {
            for (id, state) in &progress.states {
                if let StepState::Done(output) | StepState::Undoing(Some(output)) = state {
                    outputs.insert(id.clone(), output.clone());
                }
            }
        }
        outputs
    }
}

impl ScopeProgress {
    fn add(&mut self, line: &JournalLine) -> serde_json::Result<()> {
        let state = match line.phase {
            Phase::Started => {
                self.started.entry(line.step.clone()).or_insert(line.time);
                StepState::Begun
            }
            Phase::Succeeded => StepState::Done(serde_json::from_value(line.data.clone())?),
            Phase::Failed => {
                let text = line.data.get("error").and_then(serde_json::Value::as_str);
                self.error = Some(text.unwrap_or("no reason recorded").to_owned());
                StepState::Failed
            }
            Phase::UndoStarted | Phase::UndoFailed => {
                StepState::Undoing(self.output(&line.step).cloned())
            }
            Phase::Undone => StepState::Undone,
        };
        self.states.insert(line.step.clone(), state);
        Ok(())
    }

    /// Returns the last recorded state of a step.
    #[must_use]
    pub fn state(&self, step: &StepId) -> Option<&StepState> {
        self.states.get(step)
    }

    /// Returns the recorded output of a step that succeeded and is not undone.
    pub(super) fn output(&self, step: &StepId) -> Option<&StepOutput> {
        match self.states.get(step)? {
            StepState::Done(output) | StepState::Undoing(Some(output)) => Some(output),
            _ => None,
        }
    }

    /// Returns whether no step has begun.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Forgets a step whose effect was removed.
    pub(super) fn reset(&mut self, step: &StepId) {
        self.states.remove(step);
    }

    /// Returns the error of the failed step, if a step failed.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Returns how far the scope came. `steps` is the number of all its steps.
    #[must_use]
    pub fn stage(&self, steps: usize) -> ScopeStage {
        let states = || self.states.values();
        if self.states.is_empty() {
            ScopeStage::NotStarted
        } else if states().all(|s| *s == StepState::Undone) {
            ScopeStage::Undone
        } else if states().any(|s| !matches!(s, StepState::Begun | StepState::Done(_))) {
            ScopeStage::HalfUndone
        } else if states().all(|s| matches!(s, StepState::Done(_))) && self.states.len() == steps {
            ScopeStage::Done
        } else {
            ScopeStage::Interrupted
        }
    }
}

/// Returns the steps of a scope in order.
fn steps_of<'p>(plan: &'p Plan, scope: &Scope) -> Vec<&'p Step> {
    plan.steps.iter().filter(|s| s.scope == *scope).collect()
}

/// Goal for the unfinished scopes of an earlier attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Goal {
    /// Continue them, and start the others.
    #[default]
    Continue,
    /// Undo them, and start no others.
    Undo,
}

/// Earlier attempt of a run, and the goal of this one. The default is a run without an earlier attempt.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// Progress of the earlier attempt.
    pub progress: RunProgress,
    /// Goal.
    pub goal: Goal,
}

impl Recovery {
    /// Returns whether the earlier attempt has begun a scope.
    pub(super) fn has_begun(&self, scope: &Scope) -> bool {
        self.progress.scopes.contains_key(scope)
    }

    /// Returns the scopes that need no work, with their ends.
    pub(super) fn ended_scopes(&self, plan: &Plan) -> BTreeMap<Scope, ScopeEnd> {
        let ended = self.progress.stages(plan).into_iter();
        ended
            .filter_map(|(scope, stage)| Some((scope.clone(), self.end(plan, scope, stage)?)))
            .collect()
    }

    fn end(&self, plan: &Plan, scope: &Scope, stage: ScopeStage) -> Option<ScopeEnd> {
        let progress = self.progress.of(scope);
        let steps = steps_of(plan, scope);
        match stage {
            ScopeStage::Done => {
                let output = |s: &&Step| Some((s.id.clone(), progress.output(&s.id)?.clone()));
                let outputs = steps.iter().filter_map(output).collect();
                Some(ScopeEnd::Done { outputs })
            }
            ScopeStage::Undone => {
                let last = steps.iter().rfind(|s| progress.state(&s.id).is_some())?;
                Some(ScopeEnd::Failed {
                    step: last.id.to_string(),
                    verb: last.action.verb().to_owned(),
                    kind: ErrorKind::StepFailed,
                    error: failure_text(&progress),
                    hints: Vec::new(),
                    undone: true,
                    moved: false,
                })
            }
            ScopeStage::NotStarted if self.goal == Goal::Undo => Some(ScopeEnd::NotStarted {
                because: "the run was aborted".to_owned(),
            }),
            ScopeStage::NotStarted | ScopeStage::Interrupted | ScopeStage::HalfUndone => None,
        }
    }
}

/// Returns the error of the step that failed in the earlier attempt.
pub(super) fn failure_text(progress: &ScopeProgress) -> String {
    let error = progress.error().unwrap_or("the run was aborted");
    format!("{error} (in an earlier attempt of this run)")
}
