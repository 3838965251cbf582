//! Tests of profiles, inputs, overrides and waivers.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, load, profile_diagnostics};
use crate::checks::{Control, Tree};
use crate::model::ImageName;

const SETTINGS: &str = "name: acme\nregions: [eu-west-1]\n";
pub(super) const BASE: &str = "source: {ssm: /a}\n";

/// Returns the catalog, or the diagnostics as `CODE file:line:column message (help)`.
pub(super) fn load_catalog(files: &[(&str, &str)]) -> Result<Catalog, Vec<String>> {
    let all = files.iter().chain([&("bakeline.yaml", SETTINGS)]);
    let all: BTreeMap<String, Vec<u8>> = all
        .map(|(p, t)| ((*p).to_owned(), t.as_bytes().to_vec()))
        .collect();
    let (catalog, found) = load(&all);
    catalog.ok_or_else(|| {
        let format_diagnostic = |d: &crate::diagnostic::Diagnostic| {
            let help = d.help.as_deref().unwrap_or("NO HELP");
            format!(
                "{} {}:{}:{} {} ({help})",
                d.code, d.span.file, d.span.line, d.span.column, d.message
            )
        };
        found.iter().map(format_diagnostic).collect()
    })
}

pub(super) fn load_errors(files: &[(&str, &str)]) -> Vec<String> {
    load_catalog(files).expect_err("something is wrong")
}

pub(super) fn control<'c>(catalog: &'c Catalog, image: &str, id: &str) -> &'c Control {
    catalog
        .controls(&ImageName::from(image))
        .into_iter()
        .find(|c| c.id == id)
        .expect(id)
}

pub(super) fn control_ids(catalog: &Catalog, image: &str) -> Vec<String> {
    catalog
        .controls(&ImageName::from(image))
        .iter()
        .map(|c| c.id.clone())
        .collect()
}

/// Returns the value of an input of a control.
pub(super) fn input_value(control: &Control, input: &str) -> Tree {
    control.inputs[input]
        .choices
        .last()
        .expect("a value")
        .1
        .clone()
}

pub(super) const SSH: &str = "title: SSH\nversion: \"1.2\"\nlicense: Apache-2.0\nmaintainer: us\nsummary: what sshd may do\n\
inputs:\n  port: {default: 22}\n  banner: {type: text, default: none, pattern: \"[a-z]+\"}\n\
checks:\n  - {id: sshd-01, title: Mode, file: /etc/ssh/sshd_config, mode: {at_most: \"0600\"}, impact: 1.0, tags: {cis: \"5.1\"}}\n  \
- id: sshd-02\n    file: /etc/issue\n    # a remark\n    content: {include: $inputs.banner}\n  - {id: sshd-03, file: /etc/p, size: $inputs.port}\n";

#[test]
fn image_lists_its_profiles() {
    let base = format!("{BASE}description: ours\nprofiles: [ssh]\nchecks: [{{package: vim}}]\n");
    let kid = "parent: base\nchecks: [{package: jdk}]\n";
    let files = [
        ("profiles/ssh.yaml", SSH),
        ("images/base.yaml", &base),
        ("images/kid.yaml", kid),
    ];
    let catalog = load_catalog(&files).expect("sound");
    let profiles = catalog.profiles(&ImageName::from("kid"));
    let names: Vec<&str> = profiles.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["ssh", "base", "kid"]);
    let ssh = &profiles[0];
    let texts = [
        &ssh.title,
        &ssh.version,
        &ssh.license,
        &ssh.maintainer,
        &ssh.summary,
    ]
    .map(|t| t.as_deref().unwrap_or(""));
    assert_eq!(
        texts,
        ["SSH", "1.2", "Apache-2.0", "us", "what sshd may do"]
    );
    assert_eq!(
        (ssh.file.as_str(), ssh.inputs.len(), ssh.sha256.len()),
        ("profiles/ssh.yaml", 2, 64)
    );
    assert_eq!(profiles[1].title.as_deref(), Some("ours"));
    let owners: Vec<&str> = catalog
        .controls(&ImageName::from("kid"))
        .iter()
        .map(|c| c.defined_at.name.as_str())
        .collect::<Vec<_>>();
    assert_eq!(owners, ["ssh", "ssh", "ssh", "base", "kid"]);
    let second = control(&catalog, "kid", "sshd-02");
    assert_eq!((second.defined_at.line, second.defined_at.column), (11, 5));
    assert_eq!(
        second.defined_at.code,
        "id: sshd-02\nfile: /etc/issue\n# a remark\ncontent: {include: $inputs.banner}"
    );
}

#[test]
fn profile_digest_depends_on_content() {
    let digest = |profile: &str, image: &str| {
        let image = format!("{BASE}{image}");
        let catalog = load_catalog(&[("profiles/ssh.yaml", profile), ("images/base.yaml", &image)])
            .expect("sound");
        catalog.profiles(&ImageName::from("base"))[0].sha256.clone()
    };
    let plain = digest(SSH, "profiles: [ssh]\n");
    assert_eq!(
        digest(&SSH.replace("    # a remark\n", ""), "profiles: [ssh]\n"),
        plain
    );
    assert_eq!(
        digest(SSH, "profiles: [ssh]\nchecks: [{package: vim}]\n"),
        plain
    );
    for (profile, image) in [
        (SSH.replace("1.2", "1.3"), "profiles: [ssh]\n"),
        (SSH.replace("0600", "0640"), "profiles: [ssh]\n"),
        (
            SSH.to_owned(),
            "profiles: [{name: ssh, inputs: {port: 2222}}]\n",
        ),
        (
            SSH.to_owned(),
            "profiles: [ssh]\ndisable: {sshd-01: no need}\n",
        ),
        (
            SSH.to_owned(),
            "profiles: [ssh]\noverride: {sshd-01: {impact: 0.1}}\n",
        ),
    ] {
        assert_ne!(digest(&profile, image), plain, "{image}");
    }
}

#[test]
fn extending_profile_has_controls_and_inputs() {
    let own = "extends: [{name: ssh, inputs: {port: 2222}}]\ninputs: {more: {default: x}}\n\
        override:\n  sshd-01: {impact: 0.2, title: Another, desc: why, tags: {nist: AC-1}, when: os.name == \"debian\", phase: [boot]}\n  \
        sshd-03: {inputs: {port: 22222}}\ndisable: {sshd-02: there is no banner}\n\
        controls: [{id: own-01, file: /etc/q, size: $inputs.port, content: $inputs.more}]\n";
    let base = format!("{BASE}profiles: [{{name: own, inputs: {{more: z}}}}]\n");
    let files = [
        ("profiles/ssh.yaml", SSH),
        ("profiles/own.yaml", own),
        ("images/base.yaml", &base),
    ];
    let catalog = load_catalog(&files).expect("sound");
    assert_eq!(
        control_ids(&catalog, "base"),
        ["sshd-01", "sshd-02", "sshd-03", "own-01"]
    );
    let first = control(&catalog, "base", "sshd-01");
    assert_eq!(
        (first.impact, first.title.as_str(), first.desc.as_deref()),
        (0.2, "Another", Some("why"))
    );
    assert_eq!(first.tags.keys().collect::<Vec<_>>(), ["cis", "nist"]);
    assert_eq!(
        (first.phases.len(), first.when.as_deref()),
        (1, Some("os.name == \"debian\""))
    );
    assert_eq!(
        (
            first.defined_at.name.as_str(),
            first.defined_at.file.as_str()
        ),
        ("own", "profiles/ssh.yaml")
    );
    assert_eq!(
        control(&catalog, "base", "sshd-02").disabled.as_deref(),
        Some("there is no banner")
    );
    assert_eq!(
        input_value(control(&catalog, "base", "sshd-03"), "port"),
        Tree::Int(22222)
    );
    let own = control(&catalog, "base", "own-01");
    assert_eq!(
        (input_value(own, "port"), input_value(own, "more")),
        (Tree::Int(2222), Tree::Text("z".to_owned()))
    );
}

#[test]
fn profile_extended_twice_is_added_once() {
    let profile = |text: &str| {
        load_catalog(&[
            ("profiles/ssh.yaml", SSH),
            (
                "profiles/a.yaml",
                "extends: [ssh]\nchecks: [{package: aa}]\n",
            ),
            ("profiles/b.yaml", text),
            ("profiles/c.yaml", "extends: [a, b]\n"),
            ("images/base.yaml", &format!("{BASE}profiles: [c]\n")),
        ])
    };
    let both = profile("extends: [ssh]\nchecks: [{package: bb}]\n").expect("sound");
    assert_eq!(
        control_ids(&both, "base"),
        ["sshd-01", "sshd-02", "sshd-03", "package:aa", "package:bb"]
    );
    let errors = profile("extends: [ssh]\ndisable: {sshd-01: no}\n").expect_err("they differ");
    assert!(
        errors[0].starts_with("CAT101 profiles/c.yaml:1:1 two extended profiles"),
        "{errors:?}"
    );
}

#[test]
fn cycles_and_long_chains_are_reported() {
    let errors = load_errors(&[
        ("profiles/a.yaml", "extends: [b]\n"),
        ("profiles/b.yaml", "extends: [c]\n"),
        ("profiles/c.yaml", "title: x\nextends: [b]\n"),
        ("profiles/d.yaml", "extends: [d]\n"),
        ("profiles/e.yaml", "extends: [nothing]\n"),
    ]);
    assert_eq!(
        errors,
        [
            "CAT101 profiles/c.yaml:2:11 cycle of profiles: b -> c -> b (remove an entry of `extends`)",
            "CAT101 profiles/d.yaml:1:11 cycle of profiles: d -> d (remove an entry of `extends`)",
            "CAT069 profiles/e.yaml:1:11 the profile `nothing` does not exist (add profiles/nothing.yaml)",
        ]
    );
    let chain: Vec<(String, String)> = (0..60)
        .map(|n| {
            (
                format!("profiles/p{n:02}.yaml"),
                format!("extends: [p{:02}]\n", n + 1),
            )
        })
        .chain([(
            "profiles/p60.yaml".to_owned(),
            "checks: [{package: aa}]\n".to_owned(),
        )])
        .collect();
    let files: Vec<(&str, &str)> = chain
        .iter()
        .map(|(p, t)| (p.as_str(), t.as_str()))
        .collect();
    assert!(load_errors(&files)[0].contains("more than 32 profiles"));
}

#[test]
fn sensitive_inputs_are_not_exposed() {
    let profile = |check: &str| {
        format!(
            "inputs:\n  word: {{default: hunter2, sensitive: true}}\nchecks:\n  - {{id: s-01, {check}}}\n"
        )
    };
    let text = profile("file: /a, content: {include: $inputs.word}");
    let base = format!("{BASE}profiles: [p]\n");
    let sound =
        load_catalog(&[("profiles/p.yaml", &text), ("images/base.yaml", &base)]).expect("sound");
    let digest = |catalog: &Catalog| {
        let name = ImageName::from("base");
        (
            crate::checks::digest(&catalog.controls(&name)),
            catalog.profiles(&name)[0].sha256.clone(),
        )
    };
    let other = text.replace("hunter2", "swordfish");
    let other =
        load_catalog(&[("profiles/p.yaml", &other), ("images/base.yaml", &base)]).expect("sound");
    assert_eq!(
        digest(&sound),
        digest(&other),
        "a secret can't be guessed from a digest"
    );
    for check in [
        "file: \"/${inputs.word}\"",
        "command: \"id ${inputs.word}\"",
        "file: /a, content: \"${w}\", for_each: {w: [$inputs.word]}",
        "file: /a, size: $inputs.word",
    ] {
        let errors = load_errors(&[
            ("profiles/p.yaml", &profile(check)),
            ("images/base.yaml", &base),
        ])
        .join("\n");
        assert!(
            errors.contains("sensitive input `word`"),
            "{check}: {errors}"
        );
        assert!(!errors.contains("hunter2"), "{check}: {errors}");
    }
}

#[test]
fn yaml_bombs_are_reported() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        bomb += &format!(
            "a{n}: &a{n} [{}]\n",
            vec![format!("*a{}", n - 1); 9].join(", ")
        );
    }
    let deep = format!("checks: {}{}\n", "[".repeat(2000), "]".repeat(2000));
    let groups = format!(
        "checks: [{}file: /a{}]\n",
        "{any_of: [{".repeat(200),
        "}]}".repeat(200)
    );
    for text in [&bomb, &deep, &groups] {
        let codes: Vec<&str> = profile_diagnostics(text).iter().map(|d| d.code).collect();
        assert!(codes.contains(&"CAT009"), "{codes:?}");
        let errors = load_errors(&[("waivers.yaml", text)]);
        assert!(
            errors.iter().any(|s| s.starts_with("CAT009 waivers.yaml")),
            "{errors:?}"
        );
    }
    let many = format!(
        "checks: [{{package: \"${{a}}${{b}}\", for_each: {{a: [{0}], b: [{0}]}}}}]\n",
        vec!["x"; 200].join(", ")
    );
    assert!(
        profile_diagnostics(&many)
            .iter()
            .any(|d| d.message.contains("more than 10000 combinations"))
    );
}

#[test]
fn gate_is_read() {
    let gate = |text: &str| {
        let settings = format!("{SETTINGS}{text}");
        load(&BTreeMap::from([(
            "bakeline.yaml".to_owned(),
            settings.into_bytes(),
        )]))
    };
    let impact = |text: &str| gate(text).0.expect("sound").settings.gate.fail_from_impact;
    assert_eq!(
        (
            impact("").to_bits(),
            impact("checks: {fail_from_impact: 0.7}\n")
        ),
        (0.0_f64.to_bits(), 0.7)
    );
    assert!(gate("checks: {fail_from_impact: 1.5}\n").0.is_none());
}
