//! Tests of waits whose reads fail for a while.

use std::collections::BTreeSet;

use super::lifecycle::{Operation, on_day, two_versions};
use crate::adapters::fake::{Fault, FaultTiming};
use crate::error::ErrorKind;
use crate::ports::CloudErrorKind;

/// Returns the numbers of the calls in a clean promotion that read a new copy for the first time.
async fn first_reads() -> Vec<usize> {
    let clean = Operation::Promote(&["base"])
        .succeed_on_day(&two_versions().await, 25)
        .await;
    let known: BTreeSet<String> = two_versions()
        .await
        .inventory()
        .images
        .iter()
        .map(|ami| ami.id.to_string())
        .collect();
    let mut seen = BTreeSet::new();
    let numbered_calls = clean.cloud.calls().into_iter().enumerate();
    let reads = numbered_calls
        .filter(|(_, call)| call.action == "images" && call.about.starts_with("ami-"));
    reads
        .filter(|(_, call)| !known.contains(&call.about) && seen.insert(call.about.clone()))
        .map(|(n, _)| n + 1)
        .collect()
}

#[tokio::test]
async fn transient_error_while_a_copy_is_pending_keeps_the_copy() {
    let reads = first_reads().await;
    assert_eq!(reads.len(), 3, "one for each location with a copy");
    for kind in [
        CloudErrorKind::Throttled,
        CloudErrorKind::Unreachable,
        CloudErrorKind::Unavailable,
    ] {
        for first in &reads {
            let setup = on_day(&two_versions().await, 25);
            for nth in *first..first + 6 {
                setup.cloud.fail(Fault {
                    kind,
                    ..Fault::call(nth, FaultTiming::Before)
                });
            }
            let outcome = Operation::Promote(&["base"]).execute(&setup).await;
            assert_eq!(
                outcome.kind(),
                None,
                "{kind:?} from call {first} on: {outcome:?}"
            );
            let copies = setup
                .cloud
                .calls()
                .iter()
                .filter(|call| call.action == "copy_image")
                .count();
            assert_eq!(copies, 3, "no copy was made twice");
        }
    }
}

#[tokio::test]
async fn permanent_error_ends_the_wait() {
    let reads = first_reads().await;
    let setup = on_day(&two_versions().await, 25);
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::Denied,
        ..Fault::call(reads[0], FaultTiming::Before)
    });
    assert_eq!(
        Operation::Promote(&["base"]).execute(&setup).await.kind(),
        Some(ErrorKind::StepFailed)
    );
}
