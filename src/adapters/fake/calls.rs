//! Owns the machinery behind the fake cloud: states by location, recorded calls, faults, halts, and the watch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::state::{ACCOUNT, FakeCloudState};
use super::{Call, Fault, When};
use crate::model::Region;
use crate::ports::{CloudError, CloudErrorKind, CloudResult};

/// Says what is wrong with a state, if anything.
pub(super) type Watch = Box<dyn Fn(&FakeCloudState) -> Option<String> + Send>;

#[derive(Default)]
pub(super) struct Inner {
    state: FakeCloudState,
    elsewhere: BTreeMap<(String, Region), FakeCloudState>,
    calls: Vec<Call>,
    faults: Vec<(Fault, usize)>,
    watch: Option<Watch>,
    seen: Vec<String>,
    halt: Option<(usize, Arc<tokio::sync::Notify>)>,
}

impl Inner {
    /// What is in a Region of an account: the state of tests is our account's, whatever Region is asked, unless that
    /// Region has a state of its own.
    pub(super) fn at(&mut self, account: &str, region: &Region) -> &mut FakeCloudState {
        match self
            .elsewhere
            .get_mut(&(account.to_owned(), region.clone()))
        {
            Some(state) => state,
            None => &mut self.state,
        }
    }
}

/// A cloud in memory, seen from one account.
#[derive(Default)]
pub struct FakeCloud {
    pub(super) inner: Arc<Mutex<Inner>>,
    pub(super) account: Option<String>,
}

impl FakeCloud {
    /// Gives a Region of an account a state of its own.
    pub fn open(&self, account: &str, region: &Region, mut state: FakeCloudState) {
        let mut inner = self.inner.lock().expect("no panic");
        // Ids are unique over all Regions and accounts.
        state.given = state
            .given
            .max((u32::try_from(inner.elsewhere.len()).unwrap_or(0) + 1) * 0x0100_0000);
        inner
            .elsewhere
            .insert((account.to_owned(), region.clone()), state);
    }

    /// The same cloud, seen from another account.
    #[must_use]
    pub fn seen_from(&self, account: &str) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            account: Some(account.to_owned()),
        }
    }

    /// Reads or changes the state of another location, without a call.
    pub fn state_at<T>(
        &self,
        account: &str,
        region: &Region,
        act: impl FnOnce(&mut FakeCloudState) -> T,
    ) -> T {
        act(self.inner.lock().expect("no panic").at(account, region))
    }

    /// The states of other locations.
    #[must_use]
    pub fn elsewhere(&self) -> BTreeMap<(String, Region), FakeCloudState> {
        self.inner.lock().expect("no panic").elsewhere.clone()
    }

    pub(super) fn account(&self) -> &str {
        self.account.as_deref().unwrap_or(ACCOUNT)
    }

    /// Reads or changes the state, without a call.
    pub fn state<T>(&self, act: impl FnOnce(&mut FakeCloudState) -> T) -> T {
        act(&mut self.inner.lock().expect("no panic").state)
    }

    /// Arranges an error.
    pub fn fail(&self, fault: Fault) {
        self.inner.lock().expect("no panic").faults.push((fault, 0));
    }

    /// From the `nth` call on nothing answers any more, as for a process that was killed; says when it is there.
    pub fn halt_before(&self, nth: usize) -> Arc<tokio::sync::Notify> {
        let mut inner = self.inner.lock().expect("no panic");
        let said = Arc::new(tokio::sync::Notify::new());
        inner.halt = Some((inner.calls.len() + nth, Arc::clone(&said)));
        said
    }

    /// Looks at the state after every call.
    pub fn watch(&self, watch: impl Fn(&FakeCloudState) -> Option<String> + Send + 'static) {
        self.inner.lock().expect("no panic").watch = Some(Box::new(watch));
    }

    /// What the watch has said.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.inner.lock().expect("no panic").seen.clone()
    }

    /// The calls made so far.
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
        // A real call gives others their turn.
        tokio::task::yield_now().await;
        let halted = {
            let inner = self.inner.lock().expect("no panic");
            inner
                .halt
                .as_ref()
                .filter(|(at, _)| inner.calls.len() + 1 >= *at)
                .map(|(_, said)| Arc::clone(said))
        };
        if let Some(said) = halted {
            said.notify_one();
            return std::future::pending().await;
        }
        let mut inner = self.inner.lock().expect("no panic");
        inner.calls.push(Call {
            action,
            about: about.to_owned(),
            changes,
        });
        let mut injected = None;
        for (fault, count) in &mut inner.faults {
            let meant = fault.action.is_none_or(|a| a == action)
                && fault.about.as_deref().is_none_or(|a| a == about);
            *count += usize::from(meant);
            if meant && (*count == fault.nth || fault.forever && *count > fault.nth) {
                injected = Some((fault.when, fault.kind));
            }
        }
        let error = |kind, message: String| CloudError {
            kind,
            action,
            region: region.to_string(),
            message,
        };
        if let Some((When::Before, kind)) = injected {
            return Err(error(kind, "injected before the effect".to_owned()));
        }
        let result = act(inner.at(self.account(), region));
        let said = inner.watch.as_ref().and_then(|watch| watch(&inner.state));
        inner
            .seen
            .extend(said.map(|s| format!("after {action} {about}: {s}")));
        match injected {
            Some((_, kind)) => Err(error(kind, "injected after the effect".to_owned())),
            None => result.map_err(|(kind, message)| error(kind, message)),
        }
    }
}
