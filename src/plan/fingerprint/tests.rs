//! Property tests of fingerprints over generated images: equal inputs have equal fingerprints, and
//! every changed input is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Fingerprints, Recipe};
use crate::catalog::{Catalog, load};
use crate::matrix::proptest_config;
use crate::model::ImageName;
use crate::plan::change;

/// Inputs of an image file, and the contents of the files that it names.
#[derive(Debug, Clone, PartialEq)]
struct Spec {
    parent: bool,
    packages: BTreeMap<String, Option<u32>>,
    scripts: Vec<String>,
    files: BTreeMap<String, (String, String, u32)>,
    tags: BTreeMap<String, String>,
    disk_gib: Option<u32>,
    playbook: Option<BTreeMap<String, String>>,
    manifest: Option<BTreeMap<String, String>>,
    checks: BTreeSet<String>,
    contents: BTreeMap<String, String>,
    templates: BTreeMap<String, String>,
}

const PATHS: [&str; 4] = ["s/one.sh", "s/two.sh", "s/three.sh", "f/motd"];
const TEMPLATES: [&str; 3] = [
    "templates/packer/amazon-ebs.pkr.json",
    "templates/provision/common/prepare.sh",
    "templates/provision/common/seal.sh",
];

fn spec() -> impl Strategy<Value = Spec> {
    let word = "[a-z]{2,6}";
    let values = || prop::collection::btree_map("[a-z]{3,6}", "[a-zA-Z0-9 .=-]{1,9}", 0..3);
    let one = (
        any::<bool>(),
        prop::collection::btree_map(word, prop::option::of(1..90u32), 0..4),
        prop::sample::subsequence(PATHS[..3].to_vec(), 0..=3).prop_shuffle(),
        prop::collection::btree_map("/etc/[a-z]{1,5}", (0..4usize, "[a-z]{1,5}", 0..8u32), 0..3),
        values(),
        prop::option::of(10..90u32),
    );
    let other = (
        prop::option::of(values()),
        prop::option::of(values()),
        prop::collection::btree_set("/var/[a-z]{1,5}", 0..3),
        prop::collection::vec("[a-z ]{0,9}", 6),
        prop::collection::vec("[a-z ]{0,9}", 3),
    );
    (one, other).prop_map(
        |(
            (parent, packages, scripts, files, tags, disk_gib),
            (playbook, manifest, checks, contents, texts),
        )| Spec {
            parent,
            packages,
            scripts: scripts.into_iter().map(str::to_owned).collect(),
            files: files
                .into_iter()
                .map(|(to, (from, owner, mode))| (to, (PATHS[from].to_owned(), owner, mode)))
                .collect(),
            tags,
            disk_gib,
            playbook,
            manifest,
            checks,
            contents: PATHS
                .iter()
                .copied()
                .chain(["a/site.yaml", "p/site.pp"])
                .map(str::to_owned)
                .zip(contents)
                .collect(),
            templates: TEMPLATES
                .map(str::to_owned)
                .into_iter()
                .zip(texts)
                .collect(),
        },
    )
}

/// Returns the files of the catalog. `noise` adds everything that must not affect a fingerprint.
fn files(spec: &Spec, noise: bool) -> BTreeMap<String, Vec<u8>> {
    let mut sections = image_sections(spec);
    let mut settings = "name: acme\nregions: [eu-west-1]\n".to_owned();
    let mut out: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    if noise {
        sections.reverse();
        sections.push(
            "description: other words\nmax_age: 9d\nrebase_after: 3\nenvironment: Test # a comment"
                .to_owned(),
        );
        settings.push_str("builder: {instance_type: m5.large, tags: {Cost: x}}\nlease: 3m\non_failure: continue\n");
        for (path, text) in [
            ("images/another.yaml", "parent: base\npackages: [zsh]\n"),
            ("templates/provision/debian/unused.sh", "x"),
            ("profiles/unused.yaml", "checks: []\n"),
        ] {
            out.insert(path.to_owned(), text.as_bytes().to_vec());
        }
    }
    let mut text = String::new();
    for section in sections {
        let _infallible = writeln!(text, "{section}");
    }
    out.insert("images/it.yaml".to_owned(), text.into_bytes());
    out.insert(
        "images/base.yaml".to_owned(),
        b"source: {owner: amazon, name: debian-*}\n".to_vec(),
    );
    out.insert("bakeline.yaml".to_owned(), settings.into_bytes());
    out.extend(
        spec.contents
            .iter()
            .chain(&spec.templates)
            .map(|(path, text)| (path.clone(), text.clone().into_bytes())),
    );
    out
}

/// Returns the keys of the image file, one text each.
fn image_sections(spec: &Spec) -> Vec<String> {
    let list = |items: Vec<String>| items.join(", ");
    let map = |values: &BTreeMap<String, String>| {
        format!(
            "{{{}}}",
            list(values.iter().map(|(k, v)| format!("{k}: '{v}'")).collect())
        )
    };
    let package = |(name, version): (&String, &Option<u32>)| {
        version.map_or_else(|| name.clone(), |v| format!("{name}={v}"))
    };
    let file = |(to, (from, owner, mode)): (&String, &(String, String, u32))| {
        format!("{{source: {from}, destination: {to}, owner: '{owner}', mode: '060{mode}'}}")
    };
    let origin = if spec.parent {
        "parent: base"
    } else {
        "source: {owner: amazon, name: other-*}"
    };
    let mut sections = vec![
        origin.to_owned(),
        format!(
            "packages: [{}]",
            list(spec.packages.iter().map(package).collect())
        ),
        format!("scripts: [{}]", spec.scripts.join(", ")),
        format!("files: [{}]", list(spec.files.iter().map(file).collect())),
        format!("tags: {}", map(&spec.tags)),
    ];
    sections.extend(spec.disk_gib.map(|gib| format!("disk_gib: {gib}")));
    sections.extend(
        spec.playbook
            .as_ref()
            .map(|v| format!("ansible: [{{playbook: a/site.yaml, vars: {}}}]", map(v))),
    );
    sections.extend(
        spec.manifest
            .as_ref()
            .map(|v| format!("puppet: [{{manifest: p/site.pp, facts: {}}}]", map(v))),
    );
    let checks = spec
        .checks
        .iter()
        .map(|path| format!("{{file: {path}}}"))
        .collect();
    sections.push(format!("checks: [{}]", list(checks)));
    sections
}

fn catalog(spec: &Spec, noise: bool) -> Catalog {
    let (catalog, findings) = load(&files(spec, noise));
    catalog.unwrap_or_else(|| panic!("{spec:?}\n{findings:?}"))
}

fn fingerprint_of(catalog: &Catalog) -> (Recipe, BTreeMap<String, String>) {
    let (prints, name) = (Fingerprints::new(catalog), ImageName::from("it"));
    (
        prints.recipe(&catalog.images[&name]),
        prints.controls(&name),
    )
}

fn nth_key<K: Clone, V>(map: &BTreeMap<K, V>, at: usize) -> Option<K> {
    map.keys().nth(at % map.len().max(1)).cloned()
}

fn modify(text: &mut String) {
    text.push('x');
}

/// Changes one declared input and returns its name. Returns none if the image has no such input.
fn mutate(spec: &mut Spec, which: usize, at: usize) -> Option<String> {
    match which {
        0 => {
            spec.parent = !spec.parent;
            Some("starts from".to_owned())
        }
        1 => {
            spec.packages.insert("zzz".to_owned(), None);
            Some("package zzz".to_owned())
        }
        2 => {
            let name = nth_key(&spec.packages, at)?;
            spec.packages.remove(&name);
            Some(format!("package {name}"))
        }
        3 => {
            let name = nth_key(&spec.packages, at)?;
            spec.packages
                .entry(name.clone())
                .and_modify(|v| *v = Some(v.unwrap_or(0) + 1));
            Some(format!("package {name}"))
        }
        4 => {
            let path = spec.scripts.get(at % spec.scripts.len().max(1))?.clone();
            modify(spec.contents.get_mut(&path)?);
            Some(format!("script {path}"))
        }
        5 => {
            (spec.scripts.len() > 1).then_some(())?;
            spec.scripts.rotate_left(1);
            Some("order".to_owned())
        }
        6 => {
            let path = spec.scripts.pop()?;
            Some(format!("script {path}"))
        }
        7 => {
            let to = nth_key(&spec.files, at)?;
            let entry = spec.files.get_mut(&to)?;
            if at.is_multiple_of(2) {
                modify(&mut entry.1)
            } else {
                entry.2 = (entry.2 + 1) % 8
            }
            Some(format!("destination {to}"))
        }
        8 => {
            let from = spec.files[&nth_key(&spec.files, at)?].0.clone();
            modify(spec.contents.get_mut(&from)?);
            Some(format!("file {from}"))
        }
        9 => {
            let to = nth_key(&spec.files, at)?;
            let entry = spec.files.remove(&to)?;
            spec.files.insert(format!("{to}{NEW_SUFFIX}"), entry);
            Some(format!("destination {to}"))
        }
        _ => mutate_more(spec, which, at),
    }
}

/// Suffix that no generated path contains, so that a new path never equals another one.
const NEW_SUFFIX: &str = "-new";

fn mutate_more(spec: &mut Spec, which: usize, at: usize) -> Option<String> {
    match which {
        10 => {
            let key = nth_key(&spec.tags, at)?;
            modify(spec.tags.get_mut(&key)?);
            Some(format!("tag {key}"))
        }
        11 => {
            spec.disk_gib = spec
                .disk_gib
                .map_or(Some(9), |gib| (gib % 2 == 0).then_some(gib + 1));
            Some("volume root".to_owned())
        }
        12 => {
            spec.playbook.as_ref()?;
            modify(spec.contents.get_mut("a/site.yaml")?);
            Some("file a/site.yaml".to_owned())
        }
        13 => {
            let vars = spec.playbook.as_mut()?;
            let key = nth_key(vars, at)?;
            modify(vars.get_mut(&key)?);
            Some(format!("playbook a/site.yaml {key}"))
        }
        14 => {
            spec.manifest.as_ref()?;
            modify(spec.contents.get_mut("p/site.pp")?);
            Some("file p/site.pp".to_owned())
        }
        15 => {
            let facts = spec.manifest.as_mut()?;
            let key = nth_key(facts, at)?;
            modify(facts.get_mut(&key)?);
            Some(format!("manifest p/site.pp {key}"))
        }
        16 => {
            let path = TEMPLATES[at % 3];
            modify(spec.templates.get_mut(path)?);
            Some(format!("template {path}"))
        }
        _ => {
            let path = spec.checks.pop_first()?;
            spec.checks.insert(format!("{path}{NEW_SUFFIX}"));
            Some("check".to_owned())
        }
    }
}

proptest! {
    #![proptest_config(proptest_config(50, 200))]

    #[test]
    fn irrelevant_changes_keep_the_fingerprint(spec in spec()) {
        let (plain, noisy) = (fingerprint_of(&catalog(&spec, false)), fingerprint_of(&catalog(&spec, true)));
        prop_assert_eq!(plain.0.digest(), noisy.0.digest());
        prop_assert_eq!(plain, noisy);
    }

    #[test]
    fn every_changed_input_is_named(spec in spec(), at in 0..6usize) {
        let before = fingerprint_of(&catalog(&spec, false));
        for which in 0..18 {
            let mut changed = spec.clone();
            let Some(input) = mutate(&mut changed, which, at) else { continue };
            let after = fingerprint_of(&catalog(&changed, false));
            if input == "check" {
                prop_assert_eq!(&before.0, &after.0, "checks are not part of the recipe");
                prop_assert_eq!(change::diff_inputs(&before.1, &after.1).len(), 2);
                prop_assert_ne!(crate::checks::combine_digests(&before.1), crate::checks::combine_digests(&after.1));
                continue;
            }
            prop_assert_ne!(before.0.digest(), after.0.digest(), "{}", input);
            let changes = change::diff_inputs(&before.0.0, &after.0.0);
            let named: Vec<&str> = changes.iter().map(|c| c.input.as_str()).collect();
            prop_assert!(named.contains(&input.as_str()), "{} is not among {:?}", input, named);
        }
    }
}

#[test]
fn instance_settings_of_an_image_are_inputs() {
    let inputs = |builder: &str, own: &str| {
        let image = format!("parent: base\n{own}");
        let settings = format!("name: acme\nregions: [eu-west-1]\n{builder}");
        let files = BTreeMap::from([
            ("bakeline.yaml".to_owned(), settings.into_bytes()),
            (
                "images/base.yaml".to_owned(),
                b"source: {ssm: /a}\n".to_vec(),
            ),
            ("images/it.yaml".to_owned(), image.into_bytes()),
        ]);
        fingerprint_of(&load(&files).0.expect("a catalog")).0.0
    };
    let before = inputs("", "");
    assert_eq!(before, inputs("builder: {instance_type: m7i.large}\n", ""));
    let own = "builder: {instance_types: [m7g.large, m7i.large], public_address: true}\n\
               login_user: rocky\nssh_pty: true\nboot_wait: 90s\n\
               volumes: [{device: root, type: gp3, iops: 4000}, {device: /dev/sdf, size: 9}]\n";
    let changes = change::diff_inputs(&before, &inputs("", own));
    let texts: Vec<String> = changes.iter().map(change::InputChange::describe).collect();
    assert_eq!(
        texts,
        [
            "boot_wait 90 s added",
            "instance_type m7i.large added",
            "login_user rocky added",
            "public_address true added",
            "ssh_pty true added",
            "volume /dev/sdf added",
            "volume root added",
        ]
    );
    let own = |more: &str, subnets: &str| {
        let types = format!("instance_types: [m7i.large, m7g.large{more}]");
        inputs(
            "",
            &format!("builder: {{{types}, subnets: [subnet-0000000a{subnets}]}}\n"),
        )
    };
    let fallbacks = own(", m6i.large", ", subnet-0000000b");
    assert_eq!(own("", ""), fallbacks, "other values do not count");
}
