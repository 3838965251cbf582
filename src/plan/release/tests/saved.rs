//! Tests of saved plans: executed exactly at any time, or refused with the changed facts.

use super::{ReleaseRequest, both, catalog, inventory, released_ami};
use crate::lifecycle::tags;
use crate::model::{ImageName, Inventory, RunId};
use crate::plan::release::plan_release;
use crate::plan::saved::SavedRelease;
use crate::plan::step::Action;

fn request(run: &str) -> ReleaseRequest {
    ReleaseRequest {
        images: vec![ImageName::from("jdk")],
        force: true,
        run: RunId::from(run),
    }
}

#[test]
fn saved_plan_is_replanned_identically_later() {
    let c = catalog(&[("images/jdk.yaml", "parent: base\nmax_age: 30d\n")]);
    let then = inventory(both(&c), Some("ami-vendor"));
    let saved = SavedRelease::new(
        &c,
        &then,
        &request("r1"),
        plan_release(&c, &then, &request("r1")),
    );
    let text = serde_json::to_vec(&saved).expect("JSON");
    let saved: SavedRelease = serde_json::from_slice(&text).expect("it reads back");
    let later = Inventory {
        captured_at: "2027-01-05T00:00:00Z".parse().expect("time"),
        caller: "other".to_owned(),
        ..then
    };
    let today = saved
        .replan(&c, &later, &RunId::from("r2"))
        .expect("nothing moved");
    assert_eq!(
        today.decisions, saved.plan.decisions,
        "including the version of the reviewed day"
    );
    let expires = today.steps.iter().find_map(|s| match &s.action {
        Action::TagCandidate { tags, .. } => tags.get(tags::EXPIRES).cloned(),
        _ => None,
    });
    assert_eq!(
        expires.as_deref(),
        Some("2027-01-05T12:00:00Z"),
        "the expiry counts from now"
    );
    assert!(
        today
            .steps
            .iter()
            .all(|s| !format!("{s:?}").contains("r1\"")),
        "the run is the new one"
    );
}

#[test]
fn saved_plan_names_changed_facts() {
    let c = catalog(&[]);
    let then = inventory(both(&c), Some("ami-vendor"));
    let saved = SavedRelease::new(
        &c,
        &then,
        &request("r1"),
        plan_release(&c, &then, &request("r1")),
    );
    let refused = |catalog, inventory: &Inventory| {
        saved
            .replan(catalog, inventory, &RunId::from("r2"))
            .expect_err("moved")
            .join("; ")
    };
    let edited = catalog(&[("motd", "bye\n")]);
    assert_eq!(refused(&edited, &then), "jdk: file motd changed");
    assert_eq!(
        refused(&c, &inventory(both(&c), Some("ami-2"))),
        "base: source changed: ami-vendor -> ami-2"
    );
    let mut moved = inventory(both(&c), Some("ami-vendor"));
    moved.images[1]
        .tags
        .insert(tags::STATE.to_owned(), "held".to_owned());
    let words =
        "jdk: AMI ami-jdk-20261101.1 in eu-west-1: tag bakeline:state changed: released -> held";
    assert_eq!(refused(&c, &moved), words);
    let mut more = both(&c);
    more.push(released_ami(&c, "base", "20261110.1", &[]));
    assert!(
        refused(&c, &inventory(more, Some("ami-vendor")))
            .contains("base: AMI ami-base-20261110.1 in eu-west-1")
    );
    // An unrelated image may change.
    let other = catalog(&[("images/other.yaml", "parent: base\n")]);
    assert!(saved.replan(&other, &then, &RunId::from("r2")).is_ok());
}
