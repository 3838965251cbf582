//! Property tests of the cumulative table, for every combination of causes.

use proptest::prelude::*;

use super::{ami, catalog, decisions_for, inventory, released_ami};
use crate::lifecycle::tags;
use crate::matrix::proptest_config;
use crate::model::{Ami, Tags};

/// Circumstances of a decision.
#[derive(Debug, Clone)]
struct Case {
    custom: bool,
    forced: bool,
    aged: bool,
    origin_newer: bool,
    recipe: bool,
    depth: u32,
    rebase_after: u32,
    state: &'static str,
    newer_revoked: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let flags = any::<(bool, bool, bool, bool, bool, bool)>();
    let state = prop::sample::select(vec!["released", "released", "held"]);
    (flags, 0..4u32, 1..4u32, state).prop_map(
        |(
            (custom, forced, aged, origin_newer, recipe, newer_revoked),
            depth,
            rebase_after,
            state,
        )| Case {
            custom,
            forced,
            aged,
            origin_newer,
            recipe,
            depth,
            rebase_after,
            state,
            newer_revoked,
        },
    )
}

/// Returns the decision of the planner in this case.
fn decision(case: &Case) -> String {
    let rules = format!(
        "rebase_after: {}\n{}",
        case.rebase_after,
        if case.aged {
            "max_age: 10d\n"
        } else {
            "max_age: 300d\n"
        }
    );
    let (source, parent) = (
        "source: {owner: amazon, name: debian-*}\n",
        "parent: base\n",
    );
    let own = if case.custom { parent } else { source };
    let name = if case.custom { "jdk" } else { "base" };
    let file = format!("images/{name}.yaml");
    let before = format!("{own}{rules}");
    let after = format!(
        "{before}{}",
        if case.recipe {
            "packages: [curl]\n"
        } else {
            ""
        }
    );
    let (old, new) = (catalog(&[(&file, &before)]), catalog(&[(&file, &after)]));
    let more = [
        (tags::DEPTH, case.depth.to_string()),
        (tags::STATE, case.state.to_owned()),
    ];
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let created_early = |ami: Ami| Ami {
        created: "2026-11-01T00:00:00Z".to_owned(),
        ..ami
    };
    let mut images = vec![created_early(released_ami(&old, name, "20261101.1", &more))];
    if case.newer_revoked {
        images.push(created_early(released_ami(
            &old,
            name,
            "20261105.1",
            &[(tags::STATE, "revoked"), (tags::CURRENT, "")],
        )));
    }
    let mut vendor = "ami-vendor";
    if case.custom {
        images.push(released_ami(&old, "base", "20261101.1", &[]));
        if case.origin_newer {
            images.push(released_ami(
                &old,
                "base",
                "20261110.1",
                &[(tags::CURRENT, "Test=2026-11-10T00:00:00Z")],
            ));
        }
    } else if case.origin_newer {
        vendor = "ami-vendor-2";
    }
    decisions_for(&new, &inventory(images, Some(vendor)), &[name], case.forced).join("\n")
}

/// Returns the base that the table of the design requires.
fn expected(case: &Case) -> &'static str {
    let due = case.forced || case.aged;
    if !(due || case.origin_newer || case.recipe) {
        return "keep 20261101.1";
    }
    let withdrawn = case.state == "held" || case.newer_revoked;
    let from_origin =
        case.origin_newer || case.recipe || withdrawn || case.depth >= case.rebase_after;
    match (from_origin, case.custom, case.origin_newer) {
        (false, _, _) => "on last good build 20261101.1",
        (true, false, false) => "on name of ami-vendor (ami-vendor)",
        (true, false, true) => "on name of ami-vendor-2 (ami-vendor-2)",
        (true, true, false) => "on base 20261101.1 (ami-base-20261101.1)",
        (true, true, true) => "on base 20261110.1 (ami-base-20261110.1)",
    }
}

proptest! {
    #![proptest_config(proptest_config(300, 300))]

    #[test]
    fn base_follows_the_cumulative_table(case in cases()) {
        let actual = decision(&case);
        prop_assert!(actual.contains(expected(&case)), "{}\nnot: {}", actual, expected(&case));
    }
}

/// Builds are counted by the tag, or by following `bakeline:base` without it. The tag also names
/// the source after the AMIs of the chain are gone.
#[test]
fn chain_keeps_its_length_and_source() {
    let c = catalog(&[(
        "images/base.yaml",
        "source: {owner: amazon, name: debian-*}\nrebase_after: 2\n",
    )]);
    let on = |version: &str, base: &str| {
        let since = format!(
            "Test={}-{}-{}T00:00:00Z",
            &version[..4],
            &version[4..6],
            &version[6..8]
        );
        let base = format!("eu-west-1:{base}");
        released_ami(
            &c,
            "base",
            version,
            &[(tags::BASE, &base), (tags::CURRENT, &since)],
        )
    };
    let first = on("20261101.1", "ami-vendor");
    let second = on("20261102.1", "ami-base-20261101.1");
    let third = on("20261103.1", "ami-base-20261102.1");
    let decision_for = |images: Vec<Ami>, force| {
        decisions_for(&c, &inventory(images, Some("ami-vendor")), &["base"], force).join("")
    };
    let all = vec![first.clone(), second.clone(), third.clone()];
    assert!(
        decision_for(all.clone(), false).contains("keep"),
        "{}",
        decision_for(all.clone(), false)
    );
    assert!(decision_for(vec![first, second], true).contains("last good build 20261102.1"));
    assert!(
        decision_for(all, true).contains("on name of ami-vendor"),
        "two builds on itself are enough"
    );

    // The ancestors were pruned: the source is unknown without the tag, and unchanged with it.
    let tagged: Tags = third
        .tags
        .clone()
        .into_iter()
        .chain([
            tag(tags::SOURCE, "ami-vendor 2026-10-01T00:00:00Z"),
            tag(tags::DEPTH, "1"),
        ])
        .collect();
    let alone = ami("ami-base-20261103.1", tagged);
    assert!(
        decision_for(vec![alone.clone()], false).contains("keep"),
        "{}",
        decision_for(vec![alone.clone()], false)
    );
    assert!(decision_for(vec![alone], true).contains("last good build 20261103.1"));
}

fn tag(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// A vendor that removes its newest AMI does not make an older one newer.
#[test]
fn older_source_starts_no_build() {
    let c = catalog(&[]);
    let base = released_ami(
        &c,
        "base",
        "20261101.1",
        &[(tags::SOURCE, "ami-gone 2026-12-01T00:00:00Z")],
    );
    let got = decisions_for(
        &c,
        &inventory(vec![base.clone()], Some("ami-vendor")),
        &["base"],
        false,
    );
    assert!(got[0].contains("keep"), "{}", got[0]);
    let older = released_ami(
        &c,
        "base",
        "20261101.1",
        &[(tags::SOURCE, "ami-gone 2026-10-01T00:00:00Z")],
    );
    let got = decisions_for(
        &c,
        &inventory(vec![older], Some("ami-vendor")),
        &["base"],
        false,
    );
    let expected_text = "because source is newer: name of ami-vendor (ami-vendor) of 2026-11-22 after ami-gone of 2026-10-01";
    assert!(got[0].contains(expected_text), "{}", got[0]);
}
