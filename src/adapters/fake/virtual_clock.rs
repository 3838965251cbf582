//! Implements a clock in virtual time: it moves on when all tasks of a runtime wait.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::model::Timestamp;
use crate::ports::Clock;

/// Turns of all tasks without a new wait after which the tasks count as waiting. A task needs a few
/// turns from one call to the next.
const IDLE_TURNS: u32 = 16;

/// Waits that end within this time end together.
const STEP: Duration = Duration::from_millis(50);

/// Clock of the tasks of a single-threaded runtime.
pub struct VirtualClock {
    start: Timestamp,
    state: Mutex<ClockState>,
}

#[derive(Default)]
struct ClockState {
    elapsed: Duration,
    /// Waits by their ends and a number.
    waits: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    started: u64,
}

impl VirtualClock {
    /// Creates a clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            start,
            state: Mutex::default(),
        }
    }

    /// Returns the virtual time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.state.lock().expect("no panic").elapsed
    }

    /// Runs a future. Moves the time on whenever all tasks wait.
    pub async fn drive<F: Future>(&self, future: F) -> F::Output {
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                output = &mut future => return output,
                () = self.wait_for_idle_tasks() => self.advance(),
            }
        }
    }

    async fn wait_for_idle_tasks(&self) {
        let started = || self.state.lock().expect("no panic").started;
        let (mut seen, mut idle) = (started(), 0);
        while idle < IDLE_TURNS {
            tokio::task::yield_now().await;
            let now = started();
            idle = if now == seen { idle + 1 } else { 0 };
            seen = now;
        }
    }

    /// Moves the time to the end of the next wait.
    fn advance(&self) {
        let mut state = self.state.lock().expect("no panic");
        let Some((&(end, _), _)) = state.waits.first_key_value() else {
            return;
        };
        let until = end + STEP;
        state.elapsed = state.elapsed.max(until);
        let later = state.waits.split_off(&(until, u64::MAX));
        for wait in std::mem::replace(&mut state.waits, later).into_values() {
            // A cancelled wait has no receiver.
            let _sent = wait.send(());
        }
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.start + self.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.state.lock().expect("no panic");
            state.started += 1;
            let key = (state.elapsed + time, state.started);
            state.waits.insert(key, sender);
        }
        let _ended = receiver.await;
    }
}
