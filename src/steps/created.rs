//! Creates, finds and deletes the resources of a run although EC2 shows new resources late.
//!
//! Directly after a call that creates a resource, EC2 may answer that it does not exist, and lists may
//! omit it (EC2 API Reference, "Eventual consistency"). An undo must not take this for a clean state.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::ports::{CloudErrorKind, CloudResult};
use crate::steps::context::Steps;
use crate::steps::creations::CreationKey;
use crate::steps::poll::poll_until;

/// Longest wait for a new resource to appear. Longer than EC2's delay, because reads may fail.
const SEARCH_LIMIT: Duration = Duration::from_secs(180);

/// Longest time for which a call that uses a new resource is repeated. The SDK has repeated it before.
const USE_LIMIT: Duration = Duration::from_secs(90);

/// Time after which a resource that a list has shown counts as missing. EC2 may answer for some seconds
/// that a resource does not exist although it does.
const MISSING_AFTER: SignedDuration = SignedDuration::from_secs(30);

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
            Err(error) if error.kind == CloudErrorKind::InUse => {
                Err(Error::from(error).transient())
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// Repeats a deletion of a resource that a list has shown. Answers that it does not exist count only
/// after some time. A resource in use is deleted as soon as it is free.
pub(in crate::steps) async fn delete_listed<F>(
    steps: &Steps,
    limit: Duration,
    what: &str,
    delete: impl Fn() -> F + Send + Sync,
) -> Result<()>
where
    F: Future<Output = CloudResult<bool>> + Send,
{
    let (never, begun) = (CancellationToken::new(), steps.clock.now());
    poll_until(steps, limit, &never, what, || async {
        match delete().await {
            Ok(existed) => Ok((existed || is_missing(steps, begun)).then_some(())),
            Err(error) if error.kind == CloudErrorKind::InUse => {
                Err(Error::from(error).transient())
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// Returns whether a listed resource counts as missing, if EC2 has answered so since `begun`.
pub(in crate::steps) fn is_missing(steps: &Steps, begun: Timestamp) -> bool {
    steps.clock.now().duration_since(begun) >= MISSING_AFTER
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
    poll_until(steps, USE_LIMIT, cancel, what, || async {
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
