//! Implements the states, recorded calls, faults and invariant checks of the fake cloud.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::outage::ActiveOutage;
use super::state::{ACCOUNT, FakeCloudState};
use super::{Call, Fault, FaultTiming, Outage, Pace};
use crate::model::Region;
use crate::ports::{Clock as _, CloudError, CloudErrorKind, CloudResult};

/// Returns a description of a violated invariant, if there is one.
pub(super) type InvariantCheck = Box<dyn Fn(&FakeCloudState) -> Option<String> + Send>;

#[derive(Default)]
pub(super) struct Inner {
    state: FakeCloudState,
    elsewhere: BTreeMap<(String, Region), FakeCloudState>,
    calls: Vec<Call>,
    faults: Vec<(Fault, usize)>,
    outage: Option<ActiveOutage>,
    check: Option<InvariantCheck>,
    violations: Vec<String>,
    halt: Option<(usize, Arc<tokio::sync::Notify>)>,
    pub(super) pace: Option<Pace>,
}

impl Inner {
    /// Returns the state of a Region of an account: a separate state if the test created one, or the
    /// default state.
    pub(super) fn state_of(&mut self, account: &str, region: &Region) -> &mut FakeCloudState {
        match self
            .elsewhere
            .get_mut(&(account.to_owned(), region.clone()))
        {
            Some(state) => state,
            None => &mut self.state,
        }
    }
}

/// A cloud in memory, as one account sees it.
#[derive(Default)]
pub struct FakeCloud {
    pub(super) inner: Arc<Mutex<Inner>>,
    pub(super) account: Option<String>,
}

impl FakeCloud {
    /// Adds a separate state for a Region of an account.
    pub fn open(&self, account: &str, region: &Region, mut state: FakeCloudState) {
        let mut inner = self.inner.lock().expect("no panic");
        // IDs are unique in all Regions and accounts.
        state.given = state
            .given
            .max((u32::try_from(inner.elsewhere.len()).unwrap_or(0) + 1) * 0x0100_0000);
        inner
            .elsewhere
            .insert((account.to_owned(), region.clone()), state);
    }

    /// Returns the same cloud as another account sees it.
    #[must_use]
    pub fn for_account(&self, account: &str) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            account: Some(account.to_owned()),
        }
    }

    /// Reads or changes the state of a location without a recorded call.
    pub fn state_at<T>(
        &self,
        account: &str,
        region: &Region,
        act: impl FnOnce(&mut FakeCloudState) -> T,
    ) -> T {
        act(self
            .inner
            .lock()
            .expect("no panic")
            .state_of(account, region))
    }

    /// Returns the states of all locations with a separate state.
    #[must_use]
    pub fn elsewhere(&self) -> BTreeMap<(String, Region), FakeCloudState> {
        self.inner.lock().expect("no panic").elsewhere.clone()
    }

    pub(super) fn account(&self) -> &str {
        self.account.as_deref().unwrap_or(ACCOUNT)
    }

    /// Reads or changes the default state without a recorded call.
    pub fn state<T>(&self, act: impl FnOnce(&mut FakeCloudState) -> T) -> T {
        act(&mut self.inner.lock().expect("no panic").state)
    }

    /// Applies the rates and durations of AWS from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.inner.lock().expect("no panic").pace = Some(pace);
    }

    /// Injects an error.
    pub fn fail(&self, fault: Fault) {
        self.inner.lock().expect("no panic").faults.push((fault, 0));
    }

    /// Starts an outage.
    pub fn fail_for(&self, outage: Outage) {
        self.inner.lock().expect("no panic").outage = Some(ActiveOutage::new(outage));
    }

    /// Returns the number of calls that failed because of the outage.
    #[must_use]
    pub fn failed_calls(&self) -> usize {
        let inner = self.inner.lock().expect("no panic");
        inner.outage.as_ref().map_or(0, ActiveOutage::failed)
    }

    /// Blocks the `nth` call and all later ones, as for a killed process. The returned signal fires
    /// at the first blocked call.
    pub fn halt_before(&self, nth: usize) -> Arc<tokio::sync::Notify> {
        let mut inner = self.inner.lock().expect("no panic");
        let halted = Arc::new(tokio::sync::Notify::new());
        inner.halt = Some((inner.calls.len() + nth, Arc::clone(&halted)));
        halted
    }

    /// Checks an invariant after every call that changes something.
    pub fn watch(&self, check: impl Fn(&FakeCloudState) -> Option<String> + Send + 'static) {
        self.inner.lock().expect("no panic").check = Some(Box::new(check));
    }

    /// Returns the violations of the invariant.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.inner.lock().expect("no panic").violations.clone()
    }

    /// Returns the recorded calls.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.inner.lock().expect("no panic").calls.clone()
    }

    pub(super) async fn call<T>(
        &self,
        (action, about, changes): (&'static str, &str, bool),
        region: &Region,
        act: impl FnOnce(&mut FakeCloudState) -> Result<T, (CloudErrorKind, String)> + Send,
    ) -> CloudResult<T> {
        // A real call yields to other tasks.
        tokio::task::yield_now().await;
        let wait = {
            let mut inner = self.inner.lock().expect("no panic");
            let pace = inner.pace.as_mut();
            pace.map(|pace| {
                let wait = pace.take(self.account(), region, action);
                (Arc::clone(&pace.clock), wait)
            })
        };
        if let Some((clock, wait)) = wait.filter(|(_, wait)| !wait.is_zero()) {
            clock.sleep(wait).await;
        }
        let halted = {
            let inner = self.inner.lock().expect("no panic");
            inner
                .halt
                .as_ref()
                .filter(|(at, _)| inner.calls.len() + 1 >= *at)
                .map(|(_, signal)| Arc::clone(signal))
        };
        if let Some(signal) = halted {
            signal.notify_one();
            return std::future::pending().await;
        }
        let outage = {
            let mut inner = self.inner.lock().expect("no panic");
            let active = inner.outage.as_mut();
            active.and_then(|active| active.fails(action).then(|| active.outage.clone()))
        };
        if let Some(outage) = &outage {
            outage.clock.sleep(outage.takes).await;
        }
        let mut inner = self.inner.lock().expect("no panic");
        inner.calls.push(Call {
            action,
            about: about.to_owned(),
            changes,
        });
        let mut injected = outage.map(|outage| (outage.when, outage.kind));
        for (fault, count) in &mut inner.faults {
            let matches = fault.action.is_none_or(|a| a == action)
                && fault.about.as_deref().is_none_or(|a| a == about);
            *count += usize::from(matches);
            if matches && (*count == fault.nth || fault.forever && *count > fault.nth) {
                injected = Some((fault.when, fault.kind));
            }
        }
        let error = |kind, message: String| CloudError {
            kind,
            action,
            region: region.to_string(),
            message,
        };
        if let Some((FaultTiming::Before, kind)) = injected {
            return Err(error(kind, "injected before the effect".to_owned()));
        }
        let result = act(inner.state_of(self.account(), region));
        let check = inner.check.as_ref().filter(|_| changes);
        let violation = check.and_then(|check| check(&inner.state));
        inner
            .violations
            .extend(violation.map(|v| format!("after {action} {about}: {v}")));
        match injected {
            Some((_, kind)) => Err(error(kind, "injected after the effect".to_owned())),
            None => result.map_err(|(kind, message)| error(kind, message)),
        }
    }
}
