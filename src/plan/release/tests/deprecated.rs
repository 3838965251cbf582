//! Tests of plans with deprecated or excluded vendor AMIs.

use super::{ami, both, catalog, decisions_for, inventory};
use crate::model::{Ami, ImageName, Inventory, SkippedAmis, Tags};

/// Returns a vendor AMI of an hour that is deprecated since 1 November 2026.
fn deprecated_ami(id: &str, hour: u32) -> Ami {
    Ami {
        created: format!("2026-11-22T{hour:02}:00:00Z"),
        deprecated: Some("2026-11-01T00:00:00.000Z".to_owned()),
        ..ami(id, Tags::new())
    }
}

/// Adds a skipped AMI to an inventory.
fn skip(mut inventory: Inventory, skipped: SkippedAmis) -> Inventory {
    inventory.skipped.insert(ImageName::from("base"), skipped);
    inventory
}

fn skip_deprecated(inventory: Inventory, ami: Ami) -> Inventory {
    let skipped = SkippedAmis {
        deprecated: 1,
        newest_deprecated: Some(ami),
        ..SkippedAmis::default()
    };
    skip(inventory, skipped)
}

fn base_decision(inventory: &Inventory) -> String {
    decisions_for(&catalog(&[]), inventory, &["base"], false).remove(0)
}

#[test]
fn skipped_newer_ami_is_reported() {
    let note =
        "skipped a newer source AMI: name of ami-new (ami-new) is deprecated since 2026-11-01";
    let newer = deprecated_ami("ami-new", 13);
    let first = skip_deprecated(inventory(vec![], Some("ami-vendor")), newer.clone());
    assert_eq!(
        base_decision(&first),
        format!(
            "base: build 20261122.1 on name of ami-vendor (ami-vendor) \
             because no earlier released version; {note}"
        )
    );
    let released = inventory(both(&catalog(&[])), Some("ami-vendor"));
    assert_eq!(
        base_decision(&skip_deprecated(released.clone(), newer)),
        format!("base: keep 20261101.1 because nothing changed since this version; {note}")
    );
    let older = skip_deprecated(released, deprecated_ami("ami-old", 11));
    assert!(base_decision(&older).ends_with("nothing changed since this version"));
}

#[test]
fn only_deprecated_amis_block_build() {
    let only = deprecated_ami("ami-new", 13);
    let first = skip_deprecated(inventory(vec![], None), only.clone());
    assert_eq!(
        base_decision(&first),
        "base: blocked because source not found: only deprecated AMIs match, the newest is \
         `name of ami-new` (ami-new) in eu-west-1, deprecated since 2026-11-01; select a newer \
         release in images/base.yaml, or set `deprecated: true` in its `source` to build on this AMI"
    );
    let released = skip_deprecated(inventory(both(&catalog(&[])), None), only);
    assert_eq!(
        base_decision(&released),
        "base: keep 20261101.1 because nothing changed since this version; only deprecated AMIs \
         match the source: name of ami-new (ami-new) is deprecated since 2026-11-01"
    );
}

#[test]
fn allowed_deprecated_ami_is_reported() {
    let mut first = inventory(vec![], None);
    let ami = deprecated_ami("ami-old", 1);
    first.sources.insert(ImageName::from("base"), Some(ami));
    assert_eq!(
        base_decision(&first),
        "base: build 20261122.1 on name of ami-old (ami-old) because no earlier released version; \
         the source AMI name of ami-old (ami-old) is deprecated since 2026-11-01; \
         `deprecated: true` allows it"
    );
}

#[test]
fn exclude_of_all_amis_blocks_build() {
    let skipped = SkippedAmis {
        excluded: 3,
        ..SkippedAmis::default()
    };
    assert_eq!(
        base_decision(&skip(inventory(vec![], None), skipped)),
        "base: blocked because source not found: `exclude` skips all available AMIs named \
         `debian-*` of owner `amazon` in eu-west-1 (3); remove a pattern from `exclude` in \
         images/base.yaml"
    );
}

#[test]
fn other_architecture_blocks_build() {
    let skipped = SkippedAmis {
        other_architectures: ["arm64".to_owned()].into(),
        ..SkippedAmis::default()
    };
    assert_eq!(
        base_decision(&skip(inventory(vec![], None), skipped)),
        "base: blocked because source not found: only AMIs of architecture arm64 match in \
         eu-west-1, and the image has x86_64; set `arch` or change `source` in images/base.yaml"
    );
}

#[test]
fn changed_conditions_of_source_cause_build() {
    let released = inventory(both(&catalog(&[])), Some("ami-vendor"));
    for more in [
        "exclude: [\"*-minimal-*\"]",
        "filters: {root-device-type: [ebs]}",
        "deprecated: true",
    ] {
        let text = format!("source: {{owner: amazon, name: debian-*, {more}}}\n");
        let changed = catalog(&[("images/base.yaml", &text)]);
        let got = decisions_for(&changed, &released, &["base"], false).remove(0);
        assert!(got.starts_with("base: build "), "{more}: {got}");
    }
}
