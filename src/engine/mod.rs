//! Runs a plan.
//!
//! Scopes run in parallel where the graph allows it. Each step is probed, journaled, cancellable,
//! and undone when its scope fails.

mod context;
pub mod event;
pub mod journal;
mod keep;
pub mod lock;
pub mod mirror;
pub mod outcome;
mod output;
pub mod recovery;
mod resume;
mod scope;
#[cfg(test)]
mod tests;
mod undo;
pub mod unfinished;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::catalog::OnFailure;
use crate::plan::{Plan, Scope, Step};
use context::Shared;
pub use context::{Effects, Engine, StepContext};
use event::Event;
use journal::{JournalLine, Recorder};
use outcome::{Outcome, ScopeEnd};
pub use output::{MovedAmi, Outputs, StepOutput};
pub use recovery::{Goal, Recovery};

/// Options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Largest number of scopes that run at the same time, except those of further locations.
    pub jobs: usize,
    /// Largest number of scopes of further locations that run at the same time. They wait for EC2
    /// most of the time.
    pub location_jobs: usize,
    /// Effect of a failed scope on the other scopes.
    pub on_failure: OnFailure,
    /// True to keep failed resources for inspection.
    pub keep_failed: bool,
    /// Total time for which a scope repeats undos that fail with transient errors.
    pub undo_patience: Duration,
    /// Token that is cancelled when the user interrupts the run.
    pub interrupt: CancellationToken,
}

impl Engine {
    /// Runs a plan until every scope has ended.
    pub async fn run(&self, plan: &Plan, options: &Options) -> Outcome {
        self.run_after(&[], Recovery::default(), plan, options)
            .await
    }

    /// Continues a run, or undoes its unfinished scopes, until every scope has ended. `lines` is the
    /// journal up to now.
    pub async fn run_after(
        &self,
        lines: &[JournalLine],
        recovery: Recovery,
        plan: &Plan,
        options: &Options,
    ) -> Outcome {
        let started = self.clock.now();
        let shared = Arc::new(Shared {
            engine: self.clone(),
            recorder: Mutex::new(Recorder::continue_after(lines)),
            outputs: Mutex::new(recovery.progress.outputs()),
            started: Mutex::new(recovery.progress.start_times()),
            cancel: CancellationToken::new(),
            keep_failed: options.keep_failed,
            undo_patience: options.undo_patience,
            recovery,
        });
        self.events.on_event(&Event::RunStarted {
            run: plan.run.clone(),
            scopes: plan.scopes().len(),
        });
        let (ends, stopped_by) = self.run_scopes(plan, options, &shared).await;
        let interrupted = options.interrupt.is_cancelled();
        let outcome = Outcome {
            run: plan.run.clone(),
            started,
            ended: self.clock.now(),
            interrupted,
            lock_lost: self.effects.lock_loss().is_some(),
            stopped_by,
            scopes: ends,
        };
        self.events.on_event(&Event::RunFinished {
            outcome: outcome.clone(),
        });
        outcome
    }

    /// Returns the end of each scope, and the scope whose failure cancelled the others.
    async fn run_scopes(
        &self,
        plan: &Plan,
        options: &Options,
        shared: &Arc<Shared>,
    ) -> (BTreeMap<Scope, ScopeEnd>, Option<Scope>) {
        let permits = Permits {
            scopes: Arc::new(Semaphore::new(options.jobs.max(1))),
            locations: Arc::new(Semaphore::new(options.location_jobs.max(1))),
        };
        let mut waiting: Vec<(Scope, Vec<Scope>)> = plan
            .scopes()
            .into_iter()
            .map(|(scope, needs)| (scope.clone(), needs.into_iter().cloned().collect()))
            .collect();
        let mut ends = shared.recovery.ended_scopes(plan);
        waiting.retain(|(scope, _)| !ends.contains_key(scope));
        let mut running = Running::default();
        let mut stopped_by = None;
        loop {
            if options.interrupt.is_cancelled() {
                shared.cancel.cancel();
            }
            start_ready(&mut waiting, &mut ends, &running, plan, shared, &permits);
            let (cancel, effects) = (&shared.cancel, &self.effects);
            tokio::select! {
                ended = running.next() => {
                    let Some((scope, end)) = ended else { break };
                    let stops = options.on_failure == OnFailure::Stop && !scope.is_replica();
                    if end.is_failure() && stops && !cancel.is_cancelled() {
                        cancel.cancel();
                        stopped_by = Some(scope.clone());
                    }
                    self.events.on_event(&Event::ScopeFinished {
                        scope: scope.clone(),
                        end: end.clone(),
                    });
                    ends.insert(scope, end);
                }
                () = options.interrupt.cancelled(), if !cancel.is_cancelled() => cancel.cancel(),
                () = effects.wait_for_lock_loss(), if !cancel.is_cancelled() => cancel.cancel(),
            }
        }
        (ends, stopped_by)
    }
}

/// Permits that limit the number of running scopes.
struct Permits {
    scopes: Arc<Semaphore>,
    locations: Arc<Semaphore>,
}

impl Permits {
    fn of(&self, scope: &Scope) -> Arc<Semaphore> {
        Arc::clone(if scope.is_replica() {
            &self.locations
        } else {
            &self.scopes
        })
    }
}

/// Running scopes. A task that panics still reports its scope.
#[derive(Default)]
struct Running(FuturesUnordered<BoxFuture<'static, (Scope, ScopeEnd)>>);

impl Running {
    fn start(&self, scope: Scope, task: impl Future<Output = ScopeEnd> + Send + 'static) {
        let task = tokio::spawn(task);
        self.0.push(Box::pin(async move {
            let end = task.await;
            (
                scope,
                end.unwrap_or_else(|e| ScopeEnd::from_panic(&e.to_string())),
            )
        }));
    }

    async fn next(&mut self) -> Option<(Scope, ScopeEnd)> {
        self.0.next().await
    }
}

/// Starts every waiting scope whose dependencies are done. Skips those whose dependencies failed,
/// and all of them after a cancellation.
fn start_ready(
    waiting: &mut Vec<(Scope, Vec<Scope>)>,
    ends: &mut BTreeMap<Scope, ScopeEnd>,
    running: &Running,
    plan: &Plan,
    shared: &Arc<Shared>,
    permits: &Permits,
) {
    let mut changed = true;
    while changed {
        changed = false;
        let mut still = Vec::new();
        for (scope, needs) in waiting.drain(..) {
            let blocker = needs
                .iter()
                .find(|n| ends.get(*n).is_some_and(|e| !e.is_done()));
            if let Some(blocker) = blocker {
                ends.insert(
                    scope,
                    ScopeEnd::NotStarted {
                        because: format!("`{blocker}` did not succeed"),
                    },
                );
                changed = true;
            } else if shared.cancel.is_cancelled() && !shared.recovery.has_begun(&scope) {
                ends.insert(
                    scope,
                    ScopeEnd::NotStarted {
                        because: "skipped: the run was cancelled".to_owned(),
                    },
                );
                changed = true;
            } else if needs.iter().all(|n| ends.contains_key(n)) {
                let steps: Vec<Step> = plan
                    .steps
                    .iter()
                    .filter(|s| s.scope == scope)
                    .cloned()
                    .collect();
                let (shared, permits) = (Arc::clone(shared), permits.of(&scope));
                running.start(scope, async move {
                    scope::run_scope(&shared, &steps, &permits).await
                });
            } else {
                still.push((scope, needs));
            }
        }
        *waiting = still;
    }
}
