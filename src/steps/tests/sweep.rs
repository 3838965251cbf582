//! Tests that a sweep verifies an untagged AMI again directly before removing it.

use super::{TestEnv, region};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::error::ErrorKind;
use crate::lifecycle::sweep::Leftover;
use crate::lifecycle::tags;
use crate::model::{AmiId, Reference, Tags, TemporaryKind, TemporaryResource};
use crate::plan::sweep::plan_sweep;

const NAME: &str = "acme/z/x86_64/20261122.1-r1";

/// Returns an environment with an untagged AMI, and a plan to sweep it.
fn untagged_ami() -> (TestEnv, AmiId, crate::plan::Plan) {
    let setup = TestEnv::new();
    let id = setup
        .cloud
        .state(|w| w.register(&region(), NAME, ACCOUNT, &Tags::new()));
    let (kind, name) = (TemporaryKind::Image, NAME.to_owned());
    let resource = TemporaryResource {
        kind,
        id: id.0.clone(),
        name,
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
    let plan = plan_sweep(&[leftover], "r2".into(), setup.now);
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
