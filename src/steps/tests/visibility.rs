//! Tests that runs survive the delays of EC2, and that an undo does not report a hidden resource as
//! removed.

use super::TestEnv;
use super::faults::second_release;
use super::lifecycle::{Operation, on_day, two_versions};
use crate::adapters::fake::{BuildBehavior, Fault, FaultTiming};
use crate::error::ErrorKind;
use crate::ports::CloudErrorKind;

/// Returns an environment in which each new resource does not exist for some reads and calls.
async fn delayed(visible_after: u32) -> TestEnv {
    let setup = second_release().await;
    setup
        .cloud
        .state(|state| state.visible_after = visible_after);
    setup
}

#[tokio::test]
async fn release_waits_for_new_resources() {
    for reads in [1, 3, 8] {
        let setup = delayed(reads).await;
        let outcome = setup.release("run2").await;
        assert_eq!(outcome.kind(), None, "{reads}: {outcome:?}");
        setup.assert_clean("delayed release");
    }
}

/// Fails every call of an action with an unknown outcome, for each timing.
async fn fail_release(action: &'static str, when: FaultTiming, reads: u32) -> TestEnv {
    let setup = delayed(reads).await;
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::Unreachable,
        when,
        ..Fault::always(action)
    });
    let outcome = setup.release("run2").await;
    assert_eq!(
        outcome.kind(),
        Some(ErrorKind::StepFailed),
        "{action} {when:?} {reads}: {outcome:?}"
    );
    setup
}

#[tokio::test]
async fn undo_finds_resource_whose_creation_was_not_confirmed() {
    for action in ["create_group", "launch", "allow_ssh"] {
        for reads in [0, 1, 4] {
            let setup = fail_release(action, FaultTiming::After, reads).await;
            setup.assert_clean(&format!("{action} with {reads} reads"));
        }
    }
}

#[tokio::test]
async fn undo_finds_resource_that_is_not_listed_yet() {
    // The step fails after the creation, while EC2 does not list the resource.
    for (action, kind) in [
        ("allow_ssh", CloudErrorKind::Denied),
        ("instance", CloudErrorKind::Denied),
    ] {
        for reads in [1, 4] {
            let setup = delayed(reads).await;
            setup.cloud.fail(Fault {
                kind,
                forever: false,
                ..Fault::always(action)
            });
            let outcome = setup.release("run2").await;
            assert_eq!(
                outcome.kind(),
                Some(ErrorKind::StepFailed),
                "{action}: {outcome:?}"
            );
            setup.assert_clean(&format!("{action} with {reads} reads"));
        }
    }
}

#[tokio::test]
async fn group_whose_creation_was_repeated_is_used() {
    let setup = second_release().await;
    // The SDK repeats a call whose response was lost, and EC2 reports a duplicate.
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::Duplicate,
        when: FaultTiming::After,
        ..Fault::always("create_group")
    });
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    setup.assert_clean("repeated creation");
}

#[tokio::test]
async fn undo_finds_instance_that_packer_could_not_terminate() {
    for behavior in [BuildBehavior::Killed, BuildBehavior::KilledEarly] {
        for reads in [1, 3, 8] {
            let setup = delayed(reads).await;
            setup
                .builder
                .behaviors
                .lock()
                .expect("no panic")
                .insert("base".to_owned(), behavior);
            let outcome = setup.release("run2").await;
            let kind = outcome.kind();
            assert_eq!(kind, Some(ErrorKind::StepFailed), "{reads}: {outcome:?}");
            setup.assert_clean(&format!("{behavior:?} with {reads} reads"));
        }
    }
}

#[tokio::test]
async fn undo_is_repeated_after_transient_errors() {
    for undo in ["deregister", "delete_group", "delete_key_pair", "terminate"] {
        let setup = second_release().await;
        *setup.shell.deaf.lock().expect("no panic") = true;
        for nth in 1..=5 {
            setup.cloud.fail(Fault {
                kind: CloudErrorKind::Throttled,
                nth,
                forever: false,
                ..Fault::always(undo)
            });
        }
        let outcome = setup.release("run2").await;
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::StepFailed),
            "{undo}: {outcome:?}"
        );
        setup.assert_clean(undo);
    }
}

#[tokio::test]
async fn removal_of_permissions_is_repeated_after_transient_errors() {
    // These calls of an undo are part of no wait, so only a repetition of the undo continues them.
    for undo in ["share", "untag"] {
        let setup = on_day(&two_versions().await, 25);
        setup.cloud.fail(Fault {
            kind: CloudErrorKind::Denied,
            ..Fault::always("copy_image")
        });
        let granted = 1;
        for nth in 1..=5 {
            setup.cloud.fail(Fault {
                kind: CloudErrorKind::Throttled,
                nth: if undo == "share" { granted + nth } else { nth },
                forever: false,
                ..Fault::always(undo)
            });
        }
        let outcome = Operation::Promote(&["base"]).execute(&setup).await;
        let kind = outcome.kind();
        assert_eq!(kind, Some(ErrorKind::StepFailed), "{undo}: {outcome:?}");
        let calls = setup.cloud.calls();
        let tries = calls.iter().filter(|c| c.action == undo).count();
        assert!(tries > 5, "{undo}: only {tries} calls");
        for ami in setup.inventory().images {
            let mut keys = ami.tags.keys();
            let shared = keys.any(|key| key.starts_with(crate::lifecycle::tags::SHARING));
            assert!(!shared, "{undo}: {ami:?}");
        }
    }
}

#[tokio::test]
async fn undo_ends_if_the_error_stays() {
    let setup = second_release().await;
    *setup.shell.deaf.lock().expect("no panic") = true;
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::Throttled,
        ..Fault::always("delete_key_pair")
    });
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Stuck), "{outcome:?}");
}

#[tokio::test]
async fn copy_waits_for_its_permission() {
    let setup = on_day(&two_versions().await, 25);
    for (account, region) in setup.cloud.elsewhere().into_keys() {
        setup.cloud.state_at(&account, &region, |state| {
            state.refused_copies = 5;
            state.visible_after = 3;
        });
    }
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
}

#[tokio::test]
async fn copy_waits_until_ec2_knows_the_original() {
    // CopyImage can answer InvalidAMIID.NotFound directly after the permission was granted.
    let setup = on_day(&two_versions().await, 25);
    for nth in 1..=5 {
        setup.cloud.fail(Fault {
            kind: CloudErrorKind::NotFound,
            nth,
            forever: false,
            ..Fault::always("copy_image")
        });
    }
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
}

#[tokio::test]
async fn copy_waits_while_all_copy_slots_are_used() {
    let setup = on_day(&two_versions().await, 25);
    for nth in 1..=200 {
        setup.cloud.fail(Fault {
            kind: CloudErrorKind::Busy,
            nth,
            forever: false,
            ..Fault::always("copy_image")
        });
    }
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
}

#[tokio::test]
async fn denied_copy_fails_at_once() {
    let setup = on_day(&two_versions().await, 25);
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::Denied,
        ..Fault::always("copy_image")
    });
    let outcome = Operation::Promote(&["base"]).execute(&setup).await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    let calls = setup.cloud.calls();
    let tries = calls.iter().filter(|c| c.action == "copy_image").count();
    assert_eq!(tries, 3, "one for each location");
}
