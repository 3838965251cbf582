//! Owns the proof that a sweep looks once more at an AMI that only its name tells of, right before it goes.

use super::{TestEnv, region};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::error::Kind;
use crate::lifecycle::sweep::Leftover;
use crate::lifecycle::tags;
use crate::model::{AmiId, Reference, Tags, Temporary, TemporaryKind};
use crate::plan::sweep::plan;

const NAME: &str = "acme/z/x86_64/20261122.1-r1";

/// A setup with an AMI without tags that a sweep was decided to take.
fn setup() -> (TestEnv, AmiId, crate::plan::Plan) {
    let setup = TestEnv::new();
    let id = setup
        .cloud
        .state(|w| w.register(&region(), NAME, ACCOUNT, &Tags::new()));
    let (kind, name) = (TemporaryKind::Image, NAME.to_owned());
    let thing = Temporary {
        kind,
        id: id.0.clone(),
        name,
        region: region(),
        account: None,
        tags: Tags::new(),
        used: false,
    };
    let leftover = Leftover {
        thing,
        remove: true,
        because: "test".to_owned(),
    };
    let plan = plan(&[leftover], "r2".into(), setup.now);
    (setup, id, plan)
}

#[tokio::test]
async fn an_ami_without_tags_goes_only_if_it_has_none_and_nothing_refers_to_it_at_the_last_moment()
{
    let (setup, id, plan) = setup();
    assert_eq!(setup.execute(&plan).await.kind(), None);
    assert!(
        !setup.cloud.state(|w| w.images.contains_key(&id)),
        "nothing speaks for it"
    );
    for why in ["tag", "used", "unread"] {
        let (setup, id, plan) = self::setup();
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
                    by,
                });
            }
            _ => {}
        });
        if why == "unread" {
            setup.cloud.fail(Fault::always("references"));
        }
        let expected = if why == "unread" {
            Kind::StepFailed
        } else {
            Kind::Refused
        };
        assert_eq!(setup.execute(&plan).await.kind(), Some(expected), "{why}");
        assert!(setup.cloud.state(|w| w.images.contains_key(&id)), "{why}");
    }
}
