//! Tests of the sweep: ownership, run and age of resources.

use std::collections::BTreeMap;

use crate::lifecycle::candidate::AWAITS_CHECKS;
use crate::lifecycle::sweep::{RunFacts, SweepRules};
use crate::model::{CatalogName, Region, RunId, Tags, TemporaryKind, TemporaryResource, Timestamp};

const NOW: &str = "2026-11-22T12:00:00Z";
const LATER: &str = "2026-11-22T18:00:00Z";
const EARLIER: &str = "2026-11-22T06:00:00Z";

fn temporary(kind: TemporaryKind, name: &str, tags: &[(&str, &str)]) -> TemporaryResource {
    let tags: Tags = tags
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let (id, name, region) = (
        format!("{kind:?}-1"),
        name.to_owned(),
        Region::from("eu-west-1"),
    );
    TemporaryResource {
        kind,
        id,
        name,
        region,
        account: None,
        tags,
        used: false,
    }
}

fn ours(kind: TemporaryKind, run: &str, expires: &str) -> TemporaryResource {
    temporary(
        kind,
        "",
        &[
            ("bakeline:catalog", "acme"),
            ("bakeline:run", run),
            ("bakeline:expires", expires),
        ],
    )
}

/// Returns whether the sweep removes each resource, or none if it is not listed.
fn decide(resources: &[TemporaryResource], packer: bool) -> Vec<Option<bool>> {
    with_rules(packer, |sweep| {
        let one = |resource: &TemporaryResource| {
            let found = sweep.find_leftovers(std::slice::from_ref(resource));
            found.first().map(|leftover| leftover.remove)
        };
        resources.iter().map(one).collect()
    })
}

fn with_rules<T>(packer: bool, act: impl FnOnce(&SweepRules<'_>) -> T) -> T {
    let name = |alive, what: &str| format!("acme/jdk/{alive}{what}");
    let finished = || Some("run dead finished building it".to_owned());
    let amis = |alive| {
        [
            (name(alive, ""), None),
            (name(alive, "-finished"), finished()),
        ]
        .into()
    };
    let run = |alive| RunFacts {
        active: alive,
        planned_amis: amis(alive),
    };
    let runs = BTreeMap::from([
        (RunId::from("live"), run(true)),
        (RunId::from("dead"), run(false)),
    ]);
    let catalog = CatalogName::from("acme");
    let (now, home) = (
        NOW.parse::<Timestamp>().expect("time"),
        Region::from("eu-west-1"),
    );
    let referred = BTreeMap::from([(
        "ami-used".to_owned(),
        "instance i-1 refers to it".to_owned(),
    )]);
    act(&SweepRules {
        catalog: &catalog,
        home: &home,
        now,
        runs: &runs,
        references: &referred,
        packer_leftovers: packer,
    })
}

#[test]
fn sweep_removes_expired_resources_and_those_of_ended_runs() {
    use TemporaryKind::{Image, Instance, KeyPair, Snapshot};
    let table = [
        (ours(Instance, "dead", LATER), Some(true)),
        (ours(Instance, "dead", EARLIER), Some(true)),
        (ours(Instance, "live", LATER), Some(false)),
        (ours(Instance, "live", EARLIER), Some(false)),
        (ours(Instance, "unknown", LATER), Some(false)),
        (ours(KeyPair, "unknown", EARLIER), Some(true)),
        (ours(KeyPair, "unknown", "rubbish"), Some(false)),
        (
            temporary(
                Instance,
                "",
                &[("bakeline:catalog", "acme"), ("bakeline:run", "dead")],
            ),
            None,
        ),
        (
            temporary(
                Instance,
                "",
                &[("bakeline:catalog", "other"), ("bakeline:expires", EARLIER)],
            ),
            None,
        ),
        (
            temporary(
                Instance,
                "",
                &[("Name", "bakeline"), ("bakeline:expires", EARLIER)],
            ),
            None,
        ),
        (
            TemporaryResource {
                used: true,
                ..ours(Snapshot, "dead", EARLIER)
            },
            None,
        ),
        (ours(Image, "dead", LATER), Some(true)),
    ];
    for (resource, expected) in &table {
        assert_eq!(
            decide(std::slice::from_ref(resource), false),
            [*expected],
            "{resource:?}"
        );
    }
    let mut kept = ours(Instance, "dead", LATER);
    kept.tags
        .insert("bakeline:kept".to_owned(), "yes".to_owned());
    assert_eq!(
        decide(&[kept.clone()], false),
        [Some(false)],
        "kept for inspection"
    );
    kept.tags
        .insert("bakeline:expires".to_owned(), EARLIER.to_owned());
    assert_eq!(
        decide(&[kept], false),
        [Some(true)],
        "the expiry limits --keep-failed"
    );
}

#[test]
fn sweep_never_lists_finished_amis() {
    for state in ["released", "held", "revoked", "retiring"] {
        let mut ami = ours(TemporaryKind::Image, "dead", EARLIER);
        ami.tags
            .insert("bakeline:state".to_owned(), state.to_owned());
        assert_eq!(decide(&[ami], true), [None], "{state}");
    }
}

#[test]
fn sweep_ignores_copies_made_by_hand() {
    let mut ami = ours(TemporaryKind::Image, "dead", EARLIER);
    ami.tags.insert("bakeline:self".to_owned(), ami.id.clone());
    assert_eq!(decide(&[ami.clone()], true), [Some(true)]);
    ami.tags
        .insert("bakeline:self".to_owned(), "ami-original".to_owned());
    assert_eq!(decide(&[ami], true), [None]);
}

#[test]
fn sweep_removes_untagged_ami_of_ended_run() {
    let named = |name: &str| temporary(TemporaryKind::Image, name, &[]);
    let resources = [
        named("acme/jdk/false"),
        named("acme/jdk/true"),
        named("acme/jdk/by-hand"),
    ];
    assert_eq!(decide(&resources, true), [Some(true), Some(false), None]);
}

#[test]
fn sweep_keeps_untagged_ami_elsewhere_finished_or_used() {
    let named = |name: &str| temporary(TemporaryKind::Image, name, &[]);
    let dead = || named("acme/jdk/false");
    let resources = [
        (
            TemporaryResource {
                region: Region::from("us-east-1"),
                ..dead()
            },
            None,
        ),
        (
            TemporaryResource {
                account: Some("222222222222".to_owned()),
                ..dead()
            },
            None,
        ),
        (
            temporary(TemporaryKind::Image, "acme/jdk/false", &[("team", "web")]),
            None,
        ),
        (named("acme/jdk/false-finished"), Some(false)),
        (
            // An earlier sweep has marked it.
            TemporaryResource {
                id: "ami-used".to_owned(),
                ..temporary(
                    TemporaryKind::Image,
                    "acme/jdk/false",
                    &[
                        ("bakeline:catalog", "acme"),
                        ("bakeline:expires", "2026-01-01T00:00:00Z"),
                    ],
                )
            },
            Some(false),
        ),
        (
            TemporaryResource {
                id: "ami-used".to_owned(),
                ..dead()
            },
            Some(false),
        ),
    ];
    for (resource, expected) in &resources {
        assert_eq!(
            decide(std::slice::from_ref(resource), true),
            [*expected],
            "{resource:?}"
        );
    }
}

#[test]
fn sweep_removes_old_unused_packer_leftovers_on_request() {
    let at = |hours: i64| {
        let seconds = NOW.parse::<Timestamp>().expect("time").as_second() - hours * 3600;
        temporary(
            TemporaryKind::KeyPair,
            &format!("packer_{seconds:08x}-1234-5678-9abc-def012345678"),
            &[],
        )
    };
    let used = TemporaryResource {
        used: true,
        ..at(48)
    };
    let resources = [
        at(48),
        at(23),
        used,
        temporary(TemporaryKind::KeyPair, "packer_mine", &[]),
        at(48),
    ];
    assert_eq!(
        decide(&resources[..4], true),
        [Some(true), Some(false), Some(false), None]
    );
    assert_eq!(decide(&resources[4..], false), [Some(false)]);
}

#[test]
fn sweep_removes_copy_permission_of_ended_run() {
    let ami = |own: &str, text: &str| {
        let tags = [
            ("bakeline:catalog", "acme"),
            ("bakeline:self", own),
            ("bakeline:sharing:222222222222", text),
        ];
        let tags = [&tags[..], &[("bakeline:state", "released")]].concat();
        TemporaryResource {
            id: "ami-1".to_owned(),
            ..temporary(TemporaryKind::Image, "acme/jdk", &tags)
        }
    };
    let permissions = |own: &str, text: &str| {
        crate::lifecycle::sharing::copy_permissions(&ami(own, text)).collect::<Vec<_>>()
    };
    for (run, expires, removed) in [
        ("dead", LATER, Some(true)),
        ("live", LATER, Some(false)),
        ("unknown", LATER, Some(false)),
        ("unknown", EARLIER, Some(true)),
    ] {
        let found = permissions("ami-1", &format!("all run={run} expires={expires}"));
        assert_eq!(found[0].unique_name(), "ami-1.222222222222");
        assert_eq!(decide(&found, false), [removed], "{run} {expires}");
    }
    let old = permissions("ami-1", "all");
    assert_eq!(
        decide(&old, false),
        [None],
        "without a run only the doctor, which holds every lock, removes it"
    );
    assert_eq!(
        permissions("ami-0", "all run=dead expires=x"),
        [],
        "a copy made by hand"
    );
}

/// Returns an AMI of the catalog with a version, a state and the other tags of a candidate that waits.
fn version_of(image: &str, version: &str, state: &str, expires: &str) -> TemporaryResource {
    let id = format!("ami-{image}-{version}");
    let mut found = temporary(
        TemporaryKind::Image,
        "",
        &[
            ("bakeline:catalog", "acme"),
            ("bakeline:self", &id),
            ("bakeline:image", image),
            ("bakeline:arch", "x86_64"),
            ("bakeline:version", version),
            ("bakeline:state", state),
            ("bakeline:run", "dead"),
            ("bakeline:kept", AWAITS_CHECKS),
            ("bakeline:expires", expires),
        ],
    );
    found.id = id;
    found
}

/// Returns whether the sweep removes the first of these resources.
fn removes_first(all: &[TemporaryResource]) -> Option<bool> {
    let leftovers = with_rules(false, |sweep| sweep.find_leftovers(all));
    let mut found = leftovers.into_iter();
    let first = found.find(|leftover| leftover.resource.id == all[0].id);
    first.map(|leftover| leftover.remove)
}

#[test]
fn waiting_candidate_stays_until_it_expires() {
    let waiting = version_of("jdk", "20261122.1", "candidate", LATER);
    assert_eq!(removes_first(std::slice::from_ref(&waiting)), Some(false));
    let expired = version_of("jdk", "20261122.1", "candidate", EARLIER);
    assert_eq!(removes_first(&[expired]), Some(true));
    let mut inspected = waiting.clone();
    inspected
        .tags
        .insert("bakeline:run".to_owned(), "unknown".to_owned());
    assert_eq!(removes_first(&[inspected]), Some(false), "unknown run");
    let mut plain = waiting;
    plain.tags.remove("bakeline:kept");
    assert_eq!(removes_first(&[plain]), Some(true), "the run has ended");
}

#[test]
fn newer_version_makes_waiting_candidate_a_leftover() {
    let waiting = version_of("jdk", "20261122.1", "candidate", LATER);
    for (image, version, state, expected) in [
        ("jdk", "20261122.2", "released", true),
        ("jdk", "20261122.2", "revoked", true),
        ("jdk", "20261122.2", "candidate", true),
        ("jdk", "20261121.1", "released", false),
        ("web", "20261122.2", "released", false),
    ] {
        let other = version_of(image, version, state, LATER);
        let found = removes_first(&[waiting.clone(), other]);
        assert_eq!(found, Some(expected), "{image} {version} {state}");
    }
    let mut building = version_of("jdk", "20261122.2", "candidate", LATER);
    building.tags.remove("bakeline:kept");
    assert_eq!(removes_first(&[waiting, building]), Some(false), "may fail");
}
