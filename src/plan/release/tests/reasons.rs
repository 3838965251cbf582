//! Tests of the texts of reasons: they name the changed input.

use super::{both, catalog, decisions_for, inventory, released_ami};
use crate::catalog::Catalog;
use crate::lifecycle::tags;
use crate::model::{AmiId, BuildHistory, ImageName, Inventory, Probe, RunId, Update, Version};
use crate::plan::fingerprint::build_manifest;

/// Returns the inventory after a release of `then`, with its manifests in the store.
fn released_inventory(then: &Catalog) -> Inventory {
    let mut inventory = inventory(both(then), Some("ami-vendor"));
    for image in then.images.values() {
        let version: Version = "20261101.1".parse().expect("a version");
        let manifest = build_manifest(then, image, version, &RunId::from("r1"));
        inventory
            .evidence
            .manifests
            .insert(image.name.clone(), manifest);
    }
    inventory
}

const JDK: &str =
    "parent: base\npackages: [jdk]\nfiles:\n  - {source: motd, destination: /etc/motd}\n";
const BASE: &str = "source: {owner: amazon, name: debian-*}\n";

/// Returns the decision about `jdk` after a release, when one file was changed.
fn decision_after_change(path: &str, text: &str) -> String {
    let released = released_inventory(&catalog(&[]));
    decisions_for(&catalog(&[(path, text)]), &released, &["jdk"], false).remove(0)
}

/// Asserts that a changed image file plans a build with this reason.
fn assert_build_reason(path: &str, text: &str, reason: &str) {
    let got = decision_after_change(path, text);
    assert!(
        got.starts_with("jdk: build ") && got.ends_with(reason),
        "{path}: {got}\nnot {reason}"
    );
}

#[test]
fn reason_names_changed_keys_of_image() {
    let replaced = |from: &str, to: &str| JDK.replace(from, to);
    for (text, reason) in [
        (
            replaced("[jdk]", "[jdk, nginx]"),
            "because package nginx added",
        ),
        (
            replaced("packages: [jdk]\n", ""),
            "because package jdk removed; template templates/provision/common/packages.sh removed",
        ),
        (
            replaced("[jdk]", "[jdk=17]"),
            "because package jdk changed: any version -> 17",
        ),
        (
            format!("{JDK}scripts: [motd]\n"),
            "because script motd added; template templates/provision/common/script.sh added",
        ),
        (format!("{JDK}disk_gib: 20\n"), "because volume root added"),
        (
            format!("{JDK}tags: {{Team: x}}\n"),
            "because tag Team added",
        ),
        (
            replaced("/etc/motd", "/etc/issue"),
            "because destination /etc/issue added; destination /etc/motd removed",
        ),
        (
            replaced("/etc/motd}", "/etc/motd, mode: \"0600\"}"),
            "because destination /etc/motd changed: root:root 0644 from motd -> root:root 0600 from motd",
        ),
    ] {
        assert_build_reason("images/jdk.yaml", &text, reason);
    }
}

#[test]
fn reason_names_changed_files() {
    assert_build_reason("motd", "bye\n", "because file motd changed");
    assert_build_reason(
        "templates/provision/common/seal.sh",
        "true\n",
        "because template templates/provision/common/seal.sh changed",
    );
}

#[test]
fn change_without_effect_on_content_plans_no_build() {
    for (path, text) in [
        ("templates/provision/debian/harden.sh", "true\n".to_owned()),
        (
            "images/jdk.yaml",
            format!("{JDK}description: other words\n"),
        ),
        ("images/jdk.yaml", format!("{JDK}environment: Test\n")),
        (
            "bakeline.yaml",
            "name: acme\nregions: [eu-west-1]\nbuilder: {instance_type: m5.large}\n".to_owned(),
        ),
    ] {
        let got = decision_after_change(path, &text);
        assert!(got.contains("keep"), "{path}: {got}");
    }
}

#[test]
fn parent_change_names_input_and_parent() {
    let c = catalog(&[]);
    let edited = catalog(&[("images/base.yaml", &format!("{BASE}scripts: [motd]\n"))]);
    let got = decisions_for(&edited, &released_inventory(&c), &[], false);
    assert!(got[0].contains("because script motd added;"), "{}", got[0]);
    assert!(
        got[1].ends_with(
            "on base 20261122.1 of this run because parent `base` is rebuilt as 20261122.1"
        ),
        "{}",
        got[1]
    );
}

#[test]
fn new_control_rechecks_image_and_children() {
    let c = catalog(&[]);
    let edited = catalog(&[(
        "images/base.yaml",
        &format!("{BASE}checks:\n  - {{file: /etc/motd}}\n"),
    )]);
    let got = decisions_for(&edited, &released_inventory(&c), &[], false);
    for (image, line) in ["base", "jdk"].iter().zip(&got) {
        let expected = format!("{image}: recheck 20261101.1 because control `");
        assert!(
            line.starts_with(&expected) && line.ends_with("` added"),
            "{line}"
        );
    }
    // If there is another reason, the image is built. It starts from the last good build if no
    // recipe input changed.
    let got = decisions_for(&edited, &released_inventory(&c), &["base"], true);
    assert!(
        got[0].contains("build 20261122.1 on last good build")
            && got[0].contains("forced; control `"),
        "{}",
        got[0]
    );
}

#[test]
fn build_only_control_needs_a_build() {
    let inside = |mode: &str| {
        let check =
            format!("{BASE}checks:\n  - {{file: /etc/motd, phase: [build], mode: \"{mode}\"}}\n");
        catalog(&[("images/base.yaml", &check)])
    };
    let got = decisions_for(
        &inside("0600"),
        &released_inventory(&inside("0644")),
        &["base"],
        false,
    );
    assert!(
        got[0].contains("build 20261122.1 on last good build 20261101.1"),
        "{}",
        got[0]
    );
    assert!(
        got[0].contains("changed, which only a build can judge"),
        "{}",
        got[0]
    );
    // A removed control needs no build.
    let got = decisions_for(
        &catalog(&[]),
        &released_inventory(&inside("0644")),
        &["base"],
        false,
    );
    assert!(
        got[0].contains("recheck") && got[0].ends_with("removed"),
        "{}",
        got[0]
    );
    // Without a manifest, bakeline cannot tell which control changed. Only a build evaluates all
    // of them.
    let got = decisions_for(
        &inside("0600"),
        &inventory(both(&inside("0644")), Some("ami-vendor")),
        &["base"],
        false,
    );
    assert!(
        got[0].contains("build") && got[0].contains("not in the store"),
        "{}",
        got[0]
    );
}

#[test]
fn manifest_of_another_version_is_ignored() {
    let (c, now) = (catalog(&[]), catalog(&[("motd", "bye\n")]));
    let mut inventory = released_inventory(&c);
    inventory
        .evidence
        .manifests
        .get_mut(&ImageName::from("jdk"))
        .expect("it")
        .version = "20261031.1".parse().expect("it");
    let got = decisions_for(&now, &inventory, &["jdk"], false);
    assert!(
        got[0].ends_with(
            "because recipe changed since 20261101.1 (inputs unknown: the manifest of 20261101.1 is not in the store)"
        ),
        "{}",
        got[0]
    );
}

#[test]
fn many_changes_are_summarized() {
    let many = format!(
        "{BASE}packages: [{}]\n",
        (0..20)
            .map(|n| format!("pkg{n}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let got = decisions_for(
        &catalog(&[("images/base.yaml", &many)]),
        &released_inventory(&catalog(&[])),
        &["base"],
        false,
    );
    assert!(
        got[0].contains("package pkg0 added; ")
            && got[0].contains(" more inputs changed; see `bakeline why`"),
        "{}",
        got[0]
    );
}

#[test]
fn age_and_security_updates_start_a_build() {
    let aged = catalog(&[("images/base.yaml", &format!("{BASE}max_age: 20d\n"))]);
    let mut old = inventory(both(&aged), Some("ami-vendor"));
    assert!(decisions_for(&aged, &old, &["base"], false)[0].contains("keep"));
    "2026-11-01T12:00:00.000Z".clone_into(&mut old.images[0].created);
    let got = decisions_for(&aged, &old, &["base"], false);
    assert!(
        got[0]
            .ends_with("on last good build 20261101.1 because 21 days old, more than max_age 20d"),
        "{}",
        got[0]
    );

    let c = catalog(&[]);
    let mut probed = inventory(both(&c), Some("ami-vendor"));
    let update = |package: &str, security| Update {
        package: package.to_owned(),
        current: "1".to_owned(),
        candidate: "2".to_owned(),
        origin: String::new(),
        security,
    };
    let probe = |ami: &str, pending| Probe {
        schema: 1,
        image: ImageName::from("base"),
        version: "20261101.1".parse().expect("a version"),
        ami: AmiId::from(ami),
        at: super::NOW.parse().expect("time"),
        since: Some("2026-11-20T04:00:00Z".parse().expect("time")),
        pending,
    };
    let mut decision_for = |ami: &str, pending| {
        probed
            .evidence
            .probes
            .insert(ImageName::from("base"), probe(ami, pending));
        decisions_for(&c, &probed, &["base"], false).join("")
    };
    let pending = vec![
        update("libssl3", true),
        update("openssl", true),
        update("tzdata", false),
    ];
    let got = decision_for("ami-base-20261101.1", pending.clone());
    let expected = "on last good build 20261101.1 because 2 security updates pending since 2026-11-20: libssl3, openssl";
    assert!(got.ends_with(expected), "{got}");
    assert!(
        decision_for("ami-base-20261101.1", vec![update("tzdata", false)]).contains("keep"),
        "not a security update"
    );
    assert!(
        decision_for("ami-of-an-older-version", pending).contains("keep"),
        "a fact about another AMI"
    );
}

#[test]
fn failed_attempt_is_reported_but_starts_no_build() {
    let c = catalog(&[]);
    let mut inventory = released_inventory(&c);
    let failed = Some((
        RunId::from("r9"),
        "could not build the AMI: it broke".to_owned(),
    ));
    inventory.evidence.history.insert(
        ImageName::from("jdk"),
        BuildHistory {
            seconds: vec![61],
            failed,
        },
    );
    assert!(decisions_for(&c, &inventory, &["jdk"], false)[0].contains("keep"));
    let got = decisions_for(&catalog(&[("motd", "bye\n")]), &inventory, &["jdk"], false);
    let expected = "because file motd changed; the last attempt failed in run r9: could not build the AMI: it broke";
    assert!(got[0].ends_with(expected), "{}", got[0]);
}

#[test]
fn child_is_not_built_on_held_parent() {
    let c = catalog(&[]);
    let held = [
        (tags::STATE, "held"),
        (tags::CURRENT, "Test=2026-11-15T00:00:00Z"),
    ];
    let child = [(tags::PARENT, "base@20261115.1")];
    let images = || {
        vec![
            released_ami(&c, "base", "20261101.1", &[(tags::CURRENT, "")]),
            released_ami(&c, "base", "20261115.1", &held),
            released_ami(&c, "jdk", "20261101.1", &child),
        ]
    };
    let got = decisions_for(
        &c,
        &inventory(images(), Some("ami-vendor")),
        &["jdk"],
        false,
    );
    assert!(got[0].contains("keep"), "{}", got[0]);
    let edited = catalog(&[("motd", "bye\n")]);
    let got = decisions_for(
        &edited,
        &inventory(images(), Some("ami-vendor")),
        &["jdk"],
        false,
    );
    assert!(
        got[0].contains("on base 20261101.1 (ami-base-20261101.1)"),
        "{}",
        got[0]
    );
}
