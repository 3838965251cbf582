//! Owns the proof that what can't be taken back is said (exit 5), and that the rest is taken back all the same.

use super::House;
use super::faults::second;
use crate::adapters::fake::{BuildMood, Fault, When};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::Kind;
use crate::lifecycle::tags;

async fn failed_after_boot(undo: &'static str) -> (House, Outcome) {
    let house = second().await;
    *house.shell.deaf.lock().expect("no panic") = true;
    house.cloud.fail(Fault::always(undo));
    let outcome = house.release("run2").await;
    (house, outcome)
}

fn left(outcome: &Outcome) -> String {
    let ScopeEnd::Stuck { left, .. } = &outcome.scopes["base"] else {
        panic!("{outcome:?}")
    };
    left.join("\n")
}

#[tokio::test]
async fn an_undo_that_fails_is_stuck_and_named_and_does_not_stop_the_others() {
    // What can't be undone, what is said of it, and what is gone nevertheless.
    for (undo, said, kept) in [
        ("deregister", "base/build", "ami"),
        ("delete_group", "base/group", "sg"),
        ("delete_key_pair", "base/key", "key"),
        ("terminate", "base/boot", "i"),
    ] {
        let (house, outcome) = failed_after_boot(undo).await;
        assert_eq!(outcome.kind(), Some(Kind::Stuck), "{undo}: {outcome:?}");
        assert!(left(&outcome).contains(said), "{undo}: {}", left(&outcome));
        house.cloud.state(|w| {
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
            // A group can't go before its instance.
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
            assert!(sweepable, "{undo}: what is left can be swept");
        });
        assert!(crate::engine::journal::read(&house.journal.text()).is_ok());
        assert!(house.journal.text().contains("undo_failed"), "{undo}");
    }
}

#[tokio::test]
async fn a_candidate_that_is_left_is_never_found() {
    let (house, outcome) = failed_after_boot("deregister").await;
    assert_eq!(outcome.kind(), Some(Kind::Stuck));
    let before = second().await;
    assert_eq!(house.latest("base", "Test"), before.latest("base", "Test"));
    let next = house.next(
        std::sync::Arc::clone(&house.catalog),
        "2026-11-23T13:00:00Z",
    );
    let plan = next.plan("run3", false);
    assert_eq!(
        plan.decisions[0].version.map(|v| v.to_string()).as_deref(),
        Some("20261123.2"),
        "its version is taken"
    );
    assert_eq!(next.act(&plan).await.kind(), None);
}

#[tokio::test]
async fn a_move_that_fails_and_can_not_be_taken_back_says_so() {
    let house = second().await;
    // The pointer is written but the answer is lost, and nothing can be written afterwards.
    house.cloud.fail(Fault {
        forever: false,
        when: When::After,
        ..Fault::always("put_parameter")
    });
    house.cloud.fail(Fault {
        nth: 2,
        ..Fault::always("put_parameter")
    });
    house.cloud.fail(Fault {
        when: When::Before,
        ..Fault::always("delete_parameter")
    });
    let outcome = house.release("run2").await;
    assert_eq!(outcome.kind(), Some(Kind::Stuck), "{outcome:?}");
    assert!(
        left(&outcome).contains("base/release"),
        "{}",
        left(&outcome)
    );
    assert!(
        left(&outcome).contains("base/build: left as it is, because base/release"),
        "{}",
        left(&outcome)
    );
    let current = house.latest("base", "Test").1.expect("one is found");
    house.cloud.state(|w| {
        assert!(
            w.snapshots.contains_key(&w.images[&current].snapshots[0]),
            "with what it is made of"
        )
    });
}

#[tokio::test]
async fn failing_put_parameter_leaves_one_current_ami() {
    let house = second().await;
    let before = house.latest("base", "Test");
    house.cloud.fail(Fault::always("put_parameter"));
    let outcome = house.release("run2").await;
    assert_eq!(outcome.kind(), Some(Kind::StepFailed), "{outcome:?}");
    assert_eq!(house.latest("base", "Test"), before);
    house.assert_clean("no pointer was written");
}

#[tokio::test]
async fn keep_failed_leaves_what_a_check_fails_on_and_never_half_a_release() {
    for late in ["put_parameter", "delete_group"] {
        let mut house = second().await;
        house.options.keep_failed = true;
        let before = house.latest("base", "Test");
        house.cloud.fail(Fault {
            forever: false,
            ..Fault::always(late)
        });
        let outcome = house.release("run2").await;
        assert_eq!(
            outcome.kind(),
            Some(Kind::StepFailed),
            "{late}: {outcome:?}"
        );
        assert_eq!(house.latest("base", "Test"), before, "{late}");
        house.assert_clean(late);
    }
    let mut house = second().await;
    house.options.keep_failed = true;
    *house.shell.deaf.lock().expect("no panic") = true;
    let outcome = house.release("run2").await;
    let ScopeEnd::Failed { hints, .. } = &outcome.scopes["base"] else {
        panic!("{outcome:?}")
    };
    let kept = |what: &str| hints.iter().any(|h| h.contains(what));
    assert!(
        kept("kept: instance i-") && kept("kept: candidate ami-"),
        "{hints:?}"
    );
}

#[tokio::test]
async fn tags_that_read_late_are_waited_for_and_a_pointer_to_what_goes_is_put_back() {
    for (lag, ends) in [(3, None), (u32::MAX, Some(Kind::StepFailed))] {
        let house = second().await;
        let before = house.latest("base", "Test");
        house.cloud.state(|w| w.lag = lag);
        let outcome = house.release("run2").await;
        assert_eq!(outcome.kind(), ends, "{outcome:?}");
        let now = house.latest("base", "Test");
        assert_eq!(
            now.0.as_deref(),
            now.1.as_ref().map(crate::model::AmiId::as_str),
            "pointer and tags agree"
        );
        assert_eq!(now == before, ends.is_some(), "{outcome:?}");
        house.assert_clean(&format!("{lag}"));
    }
}

#[tokio::test]
async fn what_somebody_may_find_is_never_thrown_away() {
    let throw = |house: &House, id: &crate::model::AmiId| {
        let mut plan = house.plan("run3", true);
        plan.steps.truncate(1);
        let ami_name = house.cloud.state(|w| w.images[id].name.clone());
        plan.steps[0].action = crate::plan::Action::Discard { ami_name };
        plan
    };
    let pointer = "/bakeline/acme/base/Test/x86_64".to_owned();
    // Its state, whether it is current by its tags, and whether the pointer says it.
    for (state, current, said, goes) in [
        ("released", false, false, false),
        ("candidate", true, false, false),
        ("candidate", false, true, false),
        ("candidate", false, false, true),
    ] {
        let house = second().await;
        let id = house.latest("base", "Test").1.expect("current");
        house.cloud.state(|w| {
            let tags = &mut w.images.get_mut(&id).expect("there").tags;
            tags.insert(tags::STATE.to_owned(), state.to_owned());
            if !current {
                tags.remove(tags::CURRENT);
            }
            if !said {
                w.parameters.remove(&pointer);
            }
        });
        let outcome = house.act(&throw(&house, &id)).await;
        assert_eq!(
            outcome.kind(),
            (!goes).then_some(Kind::Stuck),
            "{state} {current} {said}: {outcome:?}"
        );
        assert_eq!(
            house.cloud.state(|w| w.images.contains_key(&id)),
            !goes,
            "{state} {current} {said}"
        );
    }
}

#[tokio::test]
async fn a_killed_packer_with_an_instance_that_stays_is_said() {
    let house = second().await;
    house
        .builder
        .moods
        .lock()
        .expect("no panic")
        .insert("base".to_owned(), BuildMood::Killed);
    house.cloud.fail(Fault::always("terminate"));
    let outcome = house.release("run2").await;
    assert_eq!(outcome.kind(), Some(Kind::Stuck), "{outcome:?}");
    assert!(left(&outcome).contains("base/build"), "{}", left(&outcome));
}

#[tokio::test]
async fn a_full_disk_ends_the_run_with_a_clean_world_and_a_readable_journal() {
    let start = second().await;
    let lines = {
        let whole = start.next(
            std::sync::Arc::clone(&start.catalog),
            "2026-11-23T12:00:00Z",
        );
        assert_eq!(whole.release("run2").await.kind(), None);
        whole.journal.text().lines().count()
    };
    for room in (0..lines).filter(|room| *room < lines / 4 || room % 7 == 0) {
        let house = start.next(
            std::sync::Arc::clone(&start.catalog),
            "2026-11-23T12:00:00Z",
        );
        *house.journal.room.lock().expect("no panic") = Some(room);
        house.stand_guard();
        let outcome = house.release("run2").await;
        assert!(
            matches!(outcome.kind(), Some(Kind::StepFailed)),
            "{room}: {outcome:?}"
        );
        house.assert_clean(&format!("room for {room} lines"));
    }
}
