//! Tests of the selection of vendor AMIs.

use std::collections::BTreeMap;

use super::select_vendor_ami;
use crate::catalog::{Catalog, Origin, load};
use crate::model::{Ami, AmiId, ImageName, Region, SkippedAmis, Tags, Timestamp};

const NOW: &str = "2026-11-22T12:00:00Z";

fn catalog(source: &str) -> Catalog {
    let files = BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            b"name: acme\nregions: [eu-west-1]\n".to_vec(),
        ),
        (
            "images/base.yaml".to_owned(),
            format!("source: {source}\n").into_bytes(),
        ),
    ]);
    let (catalog, findings) = load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

fn ami(name: &str, day: u32, deprecated: Option<&str>) -> Ami {
    Ami {
        id: AmiId::from(format!("ami-{name}").as_str()),
        region: Region::from("eu-west-1"),
        name: name.to_owned(),
        owner: "136693071363".to_owned(),
        arch: "x86_64".to_owned(),
        created: format!("2026-11-{day:02}T00:00:00.000Z"),
        status: "available".to_owned(),
        root_device: "/dev/xvda".to_owned(),
        other_devices: Vec::new(),
        imds_v2: false,
        snapshots: Vec::new(),
        tags: Tags::new(),
        public: true,
        last_launched: None,
        protected: false,
        deprecated: deprecated.map(str::to_owned),
    }
}

fn select(source: &str, found: Vec<Ami>) -> (String, SkippedAmis) {
    let catalog = catalog(source);
    let image = &catalog.images[&ImageName::from("base")];
    let Origin::Source(source) = &image.origin else {
        panic!("a source")
    };
    let now: Timestamp = NOW.parse().expect("a time");
    let (selected, skipped) = select_vendor_ami(found, image, source, now);
    (selected.map_or_else(String::new, |a| a.name), skipped)
}

const PAST: Option<&str> = Some("2026-11-22T12:00:00.000Z");
const FUTURE: Option<&str> = Some("2026-11-22T12:01:00.000Z");

#[test]
fn deprecated_amis_are_skipped_unless_allowed() {
    let found = || {
        vec![
            ami("os-3", 3, PAST),
            ami("os-1", 1, FUTURE),
            ami("os-2", 2, PAST),
        ]
    };
    let (name, skipped) = select("{owner: amazon, name: os-*}", found());
    assert_eq!(name, "os-1");
    assert_eq!(skipped.deprecated, 2);
    assert_eq!(
        skipped.newest_deprecated.map(|a| a.name),
        Some("os-3".into())
    );
    for source in [
        "{owner: amazon, name: os-*, deprecated: true}",
        "{ssm: /os/latest, deprecated: true}",
    ] {
        let allowed = select(source, found());
        assert_eq!(allowed, ("os-3".to_owned(), SkippedAmis::default()));
    }
    let (name, skipped) = select("{ssm: /os/latest}", vec![ami("os-3", 3, PAST)]);
    assert_eq!((name.as_str(), skipped.deprecated), ("", 1));
}

#[test]
fn excluded_names_are_skipped() {
    let source = "{owner: amazon, name: os-*, exclude: [\"*-minimal-*\", \"*beta*\"]}";
    let found = vec![
        ami("os-minimal-3", 3, None),
        ami("os-4-beta", 4, None),
        ami("os-2", 2, None),
        ami("os-1", 1, PAST),
    ];
    let (name, skipped) = select(source, found);
    assert_eq!(name, "os-2");
    assert_eq!((skipped.excluded, skipped.deprecated), (2, 1));
}

#[test]
fn other_architectures_and_states_are_ignored() {
    let mut arm = ami("os-arm", 5, None);
    arm.arch = "arm64".to_owned();
    let mut pending = ami("os-new", 6, None);
    pending.status = "pending".to_owned();
    let (name, skipped) = select(
        "{owner: amazon, name: os-*, exclude: [os-arm]}",
        vec![arm.clone(), ami("os-1", 1, None), pending.clone()],
    );
    assert_eq!((name.as_str(), skipped), ("os-1", SkippedAmis::default()));
    let (name, skipped) = select("{owner: amazon, name: os-*}", vec![arm, pending]);
    let expected = SkippedAmis {
        other_architectures: ["arm64".to_owned()].into(),
        ..SkippedAmis::default()
    };
    assert_eq!((name.as_str(), skipped), ("", expected));
}
