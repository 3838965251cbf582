//! Tests of waits whose reads fail for a while.

use std::collections::BTreeSet;

use super::lifecycle::{Operation, on_day, two_versions};
use crate::adapters::fake::Fault;
use crate::error::ErrorKind;
use crate::ports::CloudErrorKind;

/// Returns the IDs of the copies that a clean promotion creates.
async fn copy_ids() -> BTreeSet<String> {
    let clean = Operation::Promote(&["base"])
        .succeed_on_day(&two_versions().await, 25)
        .await;
    let before = two_versions().await.inventory();
    let known: BTreeSet<&str> = before.images.iter().map(|ami| ami.id.as_str()).collect();
    let images = clean.inventory().images;
    let new = images.into_iter().map(|ami| ami.id.0);
    new.filter(|id| !known.contains(id.as_str())).collect()
}

#[tokio::test]
async fn transient_error_while_a_copy_is_pending_keeps_the_copy() {
    let copies = copy_ids().await;
    assert_eq!(copies.len(), 3, "one for each location with a copy");
    for kind in [
        CloudErrorKind::Throttled,
        CloudErrorKind::Unreachable,
        CloudErrorKind::Unavailable,
    ] {
        for copy in &copies {
            let setup = on_day(&two_versions().await, 25);
            for nth in 1..=6 {
                setup.cloud.fail(Fault {
                    kind,
                    nth,
                    about: Some(copy.clone()),
                    forever: false,
                    ..Fault::always("images")
                });
            }
            let outcome = Operation::Promote(&["base"]).execute(&setup).await;
            assert_eq!(outcome.kind(), None, "{kind:?} for {copy}: {outcome:?}");
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
    let copies = copy_ids().await;
    let setup = on_day(&two_versions().await, 25);
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::Denied,
        about: copies.first().cloned(),
        forever: false,
        ..Fault::always("images")
    });
    assert_eq!(
        Operation::Promote(&["base"]).execute(&setup).await.kind(),
        Some(ErrorKind::StepFailed)
    );
}
