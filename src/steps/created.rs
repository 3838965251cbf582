//! Remembers the resources that this run creates, because EC2 shows new resources late.
//!
//! Directly after a call that creates a resource, EC2 may answer that it does not exist, and lists may
//! omit it (EC2 API Reference, "Eventual consistency"). An undo must not take this for a clean state.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::model::{Region, Timestamp};
use crate::ports::{CloudErrorKind, CloudResult};
use crate::steps::context::Steps;
use crate::steps::poll::poll_until;

/// Time after which EC2 shows every new resource. AWS documents no limit; the waiters of its SDKs
/// stop after 30 seconds (botocore, `SecurityGroupExists`).
const VISIBLE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Longest wait for a new resource to appear. Longer than [`VISIBLE_AFTER`], because reads may fail.
const SEARCH_LIMIT: Duration = Duration::from_secs(180);

/// Resource that a call creates: its kind, its name and its location.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::steps) struct CreationKey(String);

impl CreationKey {
    /// Identifies the resource of a kind by its name in a location.
    pub(in crate::steps) fn new(
        kind: &str,
        name: &str,
        account: Option<&str>,
        region: &Region,
    ) -> Self {
        Self(format!(
            "{kind} {name} {}.{region}",
            account.unwrap_or("home")
        ))
    }
}

/// Calls of this run that created a resource, or may have.
#[derive(Debug, Default)]
pub struct Creations(Mutex<BTreeMap<CreationKey, Creation>>);

/// What is known about one created resource.
#[derive(Debug, Clone)]
struct Creation {
    id: Option<String>,
    at: Timestamp,
}

impl Creation {
    fn is_new(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < VISIBLE_AFTER
    }
}

impl Creations {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CreationKey, Creation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a created resource.
    pub(in crate::steps) fn record(&self, key: CreationKey, id: Option<String>, at: Timestamp) {
        self.lock().insert(key, Creation { id, at });
    }

    fn get(&self, key: &CreationKey) -> Option<Creation> {
        self.lock().get(key).cloned()
    }

    /// Returns the ID and the time of a recorded creation.
    pub(in crate::steps) fn recorded(&self, key: &CreationKey) -> Option<(String, Timestamp)> {
        let creation = self.get(key)?;
        Some((creation.id?, creation.at))
    }

    /// Returns whether this run created the resource so recently that EC2 may not show it yet.
    pub(in crate::steps) fn is_new(&self, id: &str, now: Timestamp) -> bool {
        let all = self.lock();
        all.values()
            .any(|creation| creation.id.as_deref() == Some(id) && creation.is_new(now))
    }
}

/// Returns whether a call may have had its effect although it returned this error.
fn has_unknown_outcome(kind: CloudErrorKind) -> bool {
    use CloudErrorKind::{Malformed, Unavailable, Unreachable};
    matches!(kind, Unreachable | Unavailable | Malformed)
}

/// Sends a call that creates a resource. Records its ID as soon as AWS answers, or that the outcome is
/// unknown.
pub(in crate::steps) async fn create<T>(
    steps: &Steps,
    key: CreationKey,
    call: impl Future<Output = CloudResult<T>>,
    id: impl Fn(&T) -> String,
) -> CloudResult<T> {
    let result = call.await;
    match &result {
        Ok(created) => steps
            .creations
            .record(key, Some(id(created)), steps.clock.now()),
        Err(error) if has_unknown_outcome(error.kind) => {
            steps.creations.record(key, None, steps.clock.now());
        }
        Err(_) => {}
    }
    result
}

/// Returns the IDs that `find` lists and the recorded ID. If the outcome of the creation is unknown,
/// searches again until EC2 would show the resource.
pub(in crate::steps) async fn find_created<F>(
    steps: &Steps,
    key: &CreationKey,
    find: impl Fn() -> F + Send + Sync,
) -> Result<BTreeSet<String>>
where
    F: Future<Output = Result<Vec<String>>> + Send,
{
    let what = format!("a read of {}", key.0);
    let never = CancellationToken::new();
    poll_until(steps, SEARCH_LIMIT, &never, &what, || async {
        let creation = steps.creations.get(key);
        let mut found: BTreeSet<String> = find().await?.into_iter().collect();
        let may_appear = creation
            .as_ref()
            .is_some_and(|c| c.id.is_none() && c.is_new(steps.clock.now()));
        found.extend(creation.and_then(|creation| creation.id));
        Ok((!found.is_empty() || !may_appear).then_some(found))
    })
    .await
}

/// Repeats a deletion until EC2 confirms it. `delete` returns false if the resource does not exist.
/// For a new resource this counts only when EC2 would show it. A resource in use is deleted as soon as
/// it is free.
pub(in crate::steps) async fn delete_created<F>(
    steps: &Steps,
    id: &str,
    limit: Duration,
    what: &str,
    delete: impl Fn() -> F + Send + Sync,
) -> Result<()>
where
    F: Future<Output = CloudResult<bool>> + Send,
{
    let never = CancellationToken::new();
    poll_until(steps, limit, &never, what, || async {
        match delete().await {
            Ok(true) => Ok(Some(())),
            Ok(false) => Ok((!steps.creations.is_new(id, steps.clock.now())).then_some(())),
            Err(error) if error.kind == CloudErrorKind::InUse => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// Repeats an idempotent call while EC2 answers that a new resource in its request does not exist, or
/// after a transient error.
pub(in crate::steps) async fn use_created<T, F>(
    steps: &Steps,
    ids: &[&str],
    cancel: &CancellationToken,
    what: &str,
    call: impl Fn() -> F + Send + Sync,
) -> Result<T>
where
    T: Send,
    F: Future<Output = CloudResult<T>> + Send,
{
    poll_until(steps, SEARCH_LIMIT, cancel, what, || async {
        match call().await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind == CloudErrorKind::NotFound => {
                let now = steps.clock.now();
                if ids.iter().any(|id| steps.creations.is_new(id, now)) {
                    return Ok(None);
                }
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}
