//! Waits for a slot for a copy, and reads the pending copies of a location with one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::location_copies::LastRead;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Ami, AmiId};
use crate::plan::Step;
use crate::ports::{CloudErrorKind, ImageQuery};
use crate::steps::context::Steps;

/// Values of a filter per call (EC2 API Reference, DescribeImages).
const IDS_PER_CALL: usize = 200;

/// Waits until a further copy to the location can start. The slot is free again when the permit is
/// dropped.
pub(super) async fn wait_for_slot(
    steps: &Steps,
    step: &Step,
    cancel: &CancellationToken,
) -> Result<OwnedSemaphorePermit> {
    let slots = Arc::clone(&steps.copies.at(step).slots);
    let interrupted = || {
        Error::new(
            ErrorKind::Interrupted,
            "cancelled while waiting for other copies",
        )
    };
    tokio::select! {
        permit = slots.acquire_owned() => permit.map_err(|_closed| interrupted()),
        () = cancel.cancelled() => Err(interrupted()),
    }
}

/// Returns a copy, if EC2 shows it. All copies of the location that are polled share the reads.
pub(super) async fn read_copy(steps: &Steps, step: &Step, id: &AmiId) -> Result<Option<Ami>> {
    let copies = steps.copies.at(step);
    // Held during the call, so that the other copies wait for its result.
    let mut reads = copies.reads.lock().await;
    reads.pending.insert(id.clone());
    let fresh = SignedDuration::from_millis(if steps.endpoint.is_some() { 150 } else { 4_000 });
    let is_fresh = reads.last.as_ref().is_some_and(|last| {
        last.requested.contains(id) && steps.clock.now().duration_since(last.at) < fresh
    });
    if !is_fresh {
        let found = describe(steps, step, &reads.pending).await?;
        reads.last = Some(LastRead {
            at: steps.clock.now(),
            requested: reads.pending.clone(),
            found,
        });
    }
    let found = reads
        .last
        .as_ref()
        .and_then(|last| last.found.get(id))
        .cloned();
    if found.as_ref().is_some_and(|ami| ami.status != "pending") {
        reads.pending.remove(id);
    }
    Ok(found)
}

async fn describe(
    steps: &Steps,
    step: &Step,
    ids: &BTreeSet<AmiId>,
) -> Result<BTreeMap<AmiId, Ami>> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(IDS_PER_CALL) {
        // A call with the IDs as arguments fails if EC2 does not know one of them yet.
        let query = ImageQuery {
            filters: BTreeMap::from([("image-id".to_owned(), chunk.to_vec())]),
            ..ImageQuery::default()
        };
        match steps.cloud_for(step)?.images(&step.region, &query).await {
            Ok(images) => found.extend(images.into_iter().map(|ami| (ami.id.clone(), ami))),
            Err(error) if error.kind == CloudErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}
