//! Owns running a plan: scopes in parallel where the DAG allows, each step probed, journalled, cancellable, undone on failure.

pub mod event;
pub mod fence;
pub mod journal;
pub mod lock;
pub mod mirror;
pub mod outcome;
mod scope;
#[cfg(test)]
mod tests;
pub mod unfinished;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalog::OnFailure;
use crate::error::Result;
use crate::plan::{Plan, Step, StepId};
use crate::ports::{Clock, Journal};
use event::{Event, Listener};
use journal::Recorder;
use outcome::{Outcome, ScopeEnd};

/// What the steps before have made, by step.
pub type Outputs = BTreeMap<StepId, Value>;

/// What a step's effects may use while they run.
pub struct StepContext<'e> {
    /// The outputs of the steps before.
    pub outputs: Outputs,
    /// Ends the step early; the step then cleans up what it can and fails.
    pub cancel: CancellationToken,
    /// Says what goes on within the step.
    pub note: &'e (dyn Fn(&str) + Send + Sync),
}

/// The effects behind the steps. Every method is idempotent.
#[async_trait]
pub trait Effects: Send + Sync {
    /// The output, when the step's effect is there already.
    async fn probe(&self, step: &Step, context: &StepContext<'_>) -> Result<Option<Value>>;
    /// Brings the effect about.
    async fn perform(&self, step: &Step, context: &StepContext<'_>) -> Result<Value>;
    /// Leaves what a failed scope has instead of taking it back: one line for people about each thing, and how to get in.
    async fn keep(&self, _scope: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    /// Takes it back, also when it was only half done (`output` is then absent).
    async fn undo(
        &self,
        step: &Step,
        output: Option<&Value>,
        context: &StepContext<'_>,
    ) -> Result<()>;
    /// Why nothing may be changed any more, not even back: the run lost its lock.
    fn lost(&self) -> Option<String> {
        None
    }
    /// Waits until that is so.
    async fn until_lost(&self) {
        std::future::pending().await
    }
}

/// How to run a plan.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many scopes run at the same time.
    pub jobs: usize,
    /// What a failed scope does to the others.
    pub on_failure: OnFailure,
    /// Whether what fails is left for a person to look at.
    pub keep_failed: bool,
    /// The user's wish to stop.
    pub interrupt: CancellationToken,
}

/// Everything a run needs from outside.
#[derive(Clone)]
pub struct Engine {
    /// The effects.
    pub effects: Arc<dyn Effects>,
    /// The record.
    pub journal: Arc<dyn Journal>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who hears of events.
    pub listener: Arc<dyn Listener>,
}

/// What the tasks of one run share.
struct Shared {
    engine: Engine,
    recorder: Mutex<Recorder>,
    outputs: Mutex<Outputs>,
    cancel: CancellationToken,
    keep_failed: bool,
}

impl Engine {
    /// Runs a plan to its end, whatever the end is.
    pub async fn run(&self, plan: &Plan, options: &Options) -> Outcome {
        let started = self.clock.now();
        let shared = Arc::new(Shared {
            engine: self.clone(),
            recorder: Mutex::new(Recorder::default()),
            outputs: Mutex::new(Outputs::new()),
            cancel: CancellationToken::new(),
            keep_failed: options.keep_failed,
        });
        self.listener.hear(&Event::RunStarted {
            run: plan.run.clone(),
            scopes: plan.scopes().len(),
        });
        let ends = self.walk(plan, options, &shared).await;
        let interrupted = options.interrupt.is_cancelled();
        let outcome = Outcome {
            run: plan.run.clone(),
            started,
            ended: self.clock.now(),
            interrupted,
            scopes: ends,
        };
        self.listener.hear(&Event::RunFinished {
            outcome: outcome.clone(),
        });
        outcome
    }

    async fn walk(
        &self,
        plan: &Plan,
        options: &Options,
        shared: &Arc<Shared>,
    ) -> BTreeMap<String, ScopeEnd> {
        let permits = Arc::new(Semaphore::new(options.jobs.max(1)));
        let mut waiting: Vec<(String, Vec<String>)> = plan
            .scopes()
            .into_iter()
            .map(|(scope, needs)| {
                (
                    scope.to_owned(),
                    needs.into_iter().map(str::to_owned).collect(),
                )
            })
            .collect();
        let mut ends: BTreeMap<String, ScopeEnd> = BTreeMap::new();
        let mut running = Running::default();
        loop {
            if options.interrupt.is_cancelled() {
                shared.cancel.cancel();
            }
            start_ready(
                &mut waiting,
                &mut ends,
                &mut running,
                plan,
                shared,
                &permits,
            );
            tokio::select! {
                ended = running.next() => match ended {
                    None => break,
                    Some((scope, end)) => {
                        if end.is_failure() && options.on_failure == OnFailure::Stop && !Plan::is_replica_scope(&scope) {
                            shared.cancel.cancel();
                        }
                        self.listener.hear(&Event::ScopeFinished { scope: scope.clone(), end: end.clone() });
                        ends.insert(scope, end);
                    }
                },
                () = options.interrupt.cancelled(), if !shared.cancel.is_cancelled() => shared.cancel.cancel(),
                () = self.effects.until_lost(), if !shared.cancel.is_cancelled() => shared.cancel.cancel(),
            }
        }
        ends
    }
}

/// The scopes that run; names are kept beside the tasks, because a task that panics can't say its own.
#[derive(Default)]
struct Running {
    tasks: JoinSet<ScopeEnd>,
    names: BTreeMap<String, tokio::task::Id>,
}

impl Running {
    fn start(&mut self, name: String, task: impl Future<Output = ScopeEnd> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(name, id);
    }

    async fn next(&mut self) -> Option<(String, ScopeEnd)> {
        let (id, end) = match self.tasks.join_next_with_id().await? {
            Ok(ended) => ended,
            Err(e) => (e.id(), ScopeEnd::panicked(&e.to_string())),
        };
        let name = self
            .names
            .iter()
            .find(|(_, known)| **known == id)
            .map_or_else(|| "?".to_owned(), |(name, _)| name.clone());
        self.names.remove(&name);
        Some((name, end))
    }
}

/// Starts every waiting scope whose needs are done; gives up those whose needs failed or that a cancel keeps back.
fn start_ready(
    waiting: &mut Vec<(String, Vec<String>)>,
    ends: &mut BTreeMap<String, ScopeEnd>,
    running: &mut Running,
    plan: &Plan,
    shared: &Arc<Shared>,
    permits: &Arc<Semaphore>,
) {
    let mut changed = true;
    while changed {
        changed = false;
        let mut still = Vec::new();
        for (name, needs) in waiting.drain(..) {
            let blocker = needs
                .iter()
                .find(|n| ends.get(*n).is_some_and(|e| !e.is_done()));
            if let Some(blocker) = blocker {
                ends.insert(
                    name,
                    ScopeEnd::NotStarted {
                        because: format!("`{blocker}` did not succeed"),
                    },
                );
                changed = true;
            } else if shared.cancel.is_cancelled() {
                ends.insert(
                    name,
                    ScopeEnd::NotStarted {
                        because: "the line was stopped".to_owned(),
                    },
                );
                changed = true;
            } else if needs.iter().all(|n| ends.contains_key(n)) {
                let steps: Vec<Step> = plan
                    .steps
                    .iter()
                    .filter(|s| s.scope == name)
                    .cloned()
                    .collect();
                let (shared, permits) = (Arc::clone(shared), Arc::clone(permits));
                running.start(
                    name,
                    async move { scope::run(&shared, &steps, &permits).await },
                );
            } else {
                still.push((name, needs));
            }
        }
        *waiting = still;
    }
}

/// Rounds to milliseconds, which is all a reader wants.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
