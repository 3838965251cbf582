//! Provides a store whose calls fail and a clock with an offset.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::adapters::fake::{FakeClock, FaultTiming};
use crate::model::Timestamp;
use crate::ports::{Clock, Store, StoreError, StoreErrorKind, StoreResult};

/// Store whose n-th call fails, before or after its effect.
pub(super) struct FlakyStore<S> {
    pub(super) inner: S,
    calls: AtomicUsize,
    fails: Mutex<Option<(usize, bool, FaultTiming)>>,
}

impl<S: Store> FlakyStore<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            calls: AtomicUsize::new(0),
            fails: Mutex::new(None),
        }
    }

    /// Fails only the `nth` call from now.
    pub(super) fn fail(&self, nth: usize, when: FaultTiming) {
        *self.fails.lock().expect("no panic") =
            Some((self.calls.load(Ordering::SeqCst) + nth, false, when));
    }

    /// Fails the `nth` call from now and all later calls.
    pub(super) fn fail_from(&self, nth: usize, when: FaultTiming) {
        *self.fails.lock().expect("no panic") =
            Some((self.calls.load(Ordering::SeqCst) + nth, true, when));
    }

    pub(super) fn clear_faults(&self) {
        *self.fails.lock().expect("no panic") = None;
    }

    async fn call<T>(
        &self,
        action: &'static str,
        key: &str,
        effect: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let now = self.calls.fetch_add(1, Ordering::SeqCst);
        let fails = *self.fails.lock().expect("no panic");
        let fault = fails
            .filter(|(nth, forever, _)| now == *nth || *forever && now > *nth)
            .map(|f| f.2);
        let error = || StoreError {
            kind: StoreErrorKind::Unreachable,
            action,
            key: key.to_owned(),
            message: "injected".to_owned(),
        };
        match fault {
            Some(FaultTiming::Before) => Err(error()),
            Some(FaultTiming::After) => effect.await.and(Err(error())),
            None => effect.await,
        }
    }
}

#[async_trait]
impl<S: Store> Store for FlakyStore<S> {
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        self.call("read", key, self.inner.get(key)).await
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        self.call("write", key, self.inner.put(key, content)).await
    }

    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool> {
        self.call("create", key, self.inner.create(key, content))
            .await
    }

    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.call("list", prefix, self.inner.list(prefix)).await
    }

    async fn delete(&self, key: &str) -> StoreResult<()> {
        self.call("delete", key, self.inner.delete(key)).await
    }

    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}

/// Clock with a constant offset.
pub(super) struct SkewedClock {
    pub(super) real: Arc<FakeClock>,
    pub(super) offset: SignedDuration,
}

#[async_trait]
impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.real.now() + self.offset
    }

    async fn sleep(&self, time: std::time::Duration) {
        self.real.sleep(time).await;
    }
}
