//! Owns the proof that a sweep looks once more at an AMI that only its name tells of, right before it goes.

use super::{House, region};
use crate::adapters::fake::{ACCOUNT, Fault};
use crate::error::Kind;
use crate::lifecycle::sweep::Leftover;
use crate::lifecycle::tags;
use crate::model::{AmiId, Reference, Tags, TemporaryKind, TemporaryResource};
use crate::plan::sweep::plan_sweep;

const NAME: &str = "acme/z/x86_64/20261122.1-r1";

/// A house with an AMI without tags that a sweep was decided to take.
fn house() -> (House, AmiId, crate::plan::Plan) {
    let house = House::new();
    let id = house
        .cloud
        .state(|w| w.register(&region(), NAME, ACCOUNT, &Tags::new()));
    let (kind, name) = (TemporaryKind::Image, NAME.to_owned());
    let thing = TemporaryResource {
        kind,
        id: id.0.clone(),
        name,
        region: region(),
        account: None,
        tags: Tags::new(),
        used: false,
    };
    let leftover = Leftover {
        resource: thing,
        remove: true,
        reason: "test".to_owned(),
    };
    let plan = plan_sweep(&[leftover], "r2".into(), house.now);
    (house, id, plan)
}

#[tokio::test]
async fn an_ami_without_tags_goes_only_if_it_has_none_and_nothing_refers_to_it_at_the_last_moment()
{
    let (house, id, plan) = house();
    assert_eq!(house.act(&plan).await.kind(), None);
    assert!(
        !house.cloud.state(|w| w.images.contains_key(&id)),
        "nothing speaks for it"
    );
    for why in ["tag", "used", "unread"] {
        let (house, id, plan) = self::house();
        house.cloud.state(|w| match why {
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
            house.cloud.fail(Fault::always("references"));
        }
        let expected = if why == "unread" {
            Kind::StepFailed
        } else {
            Kind::Refused
        };
        assert_eq!(house.act(&plan).await.kind(), Some(expected), "{why}");
        assert!(house.cloud.state(|w| w.images.contains_key(&id)), "{why}");
    }
}
