//! Tests of release decisions: verdicts, bases and reasons.

mod cumulative;
mod deprecated;
mod reasons;
mod saved;

use std::collections::BTreeMap;

use super::{ReleaseRequest, plan_release};
use crate::catalog::{Catalog, load};
use crate::lifecycle::tags;
use crate::model::{
    Ami, AmiId, Evidence, INVENTORY_SCHEMA, ImageName, Inventory, Region, RunId, Tags,
};
use crate::plan::fingerprint::Recipe;
use crate::plan::step::{Decision, PlanVerdict};

const NOW: &str = "2026-11-22T12:00:00Z";

/// Returns a catalog of a base image and a child, with these files changed.
fn catalog(changed: &[(&str, &str)]) -> Catalog {
    let sound = [
        ("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n"),
        (
            "images/base.yaml",
            "source: {owner: amazon, name: debian-*}\n",
        ),
        (
            "images/jdk.yaml",
            "parent: base\npackages: [jdk]\nfiles:\n  - {source: motd, destination: /etc/motd}\n",
        ),
        ("motd", "hello\n"),
    ];
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (path, text) in sound.iter().chain(changed) {
        files.insert((*path).to_owned(), text.as_bytes().to_vec());
    }
    let (catalog, findings) = load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

fn ami(id: &str, tags: Tags) -> Ami {
    Ami {
        id: AmiId::from(id),
        region: Region::from("eu-west-1"),
        name: format!("name of {id}"),
        owner: "123456789012".to_owned(),
        arch: "x86_64".to_owned(),
        created: NOW.to_owned(),
        status: "available".to_owned(),
        root_device: "/dev/xvda".to_owned(),
        other_devices: Vec::new(),
        imds_v2: false,
        snapshots: Vec::new(),
        tags,
        public: false,
        last_launched: None,
        protected: false,
        deprecated: None,
    }
}

/// Returns an AMI as a release of `catalog` creates it, with some tags different.
fn released_ami(catalog: &Catalog, image: &str, version: &str, more: &[(&str, &str)]) -> Ami {
    let (name, id) = (ImageName::from(image), format!("ami-{image}-{version}"));
    let mut tags: Tags = [
        (tags::SCHEMA, "1".to_owned()),
        (tags::CATALOG, "acme".to_owned()),
        (tags::SELF, id.clone()),
        (tags::IMAGE, image.to_owned()),
        (tags::VERSION, version.to_owned()),
        (tags::ARCH, "x86_64".to_owned()),
        (tags::STATE, "released".to_owned()),
        (tags::CURRENT, "Test=2026-11-01T00:00:00Z".to_owned()),
        (
            tags::RECIPE,
            Recipe::from_image(catalog, &catalog.images[&name]).digest(),
        ),
        (
            tags::CHECKS,
            crate::checks::digest(&catalog.controls(&name)),
        ),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .into();
    match image {
        "base" => tags.insert(tags::BASE.to_owned(), "eu-west-1:ami-vendor".to_owned()),
        _ => tags.insert(tags::PARENT.to_owned(), "base@20261101.1".to_owned()),
    };
    tags.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    ami(&id, tags)
}

fn inventory(images: Vec<Ami>, vendor: Option<&str>) -> Inventory {
    Inventory {
        schema: INVENTORY_SCHEMA,
        captured_at: NOW.parse().expect("time"),
        account: String::new(),
        caller: "me".to_owned(),
        commit: None,
        images,
        skipped: BTreeMap::new(),
        sources: BTreeMap::from([(
            ImageName::from("base"),
            vendor.map(|id| ami(id, Tags::new())),
        )]),
        references: Vec::new(),
        evidence: Evidence::default(),
        parameters: Vec::new(),
        unreachable: Vec::new(),
        unread_references: Vec::new(),
    }
}

fn both(catalog: &Catalog) -> Vec<Ami> {
    vec![
        released_ami(catalog, "base", "20261101.1", &[]),
        released_ami(catalog, "jdk", "20261101.1", &[]),
    ]
}

/// Returns `image: verdict version on … because …` for each decision.
fn decisions_for(
    catalog: &Catalog,
    inventory: &Inventory,
    images: &[&str],
    force: bool,
) -> Vec<String> {
    let images = images.iter().map(|i| ImageName::from(*i)).collect();
    let plan = plan_release(
        catalog,
        inventory,
        &ReleaseRequest {
            images,
            force,
            run: RunId::from("run"),
        },
    );
    let line = |d: &Decision| {
        let version = d.version.map_or_else(String::new, |v| format!(" {v}"));
        let base = d
            .base
            .as_ref()
            .map_or_else(String::new, |b| format!(" on {b}"));
        format!(
            "{}: {}{version}{base} because {}",
            d.image,
            d.verdict.as_str(),
            d.reasons.join("; ")
        )
    };
    for decision in &plan.decisions {
        let steps = plan
            .steps
            .iter()
            .filter(|s| s.scope.is_home_of(&decision.image))
            .count();
        assert_eq!(
            steps > 0,
            matches!(decision.verdict, PlanVerdict::Build | PlanVerdict::Recheck),
            "{decision:?}"
        );
    }
    plan.decisions.iter().map(line).collect()
}

#[test]
fn first_release_builds_parents_first() {
    let c = catalog(&[]);
    assert_eq!(
        decisions_for(&c, &inventory(vec![], Some("ami-vendor")), &[], false),
        [
            "base: build 20261122.1 on name of ami-vendor (ami-vendor) because no earlier released version",
            "jdk: build 20261122.1 on base 20261122.1 of this run because no earlier released version",
        ]
    );
}

#[test]
fn unchanged_catalog_keeps_all_images() {
    let c = catalog(&[]);
    assert_eq!(
        decisions_for(&c, &inventory(both(&c), Some("ami-vendor")), &[], false),
        [
            "base: keep 20261101.1 because nothing changed since this version",
            "jdk: keep 20261101.1 because nothing changed since this version",
        ]
    );
}

/// A changed input determines whether each image is built, rechecked or kept, and from which AMI. A
/// rebuilt parent rebuilds its child.
#[test]
fn changed_input_decides_build_and_base() {
    let c = catalog(&[]);
    let old = |c: &Catalog| inventory(both(c), Some("ami-vendor"));
    let keep = "keep";
    let recipe = catalog(&[(
        "images/jdk.yaml",
        "parent: base\npackages: [jdk, curl]\nfiles:\n  - {source: motd, destination: /etc/motd}\n",
    )]);
    let file = catalog(&[("motd", "hello again\n")]);
    let checks = catalog(&[(
        "images/jdk.yaml",
        "parent: base\npackages: [jdk]\nfiles:\n  - {source: motd, destination: /etc/motd}\nchecks:\n  - {package: jdk}\n",
    )]);
    let base = catalog(&[(
        "images/base.yaml",
        "source: {owner: amazon, name: debian-*}\npackages: [curl]\n",
    )]);
    let mut due = old(&c);
    due.sources = inventory(vec![], Some("ami-vendor-2")).sources;
    for (what, now, inventory, base_does, jdk_does) in [
        ("recipe", &recipe, old(&c), keep, "on base 20261101.1"),
        (
            "a file's content",
            &file,
            old(&c),
            keep,
            "on base 20261101.1",
        ),
        (
            "checks",
            &checks,
            old(&c),
            keep,
            "recheck 20261101.1 because",
        ),
        (
            "the parent's recipe",
            &base,
            old(&c),
            "on name of ami-vendor",
            "on base 20261122.1 of this run",
        ),
        (
            "source",
            &c,
            due,
            "on name of ami-vendor-2",
            "on base 20261122.1 of this run",
        ),
    ] {
        let got = decisions_for(now, &inventory, &[], false);
        assert!(got[0].contains(base_does), "{what}: {}", got[0]);
        assert!(got[1].contains(jdk_does), "{what}: {}", got[1]);
    }
}

#[test]
fn newer_parent_rebuilds_child() {
    let c = catalog(&[]);
    let mut images = both(&c);
    images.push(released_ami(
        &c,
        "base",
        "20261115.1",
        &[(tags::CURRENT, "Test=2026-11-15T00:00:00Z")],
    ));
    let got = decisions_for(&c, &inventory(images, Some("ami-vendor")), &["jdk"], false);
    assert_eq!(got.len(), 1);
    assert!(
        got[0].contains("on base 20261115.1 (ami-base-20261115.1)"),
        "{}",
        got[0]
    );
}

#[test]
fn forced_build_starts_from_last_good_build() {
    let c = catalog(&[]);
    let got = decisions_for(
        &c,
        &inventory(both(&c), Some("ami-vendor")),
        &["base"],
        true,
    );
    assert!(
        got[0].starts_with("base: build 20261122.1 on last good build 20261101.1"),
        "{}",
        got[0]
    );
    for (state, words) in [
        ("held", "on name of ami-vendor"),
        ("revoked", "on name of ami-vendor"),
    ] {
        let images = vec![released_ami(
            &c,
            "base",
            "20261101.1",
            &[(tags::STATE, state)],
        )];
        let got = decisions_for(&c, &inventory(images, Some("ami-vendor")), &["base"], true);
        assert!(got[0].contains(words), "{state}: {}", got[0]);
    }
}

#[test]
fn missing_source_blocks_base_and_children() {
    let c = catalog(&[]);
    let got = decisions_for(&c, &inventory(vec![], None), &[], false);
    assert_eq!(
        got[0],
        "base: blocked because source not found: no available AMI named `debian-*` of owner `amazon` in eu-west-1"
    );
    assert_eq!(
        got[1],
        "jdk: blocked because its parent `base` has no released version and cannot be built now"
    );
}

#[test]
fn requested_child_builds_only_missing_parents() {
    let c = catalog(&[]);
    assert_eq!(
        decisions_for(&c, &inventory(vec![], Some("ami-vendor")), &["jdk"], false).len(),
        2
    );
    let base = vec![released_ami(&c, "base", "20261101.1", &[])];
    let got = decisions_for(&c, &inventory(base, Some("ami-vendor")), &["jdk"], false);
    assert_eq!(
        got,
        [
            "jdk: build 20261122.1 on base 20261101.1 (ami-base-20261101.1) because no earlier released version"
        ]
    );
}

#[test]
fn next_version_follows_candidates_and_revoked_versions() {
    let c = catalog(&[]);
    let images = ["candidate", "revoked"]
        .iter()
        .zip(1..)
        .map(|(s, n)| released_ami(&c, "base", &format!("20261122.{n}"), &[(tags::STATE, s)]));
    let got = decisions_for(
        &c,
        &inventory(images.collect(), Some("ami-vendor")),
        &["base"],
        false,
    );
    assert!(
        got[0].starts_with("base: build 20261122.3 on name of"),
        "{}",
        got[0]
    );
}

#[test]
fn recipe_ignores_order_of_keys() {
    let (one, other) = (
        catalog(&[]),
        catalog(&[(
            "images/jdk.yaml",
            "files:\n  - {destination: /etc/motd, source: motd}\npackages: [jdk]\nparent: base\n",
        )]),
    );
    let digest = |c: &Catalog| Recipe::from_image(c, &c.images[&ImageName::from("jdk")]).digest();
    assert_eq!(digest(&one), digest(&other));
    assert_ne!(digest(&one), digest(&catalog(&[("motd", "x")])));
}
