//! Tests of decisions about finished AMIs: ownership, lookup, promotion.

mod life;
mod properties;
mod retention;
mod rollback;
mod sweep;
mod unread;

use crate::lifecycle::{Record, lookup, tags};
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
        snapshots: vec![SnapshotId::from("snap-1")],
        tags,
        public: false,
        last_launched: None,
        protected: false,
    }
}

fn version(text: &str) -> Version {
    text.parse().expect(text)
}

#[test]
fn copies_and_foreign_amis_are_no_records() {
    let read = |more: &[(&str, &str)]| {
        Record::read(&ami("jdk", "20261101.1", more), &"acme".into()).is_some()
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
        let records = Record::read_all(amis, &"acme".into());
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
fn promotion_moves_current_version_or_is_refused() {
    use crate::lifecycle::promote::{Promotion, PromotionRequest, decide_promotion};
    let files = std::collections::BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            b"name: acme\nregions: [eu-west-1]\n".to_vec(),
        ),
        (
            "images/jdk.yaml".to_owned(),
            b"source: {owner: amazon, name: x-*}\n".to_vec(),
        ),
        (
            "images/low.yaml".to_owned(),
            b"source: {owner: amazon, name: x-*}\nenvironment: Test\n".to_vec(),
        ),
    ]);
    let (catalog, findings) = crate::catalog::load(&files);
    let catalog = catalog.unwrap_or_else(|| panic!("{findings:?}"));
    let test = (tags::CURRENT, "Test=2026-11-02T00:00:00Z");
    let both = (
        tags::CURRENT,
        "Prod=2026-11-02T00:00:00Z Test=2026-11-02T00:00:00Z",
    );
    let prod = (tags::CURRENT, "Prod=2026-10-02T00:00:00Z");
    let new = "20261101.2";
    for (image, to, amis, expected) in [
        (
            "jdk",
            "Prod",
            vec![ami("jdk", new, &[test])],
            "move 20261101.2 from 0",
        ),
        (
            "jdk",
            "Prod",
            vec![ami("jdk", new, &[test]), ami("jdk", "20261001.1", &[prod])],
            "move 20261101.2 from 1",
        ),
        ("jdk", "Prod", vec![ami("jdk", new, &[both])], "already"),
        (
            "jdk",
            "Prod",
            vec![],
            "nothing of `jdk` is current in `Test`",
        ),
        (
            "jdk",
            "Prod",
            vec![ami("jdk", new, &[test, (tags::STATE, "held")])],
            "held",
        ),
        (
            "jdk",
            "Prod",
            vec![ami("jdk", new, &[test, (tags::STATE, "candidate")])],
            "nothing of `jdk`",
        ),
        (
            "jdk",
            "Prod",
            vec![ami("jdk", new, &[test, (tags::SELF, "ami-x")])],
            "nothing of `jdk`",
        ),
        (
            "jdk",
            "Test",
            vec![ami("jdk", new, &[test])],
            "lowest environment",
        ),
        (
            "jdk",
            "Moon",
            vec![ami("jdk", new, &[test])],
            "unknown environment `Moon`",
        ),
        (
            "low",
            "Prod",
            vec![ami("low", new, &[test])],
            "may not be promoted above `Test`",
        ),
    ] {
        let records = Record::read_all(&amis, &"acme".into());
        let moving = std::collections::BTreeSet::new();
        let (env, now) = (to.into(), "2026-11-03T00:00:00Z".parse().expect("time"));
        let request = PromotionRequest {
            to: &env,
            now,
            also_promoted: &moving,
        };
        let outcome =
            match decide_promotion(&catalog, &records, &catalog.images[&image.into()], &request) {
                Promotion::Move { record, from } => {
                    format!("move {} from {}", record.version, from.len())
                }
                Promotion::AlreadyCurrent(_) => "already".to_owned(),
                Promotion::Refused(why) => why.join("; "),
            };
        assert!(outcome.contains(expected), "{image} to {to}: {outcome}");
    }
}
