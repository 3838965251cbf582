//! Tests that a candidate survives a lack of capacity at its boot, and that the next release checks it.

use std::sync::Arc;

use super::invariants::latest;
use super::{TestEnv, catalog, test_env};
use crate::adapters::fake::Fault;
use crate::checks::Phase;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::error::ErrorKind;
use crate::lifecycle::{candidate, tags};
use crate::model::{Ami, Inventory, State, Timestamp};
use crate::plan::release::{ReleaseRequest, plan_release, plan_scratch_build};
use crate::plan::step::{Decision, PlanVerdict};
use crate::plan::{Action, Plan};
use crate::ports::{CloudErrorKind, Store as _, Workspace as _};
use crate::steps::check::controls::evidence_file;

pub(super) const NEXT_DAY: &str = "2026-11-23T12:00:00Z";

/// Refuses all launches of test instances, but not those of Packer.
fn refuse_boots(setup: &TestEnv) {
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::Capacity,
        ..Fault::always("launch")
    });
}

/// Returns the environment after a release without capacity for the boot of `base`.
pub(super) async fn release_without_capacity() -> (TestEnv, Outcome) {
    let setup = TestEnv::new();
    refuse_boots(&setup);
    let facts = evidence_file("base", Phase::Build);
    let written = setup.workspace.write(&facts, b"facts of the build", false);
    written.expect("written");
    let outcome = setup.release("run-1").await;
    (setup, outcome)
}

fn images(setup: &TestEnv) -> Vec<Ami> {
    let own = setup.cloud.state(|state| state.own());
    let is_base = |ami: &Ami| ami.name.starts_with("acme/base/");
    own.into_iter().filter(is_base).collect()
}

pub(super) fn candidate_of(setup: &TestEnv) -> Ami {
    let [found] = images(setup).try_into().expect("one AMI");
    found
}

pub(super) fn decision(plan: &Plan) -> &Decision {
    let mut all = plan.decisions.iter();
    all.find(|d| d.image.as_str() == "base")
        .expect("a decision")
}

#[tokio::test]
async fn candidate_survives_lack_of_capacity() {
    let (setup, outcome) = release_without_capacity().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed));
    let ScopeEnd::Failed { error, hints, .. } = outcome.end_of("base") else {
        panic!("{outcome:?}")
    };
    assert!(error.contains("EC2 cannot launch an instance"), "{error}");
    let ami = candidate_of(&setup);
    let kept = format!("kept: candidate {} in eu-west-1 until 2026-11-29", ami.id);
    assert!(
        hints.iter().any(|hint| hint.starts_with(&kept)),
        "{hints:?}"
    );
    assert!(candidate::awaits_checks(&ami.tags), "{:?}", ami.tags);
    setup.cloud.state(|state| {
        assert_eq!(
            state.temporary(),
            Vec::<String>::new(),
            "all else is undone"
        );
        assert_eq!(latest(state, "base", &test_env()), (None, None));
    });
    let version = &ami.tags[tags::VERSION];
    let key = format!("acme/images/base/x86_64/{version}/facts-build.json");
    let stored = setup.store.get(&key).await.expect("the store answers");
    assert_eq!(stored.as_deref(), Some(&b"facts of the build"[..]));
}

#[tokio::test]
async fn next_release_checks_and_releases_the_candidate() {
    let (first, _) = release_without_capacity().await;
    let ami = candidate_of(&first);
    let setup = first.next_run(catalog(&[]), NEXT_DAY);
    let plan = setup.release_plan("run-2", false);
    let base = decision(&plan);
    assert_eq!(base.verdict, PlanVerdict::Adopt);
    let reason = "check the candidate of run run-1, for whose boot EC2 had no capacity";
    assert_eq!(base.reasons[0], reason);
    assert_eq!(
        base.version.map(|v| v.to_string()),
        Some(ami.tags[tags::VERSION].clone())
    );
    let builds_base =
        |action: &Action| matches!(action, Action::Build { image, .. } if image.as_str() == "base");
    assert!(!plan.steps.iter().any(|step| builds_base(&step.action)));
    let outcome = setup.execute(&plan).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    let released = candidate_of(&setup);
    assert_eq!(
        (&released.id, &released.tags[tags::STATE]),
        (&ami.id, &State::Released.as_str().to_owned())
    );
    assert!(!released.tags.contains_key(tags::KEPT));
    let found = setup
        .cloud
        .state(|state| latest(state, "base", &test_env()).1);
    assert_eq!(found, Some(ami.id.clone()));
    let child = setup.cloud.state(|state| state.own());
    let child = child
        .iter()
        .find(|ami| ami.name.starts_with("acme/a/"))
        .expect("a child");
    assert_eq!(child.tags[tags::BASE], format!("eu-west-1:{}", ami.id));
    setup.assert_clean("after the second run");
}

#[tokio::test]
async fn candidate_that_fails_its_checks_is_deregistered() {
    let (first, _) = release_without_capacity().await;
    let setup = first.next_run(catalog(&[]), NEXT_DAY);
    *setup.shell.deaf.lock().expect("no panic") = true;
    let outcome = setup.release("run-2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    assert_eq!(images(&setup), Vec::new());
    setup.assert_clean("failed checks");
}

#[tokio::test]
async fn candidate_stays_until_its_first_expiry() {
    let (first, _) = release_without_capacity().await;
    let before = candidate_of(&first);
    let setup = first.next_run(catalog(&[]), NEXT_DAY);
    refuse_boots(&setup);
    let outcome = setup.release("run-2").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    assert_eq!(candidate_of(&setup), before, "a second run changes nothing");
    let late = setup.next_run(catalog(&[]), "2026-11-29T11:00:00Z");
    refuse_boots(&late);
    late.release("run-3").await;
    let expires: Timestamp = candidate_of(&late).tags[tags::EXPIRES]
        .parse()
        .expect("time");
    assert_eq!(
        expires,
        late.now + jiff::SignedDuration::from_hours(12),
        "no sweep during the run"
    );
    let ended = late.next_run(catalog(&[]), "2026-11-29T13:00:00Z");
    let plan = ended.release_plan("run-4", false);
    assert_eq!(
        decision(&plan).verdict,
        PlanVerdict::Build,
        "not extended again"
    );
}

#[tokio::test]
async fn changed_candidate_is_neither_released_nor_removed() {
    let (first, _) = release_without_capacity().await;
    let setup = first.next_run(catalog(&[]), NEXT_DAY);
    let plan = setup.release_plan("run-2", false);
    let id = candidate_of(&setup).id;
    setup.cloud.state(|state| {
        let tags = &mut state.images.get_mut(&id).expect("it exists").tags;
        tags.insert(tags::KEPT.to_owned(), "until it expires".to_owned());
    });
    let outcome = setup.execute(&plan).await;
    assert!(outcome.kind().is_some(), "{outcome:?}");
    assert_eq!(
        candidate_of(&setup).tags[tags::STATE],
        State::Candidate.as_str()
    );
}

#[tokio::test]
async fn candidate_that_failed_its_checks_and_is_kept_is_not_adopted_again() {
    let (first, _) = release_without_capacity().await;
    let mut setup = first.next_run(catalog(&[]), NEXT_DAY);
    setup.options.keep_failed = true;
    *setup.shell.deaf.lock().expect("no panic") = true;
    let plan = setup.release_plan("run-2", false);
    assert_eq!(decision(&plan).verdict, PlanVerdict::Adopt);
    let outcome = setup.execute(&plan).await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    let id = candidate_of(&setup).id;
    let next = setup.next_run(catalog(&[]), "2026-11-24T12:00:00Z");
    let plan = next.release_plan("run-3", false);
    assert_eq!(decision(&plan).verdict, PlanVerdict::Build, "{id}");
}

#[tokio::test]
async fn candidate_that_cannot_be_marked_is_removed() {
    let setup = TestEnv::new();
    refuse_boots(&setup);
    // The first call tags the candidate, the second its snapshots.
    setup.cloud.fail(Fault {
        nth: 3,
        forever: true,
        ..Fault::always("tag")
    });
    let outcome = setup.release("run-1").await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    setup.assert_clean("a candidate without the mark");
}

#[tokio::test]
async fn build_for_comparison_keeps_no_candidate() {
    let setup = TestEnv::new();
    refuse_boots(&setup);
    let inventory = setup.inventory();
    let image = &setup.catalog.images[&"base".into()];
    let plan = plan_scratch_build(&setup.catalog, &inventory, image, "run-1".into());
    setup.execute(&plan.expect("a plan")).await;
    assert_eq!(images(&setup), Vec::new());
    setup.assert_clean("comparison");
}

/// Returns the verdict about `base` after changes of the next run.
async fn verdict_after(change: impl FnOnce(&mut TestEnv)) -> PlanVerdict {
    let (first, _) = release_without_capacity().await;
    let mut setup = first.next_run(catalog(&[]), NEXT_DAY);
    change(&mut setup);
    let plan = setup.release_plan("run-2", false);
    decision(&plan).verdict
}

fn change_tag(setup: &TestEnv, key: &str, value: &str) {
    let id = candidate_of(setup).id;
    setup.cloud.state(|state| {
        let ami = state.images.get_mut(&id).expect("it exists");
        ami.tags.insert(key.to_owned(), value.to_owned());
    });
}

fn replace_base(setup: &mut TestEnv, more: &str) {
    let source = "source: {owner: \"136693071363\", name: debian-12-*}\n";
    let checks = "checks:\n  - {file: /etc/passwd}\n";
    let text = if more.starts_with("checks") {
        format!("{source}{more}")
    } else {
        format!("{source}{checks}{more}")
    };
    setup.catalog = catalog(&[("base", &text)]);
}

#[tokio::test]
async fn only_an_equal_candidate_is_adopted() {
    assert_eq!(verdict_after(|_| {}).await, PlanVerdict::Adopt);
    let same = verdict_after(|setup| replace_base(setup, "max_age: 2d\n")).await;
    assert_eq!(same, PlanVerdict::Adopt, "younger than max_age");
    let fallbacks = "builder: {instance_types: [t3.small, t3a.small]}\n";
    let types = verdict_after(|setup| replace_base(setup, fallbacks)).await;
    assert_eq!(
        types,
        PlanVerdict::Build,
        "an own instance type is an input"
    );
    let build = PlanVerdict::Build;
    assert_eq!(
        verdict_after(|setup| replace_base(setup, "packages: [curl]\n")).await,
        build
    );
    assert_eq!(
        verdict_after(|setup| replace_base(setup, "checks:\n  - {file: /etc/group}\n")).await,
        build
    );
    assert_eq!(
        verdict_after(|setup| replace_base(setup, "max_age: 12h\n")).await,
        build
    );
    assert_eq!(
        verdict_after(|setup| change_tag(setup, tags::BASE, "eu-west-1:ami-1")).await,
        build
    );
    assert_eq!(
        verdict_after(|setup| change_tag(setup, tags::KEPT, "until it expires")).await,
        build
    );
    assert_eq!(
        verdict_after(|setup| change_tag(setup, tags::EXPIRES, NEXT_DAY)).await,
        build
    );
    let late = |setup: &mut TestEnv| {
        change_tag(setup, tags::EXPIRES, "2027-01-01T00:00:00Z");
        setup.now = "2026-11-30T12:00:00Z".parse().expect("time");
    };
    assert_eq!(verdict_after(late).await, build);
    let pending = |setup: &mut TestEnv| {
        let id = candidate_of(setup).id;
        setup.cloud.state(|state| {
            "pending".clone_into(&mut state.images.get_mut(&id).expect("it exists").status);
        });
    };
    assert_eq!(verdict_after(pending).await, build);
}

#[tokio::test]
async fn forced_build_and_newer_updates_ignore_the_candidate() {
    let (first, _) = release_without_capacity().await;
    let setup = first.next_run(catalog(&[]), NEXT_DAY);
    let forced = setup.release_plan("run-2", true);
    assert_eq!(decision(&forced).verdict, PlanVerdict::Build);
    let mut inventory = setup.inventory();
    let verdict = |at: &str, inventory: &mut Inventory| {
        let probe = serde_json::json!({
            "schema": 1, "image": "base", "version": "20261121.1", "ami": "ami-1", "at": at,
            "pending": [{"package": "openssl", "current": "1", "candidate": "2", "origin": "o", "security": true}],
        });
        let probe = serde_json::from_value(probe).expect("a probe");
        inventory.evidence.probes.insert("base".into(), probe);
        let request = ReleaseRequest {
            images: Vec::new(),
            force: false,
            run: "run-2".into(),
        };
        let catalog = Arc::clone(&setup.catalog);
        let plan = plan_release(&catalog, inventory, &request);
        decision(&plan).verdict
    };
    assert_eq!(
        verdict("2026-11-22T11:00:00Z", &mut inventory),
        PlanVerdict::Adopt
    );
    assert_eq!(
        verdict("2026-11-23T11:00:00Z", &mut inventory),
        PlanVerdict::Build
    );
}
