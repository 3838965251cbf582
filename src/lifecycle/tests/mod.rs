//! Tests of decisions about finished AMIs: ownership, lookup, locations.

mod doctor;
mod fixtures;
mod promotion;
mod properties;
mod retention;
mod rollback;
mod sweep;
mod unread;

use fixtures::{OWN, catalog};

use crate::lifecycle::{Record, locations, lookup, tags};
use crate::model::{Ami, AmiId, Arch, Region, SnapshotId, Tags, Version};

/// Returns a released AMI of catalog `acme`. `more` adds or replaces tags, and empty values remove
/// them.
fn ami(image: &str, version: &str, more: &[(&str, &str)]) -> Ami {
    let id = format!("ami-{image}-{version}");
    let mut tags: Tags = [
        (tags::SCHEMA, "1"),
        (tags::CATALOG, "acme"),
        (tags::SELF, id.as_str()),
        (tags::IMAGE, image),
        (tags::VERSION, version),
        (tags::ARCH, "x86_64"),
        (tags::STATE, "released"),
        ("Environment", "Test"),
    ]
    .iter()
    .chain(more)
    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
    .collect();
    tags.retain(|_, v| !v.is_empty());
    Ami {
        id: AmiId(id),
        region: Region::from("eu-west-1"),
        name: format!("acme/{image}/x86_64/{version}-run"),
        owner: "123456789012".to_owned(),
        arch: "x86_64".to_owned(),
        created: "2026-11-01T12:00:00Z".to_owned(),
        status: "available".to_owned(),
        root_device: "/dev/xvda".to_owned(),
        other_devices: Vec::new(),
        imds_v2: false,
        snapshots: vec![SnapshotId::from("snap-1")],
        tags,
        public: false,
        last_launched: None,
        protected: false,
        deprecated: None,
    }
}

fn version(text: &str) -> Version {
    text.parse().expect(text)
}

#[test]
fn copies_and_foreign_amis_are_no_records() {
    let read = |more: &[(&str, &str)]| {
        Record::read_published(&ami("jdk", "20261101.1", more), &"acme".into()).is_some()
    };
    assert!(read(&[]));
    for (key, value) in [
        (tags::SELF, "ami-copied-from"),
        (tags::SELF, ""),
        (tags::CATALOG, "acme2"),
        (tags::CATALOG, ""),
        (tags::SCHEMA, "2"),
        (tags::SCHEMA, ""),
        (tags::IMAGE, ""),
        (tags::VERSION, "1"),
        (tags::ARCH, "sparc"),
        (tags::STATE, "fine"),
        (tags::STATE, ""),
    ] {
        assert!(!read(&[(key, value)]), "{key}={value}");
    }
}

#[test]
fn lookup_finds_only_usable_current_ami() {
    let current = (tags::CURRENT, "Test=2026-11-02T00:00:00Z");
    let found = |amis: &[Ami]| {
        let records = Record::read_all_published(amis, &"acme".into());
        lookup::find_current(&records, &"jdk".into(), &"Test".into(), Arch::X86_64)
            .map(|r| r.version.to_string())
    };
    let one = ami("jdk", "20261101.1", &[current]);
    assert_eq!(
        found(std::slice::from_ref(&one)).as_deref(),
        Some("20261101.1")
    );
    for (state, seen) in [
        ("candidate", false),
        ("held", true),
        ("revoked", false),
        ("retiring", false),
    ] {
        assert_eq!(
            found(&[ami("jdk", "20261101.1", &[current, (tags::STATE, state)])]).is_some(),
            seen,
            "{state}"
        );
    }
    for status in ["pending", "failed", "disabled", "deregistered"] {
        assert_eq!(
            found(&[Ami {
                status: status.to_owned(),
                ..one.clone()
            }]),
            None,
            "{status}"
        );
    }
    assert_eq!(
        found(&[ami(
            "jdk",
            "20261101.1",
            &[(tags::CURRENT, "Prod=2026-11-02T00:00:00Z")]
        )]),
        None,
        "another environment"
    );
    assert_eq!(
        found(&[ami("jre", "20261101.1", &[current])]),
        None,
        "another image"
    );
    assert_eq!(
        found(&[ami("jdk", "20261101.1", &[current, (tags::ARCH, "arm64")])]),
        None,
        "another architecture"
    );
    // An interrupted move: both are tagged as current, and the later time wins.
    let later = ami(
        "jdk",
        "20261030.7",
        &[(tags::CURRENT, "Test=2026-11-02T00:00:01Z")],
    );
    assert_eq!(
        found(&[one.clone(), later.clone()]).as_deref(),
        Some("20261030.7")
    );
    assert_eq!(found(&[later, one]).as_deref(), Some("20261030.7"));
}

#[test]
fn locations_are_regions_in_accounts_with_home_first() {
    let settings = "environments:\n  - {name: Test, regions: [us-east-1]}\n  - name: Prod\n    accounts: [\"123456789012\", \"222222222222\"]\n    role: arn:aws:iam::222222222222:role/x\n";
    let catalog = catalog(settings);
    let names = |env: usize| -> Vec<String> {
        let all =
            locations::in_environment(&catalog.settings, &catalog.settings.environments[env], OWN);
        all.iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(0), ["eu-west-1", "us-east-1"]);
    assert_eq!(
        names(1),
        [
            "eu-west-1",
            "us-east-1",
            "222222222222.eu-west-1",
            "222222222222.us-east-1"
        ]
    );
}
