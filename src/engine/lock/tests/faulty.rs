//! Owns a store whose calls fail, and a clock that is wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::adapters::fake::{FakeClock, When};
use crate::model::Timestamp;
use crate::ports::{Clock, Store, StoreError, StoreErrorKind, StoreResult};

/// A store whose n-th call fails, before or after its effect.
pub(super) struct Flaky<S> {
    pub(super) inner: S,
    calls: AtomicUsize,
    fails: Mutex<Option<(usize, bool, When)>>,
}

impl<S: Store> Flaky<S> {
    pub(super) fn over(inner: S) -> Self {
        Self {
            inner,
            calls: AtomicUsize::new(0),
            fails: Mutex::new(None),
        }
    }

    /// Only the `nth` call from now fails.
    pub(super) fn fail(&self, nth: usize, when: When) {
        *self.fails.lock().expect("no panic") =
            Some((self.calls.load(Ordering::SeqCst) + nth, false, when));
    }

    /// That one and all after it.
    pub(super) fn fail_from(&self, nth: usize, when: When) {
        *self.fails.lock().expect("no panic") =
            Some((self.calls.load(Ordering::SeqCst) + nth, true, when));
    }

    pub(super) fn heal(&self) {
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
        let hit = fails
            .filter(|(nth, forever, _)| now == *nth || *forever && now > *nth)
            .map(|f| f.2);
        let error = || StoreError {
            kind: StoreErrorKind::Unreachable,
            action,
            key: key.to_owned(),
            message: "injected".to_owned(),
        };
        match hit {
            Some(When::Before) => Err(error()),
            Some(When::After) => effect.await.and(Err(error())),
            None => effect.await,
        }
    }
}

#[async_trait]
impl<S: Store> Store for Flaky<S> {
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

/// A clock that is wrong by a constant.
pub(super) struct Wrong {
    pub(super) truth: Arc<FakeClock>,
    pub(super) by: SignedDuration,
}

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        self.truth.now() + self.by
    }

    async fn sleep(&self, time: std::time::Duration) {
        self.truth.sleep(time).await;
    }
}
