//! Tests of files of the catalog in places that bakeline does not read.

use super::{BASE, repository};
use crate::catalog::{load, misplaced_files};

const PROFILE: &str = "title: Web servers\nchecks: [{package: nginx}]\n";
const IMAGE: &str = "parent: base\npackages: [nginx]\n";

/// Returns the help of the warning for a file, or the empty text.
fn help(path: &str, text: &str) -> String {
    let found = misplaced_files(&repository(&[(path, text)]));
    assert!(found.len() < 2, "{found:?}");
    let warning = found.into_iter().next();
    warning.map_or_else(String::new, |warning| {
        assert_eq!((warning.code, warning.span.file.as_str()), ("CAT117", path));
        warning.help.unwrap_or_default()
    })
}

#[test]
fn misplaced_file_is_reported_with_its_place() {
    for (path, text, place) in [
        ("web.yaml", IMAGE, "images/web.yaml"),
        ("image/web.yaml", IMAGE, "images/web.yaml"),
        ("Images/web.yaml", BASE, "images/web.yaml"),
        ("catalog/images/web.yml", IMAGE, "images/web.yaml"),
        (
            "web.yaml",
            "parent: base\npakages: [nginx]\narch: x86_64\n",
            "images/web.yaml",
        ),
        ("profile/web.yaml", PROFILE, "profiles/web.yaml"),
        ("profiles/own/web.yaml", PROFILE, "profiles/web.yaml"),
        ("profiles/linux.yml", PROFILE, "profiles/linux.yaml"),
        ("waivers.yml", "waivers: []\n", "waivers.yaml"),
        ("waiver.yaml", "waivers: []\n", "waivers.yaml"),
    ] {
        assert_eq!(
            help(path, text),
            format!("move it to {place}, or remove it"),
            "{path}"
        );
    }
}

#[test]
fn files_of_other_tools_are_not_reported() {
    for (path, text) in [
        ("docker-compose.yaml", "services: {web: {image: nginx}}\n"),
        ("site.yml", "- hosts: all\n  roles: [web]\n"),
        (
            "chart/values.yaml",
            "source: x\nreplicas: 1\nimage: web\nservice: {}\n",
        ),
        ("other/waivers.yaml", "waivers: []\n"),
        ("broken.yaml", "parent: [\n"),
        ("images/team/web.yaml", IMAGE),
        ("profiles/own.yaml", PROFILE),
        ("templates/packer/web.yaml", IMAGE),
    ] {
        assert_eq!(help(path, text), "", "{path}");
    }
}

#[test]
fn files_that_an_image_uses_are_not_reported() {
    let image = "parent: base\nfiles:\n  - {source: ./files/consul.yaml, destination: /etc/consul}\n  \
                 - {source: app/, destination: /etc/app}\n";
    let found = misplaced_files(&repository(&[
        ("images/web.yaml", image),
        ("files/consul.yaml", PROFILE),
        ("app/conf/checks.yaml", PROFILE),
        ("files/other.yaml", PROFILE),
    ]));
    let paths: Vec<&str> = found.iter().map(|one| one.span.file.as_str()).collect();
    assert_eq!(paths, ["files/other.yaml"]);
}

#[test]
fn image_in_profiles_is_one_error() {
    let (catalog, found) = load(&repository(&[("profiles/web.yaml", IMAGE)]));
    assert!(catalog.is_none());
    let texts: Vec<String> = found
        .iter()
        .map(|one| format!("{} {}", one.code, one.message))
        .collect();
    assert_eq!(texts, ["CAT117 this profile looks like an image"]);
    assert_eq!(
        found[0].help.as_deref(),
        Some("move it to images/web.yaml, or remove `source` and `parent`")
    );
}

#[test]
fn misspelled_key_is_one_error() {
    for (path, text, help) in [
        ("images/web.yaml", "base: base\n", "did you mean `parent`?"),
        (
            "images/web.yaml",
            "parnet: base\n",
            "did you mean `parent`?",
        ),
        (
            "bakeline.yaml",
            "nam: acme\nregions: [eu-west-1]\n",
            "did you mean `name`?",
        ),
    ] {
        let (_, found) = load(&repository(&[(path, text)]));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].help.as_deref(), Some(help), "{text}");
    }
}

#[test]
fn path_relative_to_the_image_file_gets_its_real_path() {
    let (_, found) = load(&repository(&[
        ("images/run.sh", "#!/bin/sh\nset -e\n"),
        ("images/web.yaml", "parent: base\nscripts: [run.sh]\n"),
    ]));
    assert_eq!(
        found[0].help.as_deref(),
        Some("did you mean `images/run.sh`?")
    );
}

#[test]
fn settings_with_another_name_are_found() {
    let (_, found) = load(&repository(&[
        ("bakeline.yaml", ""),
        ("bakeline.yml", "name: acme\n"),
    ]));
    assert_eq!(
        found[0].help.as_deref(),
        Some("rename bakeline.yml to bakeline.yaml")
    );
}
