//! Tests that failed undos are reported (exit 5) and do not stop the others.

use super::TestEnv;
use super::faults::second_release;
use crate::adapters::fake::{BuildBehavior, Fault, FaultTiming};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::ErrorKind;
use crate::lifecycle::tags;
use crate::ports::CloudErrorKind;

async fn fail_after_boot(undo: &'static str) -> (TestEnv, Outcome) {
    let setup = second_release().await;
    *setup.shell.deaf.lock().expect("no panic") = true;
    setup.cloud.fail(Fault::always(undo));
    let outcome = setup.release("run2").await;
    (setup, outcome)
}

fn left(outcome: &Outcome) -> String {
    let ScopeEnd::Stuck { left, .. } = outcome.end_of("base") else {
        panic!("{outcome:?}")
    };
    left.join("\n")
}

#[tokio::test]
async fn failed_undo_is_reported_and_others_continue() {
    // Failing undo, reported step, and the resource that remains.
    for (undo, reported, kept) in [
        ("deregister", "base/build", "ami"),
        ("delete_group", "base/group", "sg"),
        ("delete_key_pair", "base/key", "key"),
        ("terminate", "base/boot", "i"),
    ] {
        let (setup, outcome) = fail_after_boot(undo).await;
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::Stuck),
            "{undo}: {outcome:?}"
        );
        assert!(
            left(&outcome).contains(reported),
            "{undo}: {}",
            left(&outcome)
        );
        setup.cloud.state(|w| {
            let candidates = w
                .images
                .values()
                .filter(|a| a.tags.get(tags::STATE).is_some_and(|s| s == "candidate"))
                .count();
            let instances = w
                .instances
                .values()
                .filter(|i| i.status != "terminated")
                .count();
            assert_eq!(candidates, usize::from(kept == "ami"), "{undo}: candidates");
            assert_eq!(instances, usize::from(kept == "i"), "{undo}: instances");
            // A group cannot be deleted before its instance.
            assert_eq!(
                w.groups.len(),
                usize::from(kept == "sg" || kept == "i"),
                "{undo}: groups"
            );
            assert_eq!(
                w.key_pairs.len(),
                usize::from(kept == "key"),
                "{undo}: key pairs"
            );
            let sweepable = w
                .groups
                .values()
                .map(|g| &g.tags)
                .chain(w.key_pairs.values())
                .all(|t| t.contains_key(tags::EXPIRES));
            assert!(sweepable, "{undo}: the remaining resources can be swept");
        });
        assert!(crate::engine::journal::read(&setup.journal.text()).is_ok());
        assert!(setup.journal.text().contains("undo_failed"), "{undo}");
    }
}

#[tokio::test]
async fn remaining_candidate_is_never_found() {
    let (setup, outcome) = fail_after_boot("deregister").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Stuck));
    let before = second_release().await;
    assert_eq!(setup.latest("base", "Test"), before.latest("base", "Test"));
    let next = setup.next_run(
        std::sync::Arc::clone(&setup.catalog),
        "2026-11-23T13:00:00Z",
    );
    let plan = next.release_plan("run3", false);
    assert_eq!(
        plan.decisions[0].version.map(|v| v.to_string()).as_deref(),
        Some("20261123.2"),
        "the version number is used already"
    );
    assert_eq!(next.execute(&plan).await.kind(), None);
}

#[tokio::test]
async fn failed_undo_of_move_is_reported() {
    let setup = second_release().await;
    // The pointer is written but the response is lost, and every later write fails.
    setup.cloud.fail(Fault {
        forever: false,
        when: FaultTiming::After,
        ..Fault::always("put_parameter")
    });
    setup.cloud.fail(Fault {
        nth: 2,
        ..Fault::always("put_parameter")
    });
    setup.cloud.fail(Fault {
        when: FaultTiming::Before,
        ..Fault::always("delete_parameter")
    });
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Stuck), "{outcome:?}");
    assert!(
        left(&outcome).contains("base/release"),
        "{}",
        left(&outcome)
    );
    assert!(
        left(&outcome).contains("base/build: not removed, because base/release"),
        "{}",
        left(&outcome)
    );
    let current = setup.latest("base", "Test").1.expect("one is found");
    setup.cloud.state(|w| {
        assert!(
            w.snapshots.contains_key(&w.images[&current].snapshots[0]),
            "the snapshots of the current AMI exist"
        )
    });
}

#[tokio::test]
async fn failing_put_parameter_leaves_one_current_ami() {
    for kind in [
        CloudErrorKind::Denied,
        CloudErrorKind::Throttled,
        CloudErrorKind::Unreachable,
        CloudErrorKind::Malformed,
    ] {
        let setup = second_release().await;
        let before = setup.latest("base", "Test");
        setup.cloud.fail(Fault {
            kind,
            ..Fault::always("put_parameter")
        });
        let outcome = setup.release("run2").await;
        let failed = Some(ErrorKind::StepFailed);
        assert_eq!(outcome.kind(), failed, "{kind:?}: {outcome:?}");
        assert_eq!(setup.latest("base", "Test"), before, "{kind:?}");
        setup.assert_clean(&format!("{kind:?}: no pointer was written"));
    }
}

#[tokio::test]
async fn keep_failed_keeps_instance_but_no_partial_release() {
    for late in ["put_parameter", "delete_group"] {
        let mut setup = second_release().await;
        setup.options.keep_failed = true;
        let before = setup.latest("base", "Test");
        setup.cloud.fail(Fault {
            forever: false,
            ..Fault::always(late)
        });
        let outcome = setup.release("run2").await;
        assert_eq!(
            outcome.kind(),
            Some(ErrorKind::StepFailed),
            "{late}: {outcome:?}"
        );
        assert_eq!(setup.latest("base", "Test"), before, "{late}");
        setup.assert_clean(late);
    }
    let mut setup = second_release().await;
    setup.options.keep_failed = true;
    *setup.shell.deaf.lock().expect("no panic") = true;
    let outcome = setup.release("run2").await;
    let ScopeEnd::Failed { hints, .. } = outcome.end_of("base") else {
        panic!("{outcome:?}")
    };
    let kept = |what: &str| hints.iter().any(|h| h.contains(what));
    assert!(
        kept("kept: instance i-") && kept("kept: candidate ami-"),
        "{hints:?}"
    );
}

#[tokio::test]
async fn released_snapshots_lose_tags_of_temporary_resources() {
    let mut setup = second_release().await;
    setup.options.keep_failed = true;
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    setup.cloud.state(|state| {
        assert!(!state.snapshots.is_empty());
        for (id, tags) in &state.snapshots {
            for key in [tags::KEPT, tags::EXPIRES] {
                assert!(!tags.contains_key(key), "{id}: {tags:?}");
            }
        }
    });
}

#[tokio::test]
async fn move_waits_for_tags_and_restores_pointer() {
    for (lag, ends) in [(3, None), (u32::MAX, Some(ErrorKind::StepFailed))] {
        let setup = second_release().await;
        let before = setup.latest("base", "Test");
        setup.cloud.state(|w| w.lag = lag);
        let outcome = setup.release("run2").await;
        assert_eq!(outcome.kind(), ends, "{outcome:?}");
        let now = setup.latest("base", "Test");
        assert_eq!(
            now.0.as_deref(),
            now.1.as_ref().map(crate::model::AmiId::as_str),
            "pointer and tags agree"
        );
        assert_eq!(now == before, ends.is_some(), "{outcome:?}");
        setup.assert_clean(&format!("{lag}"));
    }
}

#[tokio::test]
async fn discard_refuses_findable_ami() {
    let discard_plan = |setup: &TestEnv, id: &crate::model::AmiId| {
        let mut plan = setup.release_plan("run3", true);
        plan.steps.truncate(1);
        let ami_name = setup.cloud.state(|w| w.images[id].name.clone());
        plan.steps[0].action = crate::plan::Action::Discard { ami_name };
        plan
    };
    let pointer = "/bakeline/acme/base/Test/x86_64".to_owned();
    // State, current by tags, named by the pointer, and the expected deregistration.
    for (state, current, pointed, deregistered) in [
        ("released", false, false, false),
        ("candidate", true, false, false),
        ("candidate", false, true, false),
        ("candidate", false, false, true),
    ] {
        let setup = second_release().await;
        let id = setup.latest("base", "Test").1.expect("current");
        setup.cloud.state(|w| {
            let tags = &mut w.images.get_mut(&id).expect("there").tags;
            tags.insert(tags::STATE.to_owned(), state.to_owned());
            if !current {
                tags.remove(tags::CURRENT);
            }
            if !pointed {
                w.parameters.remove(&pointer);
            }
        });
        let outcome = setup.execute(&discard_plan(&setup, &id)).await;
        assert_eq!(
            outcome.kind(),
            (!deregistered).then_some(ErrorKind::Stuck),
            "{state} {current} {pointed}: {outcome:?}"
        );
        assert_eq!(
            setup.cloud.state(|w| w.images.contains_key(&id)),
            !deregistered,
            "{state} {current} {pointed}"
        );
    }
}

#[tokio::test]
async fn killed_packer_with_remaining_instance_is_reported() {
    let setup = second_release().await;
    setup
        .builder
        .behaviors
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildBehavior::Killed);
    setup.cloud.fail(Fault::always("terminate"));
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Stuck), "{outcome:?}");
    assert!(left(&outcome).contains("base/build"), "{}", left(&outcome));
}

#[tokio::test]
async fn full_disk_leaves_clean_cloud_and_valid_journal() {
    let start = second_release().await;
    let lines = {
        let whole = start.next_run(
            std::sync::Arc::clone(&start.catalog),
            "2026-11-23T12:00:00Z",
        );
        assert_eq!(whole.release("run2").await.kind(), None);
        whole.journal.text().lines().count()
    };
    for room in (0..lines).filter(|room| *room < lines / 4 || room % 7 == 0) {
        let setup = start.next_run(
            std::sync::Arc::clone(&start.catalog),
            "2026-11-23T12:00:00Z",
        );
        *setup.journal.room.lock().expect("no panic") = Some(room);
        setup.watch_invariants();
        let outcome = setup.release("run2").await;
        assert!(
            matches!(outcome.kind(), Some(ErrorKind::StepFailed)),
            "{room}: {outcome:?}"
        );
        setup.assert_clean(&format!("room for {room} lines"));
    }
}

#[tokio::test]
async fn undo_keeps_pointer_that_the_run_has_not_written() {
    // No AMI is tagged as current, but the pointer exists.
    let setup = TestEnv::new();
    let pointer = "/bakeline/acme/base/Test/x86_64";
    setup.cloud.state(|state| {
        let foreign = "ami-00000042".to_owned();
        state.parameters.insert(pointer.to_owned(), foreign)
    });
    setup.cloud.fail(Fault::always("put_parameter"));
    let outcome = setup.release("run1").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    setup.cloud.state(|state| {
        let kept = state.parameters.get(pointer).map(String::as_str);
        assert_eq!(kept, Some("ami-00000042"));
    });
}

/// Releases although AWS makes accepted writes of the pointer only after some reads, and the first read
/// of the pointer fails. Returns the values of the pointer before and after.
async fn interrupt_late_write(setup: &TestEnv, reads: u32) -> [Option<String>; 2] {
    let before = setup.latest("base", "Test").0;
    setup
        .cloud
        .state(|state| state.late_parameters.reads = reads);
    setup.cloud.fail(Fault {
        forever: false,
        ..Fault::always("parameter")
    });
    let outcome = setup.release("run2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    setup.cloud.state(|state| state.make_late_writes(|_| true));
    setup.assert_clean(&format!("writes show after {reads} reads"));
    [before, setup.latest("base", "Test").0]
}

#[tokio::test]
async fn undo_waits_for_pointer_that_is_written_late() {
    // The longest delay is more than a minute.
    for reads in [1, 8, 24] {
        let setup = second_release().await;
        let [before, after] = interrupt_late_write(&setup, reads).await;
        assert!(before.is_some() && before == after, "{reads}: {after:?}");
        let [before, after] = interrupt_late_write(&TestEnv::new(), reads).await;
        assert_eq!((before, after), (None, None), "{reads}: no pointer remains");
    }
}

#[tokio::test]
async fn undo_waits_for_tags_that_it_has_set() {
    for lag in [0, 1, 3] {
        let setup = second_release().await;
        let before = setup.latest("base", "Test");
        setup.cloud.state(|state| state.lag = lag);
        setup.cloud.fail(Fault::always("put_parameter"));
        let outcome = setup.release("run2").await;
        assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
        assert_eq!(setup.latest("base", "Test"), before, "{lag}");
        setup.assert_clean(&format!("tags read back after {lag} reads"));
    }
}
