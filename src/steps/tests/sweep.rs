//! Tests that a sweep verifies an untagged AMI again directly before removing it.

use super::{TestEnv, region};
use crate::adapters::fake::{ACCOUNT, FakeGroup, FakeInstance, Fault};
use crate::error::ErrorKind;
use crate::lifecycle::sweep::Leftover;
use crate::lifecycle::tags;
use crate::model::{AmiId, InstanceId, Reference, Tags, TemporaryKind, TemporaryResource};
use crate::plan::Plan;
use crate::plan::sweep::plan_sweep;
use crate::ports::CloudErrorKind;

const NAME: &str = "acme/z/x86_64/20261122.1-r1";

/// Returns a plan to sweep one resource without tags.
fn sweep_of(setup: &TestEnv, kind: TemporaryKind, id: &str, name: &str) -> Plan {
    let resource = TemporaryResource {
        kind,
        id: id.to_owned(),
        name: name.to_owned(),
        region: region(),
        account: None,
        tags: Tags::new(),
        used: false,
    };
    let leftover = Leftover {
        resource,
        remove: true,
        reason: "test".to_owned(),
    };
    plan_sweep(&[leftover], "r2".into(), setup.now)
}

/// Returns an environment with an untagged AMI, and a plan to sweep it.
fn untagged_ami() -> (TestEnv, AmiId, Plan) {
    let setup = TestEnv::new();
    let id = setup
        .cloud
        .state(|w| w.register(&region(), NAME, ACCOUNT, &Tags::new()));
    let plan = sweep_of(&setup, TemporaryKind::Image, id.as_str(), NAME);
    (setup, id, plan)
}

#[tokio::test]
async fn sweep_refuses_untagged_ami_changed_since_decision() {
    let (setup, id, plan) = untagged_ami();
    assert_eq!(setup.execute(&plan).await.kind(), None);
    assert!(
        !setup.cloud.state(|w| w.images.contains_key(&id)),
        "the AMI is unused"
    );
    for why in ["tag", "used", "unread"] {
        let (setup, id, plan) = untagged_ami();
        setup.cloud.state(|w| match why {
            "tag" => drop(
                w.images
                    .get_mut(&id)
                    .expect("there")
                    .tags
                    .insert(tags::SCHEMA.to_owned(), "1".to_owned()),
            ),
            "used" => {
                let (kind, by) = ("instance".to_owned(), "i-1".to_owned());
                w.references.push(Reference {
                    ami: id.clone(),
                    kind,
                    referrer: by,
                });
            }
            _ => {}
        });
        if why == "unread" {
            setup.cloud.fail(Fault::always("references"));
        }
        let expected = if why == "unread" {
            ErrorKind::StepFailed
        } else {
            ErrorKind::Refused
        };
        assert_eq!(setup.execute(&plan).await.kind(), Some(expected), "{why}");
        assert!(setup.cloud.state(|w| w.images.contains_key(&id)), "{why}");
    }
}

#[tokio::test]
async fn ami_that_an_earlier_sweep_marked_is_kept_if_it_is_used() {
    for is_used in [false, true] {
        let (setup, id, mut plan) = untagged_ami();
        let denied = Fault {
            forever: false,
            ..Fault::always("deregister")
        };
        setup.cloud.fail(denied);
        assert_eq!(
            setup.execute(&plan).await.kind(),
            Some(ErrorKind::StepFailed)
        );
        let tags = setup.cloud.state(|w| w.images[&id].tags.clone());
        assert!(tags.contains_key(tags::CATALOG), "{tags:?}");
        if is_used {
            setup.cloud.state(|w| {
                w.references.push(Reference {
                    ami: id.clone(),
                    kind: "instance".to_owned(),
                    referrer: "i-1".to_owned(),
                });
            });
        }
        for step in &mut plan.steps {
            if let crate::plan::Action::Sweep { resource } = &mut step.action {
                resource.tags.clone_from(&tags);
            }
        }
        let next = setup.next_run(
            std::sync::Arc::clone(&setup.catalog),
            "2026-11-23T12:00:00Z",
        );
        let outcome = next.execute(&plan).await;
        let expected = is_used.then_some(ErrorKind::Refused);
        assert_eq!(outcome.kind(), expected, "{outcome:?}");
        assert_eq!(next.cloud.state(|w| w.images.contains_key(&id)), is_used);
    }
}

#[tokio::test]
async fn resource_that_stays_in_use_is_reported_with_the_answer_of_ec2() {
    let setup = TestEnv::new();
    let id = setup.cloud.state(|state| {
        let (id, name, tags) = (state.id("sg"), NAME.to_owned(), Tags::new());
        state.groups.insert(id.clone(), FakeGroup { name, tags });
        id
    });
    setup.cloud.fail(Fault {
        kind: CloudErrorKind::InUse,
        ..Fault::always("delete_group")
    });
    let plan = sweep_of(&setup, TemporaryKind::SecurityGroup, &id, NAME);
    let outcome = setup.execute(&plan).await;
    assert_eq!(outcome.kind(), Some(ErrorKind::StepFailed), "{outcome:?}");
    let text = format!("{outcome:?}");
    assert!(text.contains("gave up waiting"), "{text}");
    assert!(
        text.contains("delete_group"),
        "the call and its error: {text}"
    );
}

#[tokio::test]
async fn sweep_removes_listed_resource_that_ec2_does_not_know_for_a_while() {
    // EC2 answers NotFound by ID although the list of the sweep contains the resource.
    for kind in [
        TemporaryKind::Image,
        TemporaryKind::SecurityGroup,
        TemporaryKind::Instance,
    ] {
        let setup = TestEnv::new();
        let id = setup.cloud.state(|state| {
            let id = match kind {
                TemporaryKind::Image => state.register(&region(), NAME, ACCOUNT, &Tags::new()).0,
                TemporaryKind::SecurityGroup => {
                    let (id, name, tags) = (state.id("sg"), NAME.to_owned(), Tags::new());
                    state.groups.insert(id.clone(), FakeGroup { name, tags });
                    id
                }
                _ => {
                    let id = state.id("i");
                    let instance = FakeInstance {
                        ami: "ami-1".into(),
                        instance_type: "t3.small".to_owned(),
                        subnet: None,
                        status: "running".to_owned(),
                        group: "sg-1".to_owned(),
                        token: String::new(),
                        tags: Tags::new(),
                    };
                    state.instances.insert(InstanceId(id.clone()), instance);
                    id
                }
            };
            state.hidden.insert(id.clone(), 3);
            id
        });
        let plan = sweep_of(&setup, kind, &id, NAME);
        assert_eq!(setup.execute(&plan).await.kind(), None, "{kind:?}");
        setup.cloud.state(|state| {
            let mut instances = state.instances.values();
            let is_left = state.images.contains_key(&AmiId(id.clone()))
                || state.groups.contains_key(&id)
                || instances.any(|instance| instance.status != "terminated");
            assert!(!is_left, "{kind:?} {id}");
        });
    }
}
