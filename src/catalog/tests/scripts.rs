//! Tests of the scripts of an image and their options.

use std::collections::BTreeMap;

use super::{codes_and_positions, load_valid, repository};
use crate::catalog::{Catalog, load};
use crate::diagnostic::Severity;
use crate::model::ImageName;
use crate::plan::fingerprint::Recipe;
use crate::provision::Provision;
use crate::provision::script::Script;

const PATH: &str = "files/deep/run.sh";

fn base_with(more: &str) -> String {
    format!("source: {{ssm: /a}}\n{more}")
}

fn scripts(catalog: &Catalog) -> Vec<Script> {
    let image = &catalog.images[&ImageName::from("base")];
    let scripts = image.provision.iter().filter_map(|p| match p {
        Provision::Script(script) => Some(script.clone()),
        _ => None,
    });
    scripts.collect()
}

#[test]
fn script_is_path_or_map_with_options() {
    let text = base_with(
        "scripts:\n  - files/deep/run.sh\n  - {path: files/deep/run.sh}\n  - path: files/deep/run.sh\n    \
         env: {PORT: 8080, ON: true, TEXT: \"it's {{ $(x) }}\\n\"}\n    args: [--all, 7, \"a b\"]\n    \
         timeout: 1m30s\n    reboot: true\n    user: www-data\n",
    );
    let catalog = load_valid(&[("images/base.yaml", &text)]);
    let plain = Script {
        path: PATH.to_owned(),
        ..Script::default()
    };
    let env = [
        ("ON", "true"),
        ("PORT", "8080"),
        ("TEXT", "it's {{ $(x) }}\n"),
    ];
    let full = Script {
        env: BTreeMap::from(env.map(|(k, v)| (k.to_owned(), v.to_owned()))),
        args: ["--all", "7", "a b"].map(str::to_owned).to_vec(),
        timeout: Some(90),
        reboot: true,
        user: Some("www-data".to_owned()),
        ..plain.clone()
    };
    assert_eq!(scripts(&catalog), [plain.clone(), plain, full]);
}

#[test]
fn each_option_of_script_is_an_input() {
    let recipe = |options: &str| {
        let text = base_with(&format!(
            "scripts: [{{path: files/deep/run.sh{options}}}]\n"
        ));
        let catalog = load_valid(&[("images/base.yaml", &text)]);
        Recipe::from_image(&catalog, &catalog.images[&ImageName::from("base")]).0
    };
    let plain = recipe("");
    for (options, name, value) in [
        (", env: {A: b}", "script files/deep/run.sh env A", "b"),
        (
            ", args: [a, b c]",
            "script files/deep/run.sh args",
            "[\"a\",\"b c\"]",
        ),
        (", timeout: 2m", "script files/deep/run.sh timeout", "120 s"),
        (
            ", reboot: true",
            "script files/deep/run.sh reboot",
            "allowed",
        ),
        (", user: app", "script files/deep/run.sh user", "app"),
    ] {
        let mut after = recipe(options);
        assert_eq!(after.remove(name).as_deref(), Some(value), "{options}");
        after.retain(|key, _| !key.starts_with("template "));
        assert!(
            after.iter().all(|(k, v)| plain.get(k) == Some(v)),
            "{options}"
        );
    }
    let unchanged = recipe(", reboot: false, user: root, env: {}, args: []");
    assert_eq!(unchanged, plain);
}

#[test]
fn invalid_options_have_positions() {
    for (more, expected) in [
        ("scripts: [{}]\n", vec!["CAT022 2:11"]),
        ("scripts: [{path: nothing.sh}]\n", vec!["CAT062 2:18"]),
        ("scripts: [{path: ../x}]\n", vec!["CAT060 2:18"]),
        (
            "scripts: [{path: files/deep/run.sh, tiemout: 1m}]\n",
            vec!["CAT020 2:37"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, timeout: 90}]\n",
            vec!["CAT021 2:46"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, timeout: fast}]\n",
            vec!["CAT092 2:46"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, user: \"a b\"}]\n",
            vec!["CAT066 2:43"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, env: {A-B: x}}]\n",
            vec!["CAT084 2:43"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, env: {BAKELINE_RUN: x}}]\n",
            vec!["CAT084 2:43"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, env: {A: 1.10}}]\n",
            vec!["CAT021 2:46"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, env: {A: [b]}}]\n",
            vec!["CAT021 2:43"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, args: x}]\n",
            vec!["CAT021 2:43"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, args: [{a: b}]}]\n",
            vec!["CAT021 2:44"],
        ),
        (
            "scripts: [{path: files/deep/run.sh, reboot: maybe}]\n",
            vec!["CAT021 2:45"],
        ),
        ("scripts: [[files/deep/run.sh]]\n", vec!["CAT021 2:11"]),
    ] {
        let (catalog, found) = load(&repository(&[("images/base.yaml", &base_with(more))]));
        let expected: Vec<String> = expected
            .iter()
            .map(|e| e.replacen(' ', " images/base.yaml:", 1))
            .collect();
        assert_eq!(codes_and_positions(&found), expected, "{more}{found:#?}");
        assert!(catalog.is_none() && found.iter().all(|d| d.help.is_some()));
    }
}

#[test]
fn secret_in_environment_is_an_error() {
    let secret = ["xoxb", "-123456789012-abcdef"].concat();
    let text = base_with(&format!(
        "scripts: [{{path: {PATH}, env: {{A: {secret}}}}}]\n"
    ));
    let (catalog, found) = load(&repository(&[("images/base.yaml", &text)]));
    assert!(catalog.is_none());
    assert_eq!(
        codes_and_positions(&found),
        ["CAT080 images/base.yaml:2:46"]
    );
}

#[test]
fn script_without_errexit_is_reported_once() {
    let files = |settings: &'static str| {
        repository(&[
            ("bakeline.yaml", settings),
            (
                "images/base.yaml",
                &base_with("scripts: [s.sh, files/deep/run.sh]\n"),
            ),
            (
                "images/kid.yaml",
                "parent: base\nscripts: [{path: s.sh, args: [x]}]\n",
            ),
            ("s.sh", "#!/bin/bash\ncurl -O x\ntar xf x\n"),
        ])
    };
    let (catalog, found) = load(&files("name: acme\nregions: [eu-west-1]\n"));
    assert_eq!(codes_and_positions(&found), ["CAT086 s.sh:1:1"]);
    assert!(catalog.is_some() && found[0].severity == Severity::Warning);
    let strict = "name: acme\nregions: [eu-west-1]\nscripts: {require_errexit: true}\n";
    let (catalog, found) = load(&files(strict));
    assert_eq!(codes_and_positions(&found), ["CAT086 s.sh:1:1"]);
    assert!(catalog.is_none() && found[0].severity == Severity::Error);
}
