//! Owns the words of each reason: they name the input that moved.

use super::{both, catalog, decided, inventory, released};
use crate::catalog::Catalog;
use crate::lifecycle::tags;
use crate::model::{AmiId, ImageName, Inventory, Past, Probe, RunId, Update, Version};
use crate::plan::fingerprint::manifest;

/// The inventory after a release of `then`, with its manifests in the store.
fn remembered(then: &Catalog) -> Inventory {
    let mut inventory = inventory(both(then), Some("ami-vendor"));
    for image in then.images.values() {
        let version: Version = "20261101.1".parse().expect("a version");
        let made = manifest(then, image, version, &RunId::from("r1"));
        inventory
            .evidence
            .manifests
            .insert(image.name.clone(), made);
    }
    inventory
}

const JDK: &str =
    "parent: base\npackages: [jdk]\nfiles:\n  - {source: motd, destination: /etc/motd}\n";
const BASE: &str = "source: {owner: amazon, name: debian-*}\n";

#[test]
fn each_input_is_named() {
    let c = catalog(&[]);
    let jdk = |more: &str| format!("{JDK}{more}");
    let replaced = |from: &str, to: &str| JDK.replace(from, to);
    let table: Vec<(&str, String, &str)> = vec![
        ("motd", "bye\n".to_owned(), "because file motd changed"),
        (
            "images/jdk.yaml",
            replaced("[jdk]", "[jdk, nginx]"),
            "because package nginx added",
        ),
        (
            "images/jdk.yaml",
            replaced("packages: [jdk]\n", ""),
            "because package jdk removed; template templates/provision/debian/packages.sh removed",
        ),
        (
            "images/jdk.yaml",
            replaced("[jdk]", "[jdk=17]"),
            "because package jdk changed: any version -> 17",
        ),
        (
            "images/jdk.yaml",
            jdk("scripts: [motd]\n"),
            "because script motd added",
        ),
        (
            "images/jdk.yaml",
            jdk("disk_gib: 20\n"),
            "because disk_gib 20 added",
        ),
        (
            "images/jdk.yaml",
            jdk("tags: {Team: x}\n"),
            "because tag Team added",
        ),
        (
            "images/jdk.yaml",
            replaced("/etc/motd", "/etc/issue"),
            "because destination /etc/issue added; destination /etc/motd removed",
        ),
        (
            "images/jdk.yaml",
            replaced("/etc/motd}", "/etc/motd, mode: \"0600\"}"),
            "because destination /etc/motd changed: root:root 0644 from motd -> root:root 0600 from motd",
        ),
        (
            "templates/provision/debian/seal.sh",
            "true\n".to_owned(),
            "because template templates/provision/debian/seal.sh changed",
        ),
    ];
    for (path, text, words) in table {
        let got = decided(&catalog(&[(path, &text)]), &remembered(&c), &["jdk"], false);
        assert!(
            got[0].starts_with("jdk: build ") && got[0].ends_with(words),
            "{path}: {}\nnot {words}",
            got[0]
        );
    }
    // What does not determine the content plans nothing.
    for (path, text) in [
        ("templates/provision/debian/harden.sh", "true\n".to_owned()),
        ("images/jdk.yaml", jdk("description: other words\n")),
        ("images/jdk.yaml", jdk("environment: Test\n")),
        (
            "bakeline.yaml",
            "name: acme\nregions: [eu-west-1]\nbuilder: {instance_type: m5.large}\n".to_owned(),
        ),
    ] {
        let got = decided(&catalog(&[(path, &text)]), &remembered(&c), &["jdk"], false);
        assert!(got[0].contains("keep"), "{path}: {}", got[0]);
    }
}

#[test]
fn an_edit_of_the_parent_names_the_input_there_and_the_parent_here() {
    let c = catalog(&[]);
    let edited = catalog(&[("images/base.yaml", &format!("{BASE}scripts: [motd]\n"))]);
    let got = decided(&edited, &remembered(&c), &[], false);
    assert!(got[0].ends_with("because script motd added"), "{}", got[0]);
    assert!(
        got[1].ends_with(
            "on base 20261122.1 of this run because parent `base` is rebuilt as 20261122.1"
        ),
        "{}",
        got[1]
    );
}

#[test]
fn a_new_control_rechecks_the_image_and_its_children_and_builds_nothing() {
    let c = catalog(&[]);
    let edited = catalog(&[(
        "images/base.yaml",
        &format!("{BASE}checks:\n  - {{file: /etc/motd}}\n"),
    )]);
    let got = decided(&edited, &remembered(&c), &[], false);
    for (image, line) in ["base", "jdk"].iter().zip(&got) {
        let words = format!("{image}: recheck 20261101.1 because control `");
        assert!(
            line.starts_with(&words) && line.ends_with("` added"),
            "{line}"
        );
    }
    // Together with a cause to build, it is built, and on the last good build if nothing else moved.
    let got = decided(&edited, &remembered(&c), &["base"], true);
    assert!(
        got[0].contains("build 20261122.1 on its last good build")
            && got[0].contains("forced; control `"),
        "{}",
        got[0]
    );
}

#[test]
fn a_control_that_is_judged_inside_builds_only_needs_a_build() {
    let inside = |mode: &str| {
        let check =
            format!("{BASE}checks:\n  - {{file: /etc/motd, phase: [build], mode: \"{mode}\"}}\n");
        catalog(&[("images/base.yaml", &check)])
    };
    let got = decided(
        &inside("0600"),
        &remembered(&inside("0644")),
        &["base"],
        false,
    );
    assert!(
        got[0].contains("build 20261122.1 on its last good build 20261101.1"),
        "{}",
        got[0]
    );
    assert!(
        got[0].contains("changed, which is judged inside a build only"),
        "{}",
        got[0]
    );
    // One that is gone needs none.
    let got = decided(
        &catalog(&[]),
        &remembered(&inside("0644")),
        &["base"],
        false,
    );
    assert!(
        got[0].contains("recheck") && got[0].ends_with("removed"),
        "{}",
        got[0]
    );
    // Unknown which one changed: only a build is sure to judge it.
    let got = decided(
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
fn a_manifest_of_another_version_is_not_believed() {
    let (c, now) = (catalog(&[]), catalog(&[("motd", "bye\n")]));
    let mut inventory = remembered(&c);
    inventory
        .evidence
        .manifests
        .get_mut(&ImageName::from("jdk"))
        .expect("it")
        .version = "20261031.1".parse().expect("it");
    let got = decided(&now, &inventory, &["jdk"], false);
    assert!(
        got[0].ends_with(
            "because recipe changed since 20261101.1 (its manifest is not in the store)"
        ),
        "{}",
        got[0]
    );
}

#[test]
fn many_changes_are_not_all_listed() {
    let many = format!(
        "{BASE}packages: [{}]\n",
        (0..20)
            .map(|n| format!("pkg{n}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let got = decided(
        &catalog(&[("images/base.yaml", &many)]),
        &remembered(&catalog(&[])),
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
fn age_and_updates_make_an_image_due() {
    let aged = catalog(&[("images/base.yaml", &format!("{BASE}max_age: 20d\n"))]);
    let mut old = inventory(both(&aged), Some("ami-vendor"));
    assert!(decided(&aged, &old, &["base"], false)[0].contains("keep"));
    "2026-11-01T12:00:00.000Z".clone_into(&mut old.images[0].created);
    let got = decided(&aged, &old, &["base"], false);
    assert!(
        got[0].ends_with(
            "on its last good build 20261101.1 because 21 days old, more than max_age 20d"
        ),
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
    let mut says = |ami: &str, pending| {
        probed
            .evidence
            .probes
            .insert(ImageName::from("base"), probe(ami, pending));
        decided(&c, &probed, &["base"], false).join("")
    };
    let pending = vec![
        update("libssl3", true),
        update("openssl", true),
        update("tzdata", false),
    ];
    let got = says("ami-base-20261101.1", pending.clone());
    let words = "on its last good build 20261101.1 because 2 security updates pending since 2026-11-20: libssl3, openssl";
    assert!(got.ends_with(words), "{got}");
    assert!(
        says("ami-base-20261101.1", vec![update("tzdata", false)]).contains("keep"),
        "not a security update"
    );
    assert!(
        says("ami-of-an-older-version", pending).contains("keep"),
        "a fact about another AMI"
    );
}

#[test]
fn a_failed_attempt_is_told_but_is_no_reason_by_itself() {
    let c = catalog(&[]);
    let mut inventory = remembered(&c);
    let failed = Some((
        RunId::from("r9"),
        "could not build with Packer: it broke".to_owned(),
    ));
    inventory.evidence.history.insert(
        ImageName::from("jdk"),
        Past {
            seconds: vec![61],
            failed,
        },
    );
    assert!(decided(&c, &inventory, &["jdk"], false)[0].contains("keep"));
    let got = decided(&catalog(&[("motd", "bye\n")]), &inventory, &["jdk"], false);
    let words = "because file motd changed; the last attempt failed in run r9: could not build with Packer: it broke";
    assert!(got[0].ends_with(words), "{}", got[0]);
}

#[test]
fn a_child_is_not_layered_on_a_held_parent_and_does_not_go_back_for_it() {
    let c = catalog(&[]);
    let held = [
        (tags::STATE, "held"),
        (tags::CURRENT, "Test=2026-11-15T00:00:00Z"),
    ];
    let child = [(tags::PARENT, "base@20261115.1")];
    let images = || {
        vec![
            released(&c, "base", "20261101.1", &[(tags::CURRENT, "")]),
            released(&c, "base", "20261115.1", &held),
            released(&c, "jdk", "20261101.1", &child),
        ]
    };
    let got = decided(
        &c,
        &inventory(images(), Some("ami-vendor")),
        &["jdk"],
        false,
    );
    assert!(got[0].contains("keep"), "{}", got[0]);
    let edited = catalog(&[("motd", "bye\n")]);
    let got = decided(
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
