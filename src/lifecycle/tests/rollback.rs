//! Tests of repeated and interrupted rollbacks.

use super::ami;
use super::life::{catalog, inventory};
use crate::lifecycle::rollback::{RollbackDecision, decide_rollback};
use crate::lifecycle::{Record, tags};
use crate::model::Ami;

#[test]
fn repeated_rollback_never_goes_further_back() {
    let catalog = catalog(
        "environments: [{name: Test, regions: [eu-west-1]}, {name: Prod, regions: [eu-west-1]}]\n",
    );
    let asked = (&catalog.images[&"jdk".into()], &"Prod".into());
    let choose = |amis: &[&Ami]| {
        let inventory = inventory(amis.iter().map(|a| (*a).clone()).collect(), &[]);
        let records = Record::read_all(&inventory.images, &"acme".into());
        match decide_rollback(&catalog, &inventory, &records, asked, None) {
            Ok(RollbackDecision::Move(back)) => format!("{} to {}", back.from, back.to),
            Ok(RollbackDecision::Keep(version, _)) => format!("keeps {version}"),
            Err(why) => why,
        }
    };
    let prod = |version: &str, more: &[(&str, &str)]| {
        ami("jdk", version, &[&[("Environment", "Prod")], more].concat())
    };
    let one = prod("20261101.1", &[]);
    let two = prod(
        "20261102.1",
        &[(tags::CURRENT, "Prod=2026-11-06T00:00:00Z")],
    );
    let three = |more: &[(&str, &str)]| {
        ami(
            "jdk",
            "20261103.1",
            &[&[(tags::STATE, "held")], more].concat(),
        )
    };
    let interrupted = three(&[(tags::CURRENT, "Prod=2026-11-03T00:00:00Z")]);
    assert_eq!(
        choose(&[&one, &two, &interrupted]),
        "20261103.1 to 20261102.1",
        "completes the interrupted one"
    );
    let finished = three(&[(tags::ROLLED_BACK, "Prod=2026-11-06T00:00:00Z")]);
    assert_eq!(choose(&[&one, &two, &finished]), "keeps 20261102.1");
    for (other, why) in [
        (three(&[]), "held by hand, not by a rollback of Prod"),
        (
            three(&[(tags::ROLLED_BACK, "Test=2026-11-06T00:00:00Z")]),
            "rolled back in another environment",
        ),
        (
            three(&[(tags::ROLLED_BACK, "Prod=2026-11-04T00:00:00Z")]),
            "promoted again since that rollback",
        ),
    ] {
        assert_eq!(
            choose(&[&one, &two, &other]),
            "20261102.1 to 20261101.1",
            "{why}"
        );
    }
    let old = prod(
        "20261102.1",
        &[(tags::CURRENT, "Prod=2026-11-02T00:00:00Z")],
    );
    let promoted = prod(
        "20261103.1",
        &[(tags::CURRENT, "Prod=2026-11-03T00:00:00Z")],
    );
    assert_eq!(
        choose(&[&one, &old, &promoted]),
        "20261103.1 to 20261102.1",
        "an interrupted promotion"
    );
}
