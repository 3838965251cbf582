//! Tests that the settings of an image apply to its test instances.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::{FakeClock, TestEnv, catalog};
use crate::adapters::fake::Fault;
use crate::engine::Engine;
use crate::engine::outcome::Outcome;
use crate::ports::CloudErrorKind;

/// Releases the images with one changed file. Returns the time of all waits.
async fn release_with(base: &str) -> (TestEnv, Outcome, SignedDuration) {
    release_after(base, |_| {}).await
}

/// Prepares the environment, and releases the images with one changed file.
async fn release_after(
    base: &str,
    prepare: impl FnOnce(&TestEnv),
) -> (TestEnv, Outcome, SignedDuration) {
    let source = "source: {owner: \"136693071363\", name: debian-12-*}\n";
    let text = format!("{source}{base}");
    let first = TestEnv::new();
    let setup = first.next_run(catalog(&[("base", &text)]), "2026-11-22T12:00:00Z");
    prepare(&setup);
    let plan = setup.release_plan("run-1", false);
    let clock = Arc::new(FakeClock(Mutex::new(setup.now)));
    let mut steps = setup.steps(&plan.run);
    steps.clock = Arc::clone(&clock) as _;
    let engine = Engine {
        effects: Arc::new(steps),
        journal: Arc::clone(&setup.journal) as _,
        clock: Arc::new(FakeClock(Mutex::new(setup.now))),
        events: Arc::clone(&setup.events) as _,
    };
    let outcome = engine.run(&plan, &setup.options).await;
    let now = *clock.0.lock().expect("no panic");
    let waited = now.duration_since(setup.now);
    (setup, outcome, waited)
}

#[tokio::test]
async fn boot_check_uses_instance_settings_of_the_image() {
    let own = "builder: {instance_type: m7i.large, subnet: subnet-00000002}\n\
               login_user: rocky\nboot_wait: 90s\n";
    let (general, outcome, short) = release_with("").await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    let (setup, outcome, long) = release_with(own).await;
    assert!(outcome.kind().is_none(), "{outcome:?}");

    let instances = |setup: &TestEnv| {
        setup.cloud.state(|state| {
            let launched = state.instances.values().filter(|i| !i.token.is_empty());
            launched
                .map(|i| (i.instance_type.clone(), i.subnet.clone()))
                .collect::<Vec<_>>()
        })
    };
    let subnet = Some("subnet-00000002".to_owned());
    assert_eq!(instances(&general), vec![("t3.small".to_owned(), None); 4]);
    assert_eq!(instances(&setup), vec![("m7i.large".to_owned(), subnet); 4]);

    let targets = setup.shell.targets.lock().expect("no panic").clone();
    let users: Vec<String> = targets.into_iter().filter_map(|t| t.user).collect();
    assert_eq!(users, ["rocky"; 4], "children inherit the user");
    // Each of the four images waits before its boot check.
    assert_eq!(long - short, SignedDuration::from_secs(4 * 90));
}

#[tokio::test]
async fn images_are_spread_over_the_subnets() {
    let own = "builder: {subnets: [subnet-00000001, subnet-00000002]}\n";
    let (setup, outcome, _) = release_with(own).await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    let used: std::collections::BTreeSet<String> = setup.cloud.state(|state| {
        let launched = state.instances.values().filter(|i| !i.token.is_empty());
        launched.filter_map(|i| i.subnet.clone()).collect()
    });
    assert_eq!(used.len(), 2, "{used:?}");
    let general = setup.catalog.images[&"a".into()].builder(&setup.catalog.settings);
    assert_eq!(
        general.subnet("a"),
        general.subnet("a"),
        "an image stays in its subnet"
    );
}

#[tokio::test]
async fn boot_check_uses_a_subnet_with_capacity() {
    let own = "builder: {subnets: [subnet-00000001, subnet-00000002]}\n";
    let refuse = |launches: usize| {
        move |setup: &TestEnv| {
            for nth in 1..=launches {
                setup.cloud.fail(Fault {
                    kind: CloudErrorKind::Capacity,
                    nth,
                    forever: false,
                    ..Fault::always("launch")
                });
            }
        }
    };
    let (setup, outcome, _) = release_after(own, refuse(1)).await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    let launches = setup.cloud.calls();
    let launches = launches.iter().filter(|call| call.action == "launch");
    assert_eq!(
        launches.count(),
        5,
        "the first of four launches is repeated"
    );
    let (setup, outcome, _) = release_after(own, refuse(2)).await;
    assert!(!outcome.end_of("base").is_done(), "{outcome:?}");
    let left = setup.cloud.state(|state| state.temporary());
    assert_eq!(left, Vec::<String>::new(), "only the candidate stays");
}
