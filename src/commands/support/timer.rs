//! Measures the duration of the steps of each scope, without waiting times.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::event::{Event, EventSink};
use crate::plan::Scope;

/// Sums the durations of steps by scope.
#[derive(Default)]
pub(crate) struct ScopeTimer(Mutex<BTreeMap<Scope, Duration>>);

impl ScopeTimer {
    /// Returns the seconds by scope, rounded up.
    pub(crate) fn seconds(&self) -> BTreeMap<Scope, u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|(scope, time)| {
                (
                    scope.clone(),
                    time.as_millis().div_ceil(1000).try_into().unwrap_or(0),
                )
            })
            .collect()
    }
}

impl EventSink for ScopeTimer {
    fn on_event(&self, event: &Event) {
        if let Event::StepSucceeded { scope, elapsed, .. } = event {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry(scope.clone()).or_default() += *elapsed;
        }
    }
}
