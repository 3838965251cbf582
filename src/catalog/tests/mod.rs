//! Owns the tests of loading: broken catalogs with their findings, the corpus of awkward texts, and arbitrary bytes.

mod ascii;
mod broken;
mod broken_profiles;
mod configuration;
mod corpus;
mod good;
mod linked;
mod messages;
mod profiles;

use std::collections::BTreeMap;

use super::{Catalog, load};
use crate::diagnostic::Diagnostic;

/// A repository: path to bytes.
pub(super) type Repository = BTreeMap<String, Vec<u8>>;

/// The smallest settings.
pub(super) const SETTINGS: &str = "name: acme\nregions: [eu-west-1]\n";
/// The smallest base image.
pub(super) const BASE: &str = "source: {owner: amazon, name: \"debian-12-*\"}\n";

/// A sound repository, with some files replaced or added; an empty text removes the file.
pub(super) fn repository(files: &[(&str, &str)]) -> Repository {
    let mut out = Repository::new();
    let sound = [
        ("bakeline.yaml", SETTINGS),
        ("images/base.yaml", BASE),
        ("files/motd", "hello\n"),
        ("files/deep/run.sh", "#!/bin/sh\n"),
        ("ansible/site.yaml", "- hosts: all\n"),
        ("puppet/site.pp", "notice('hello')\n"),
        ("profiles/web.yaml", "checks:\n  - {package: nginx}\n"),
        ("templates/packer/build.pkr.hcl", "x\n"),
    ];
    for (path, text) in sound.iter().chain(files) {
        match *text {
            "" => drop(out.remove(*path)),
            text => drop(out.insert((*path).to_owned(), text.as_bytes().to_vec())),
        }
    }
    out
}

/// Findings as `CODE file:line:column`.
pub(super) fn spans(found: &[Diagnostic]) -> Vec<String> {
    found
        .iter()
        .map(|d| {
            format!(
                "{} {}:{}:{}",
                d.code, d.span.file, d.span.line, d.span.column
            )
        })
        .collect()
}

/// The catalog of a repository that must be sound.
pub(super) fn sound(files: &[(&str, &str)]) -> Catalog {
    let (catalog, found) = load(&repository(files));
    assert_eq!(spans(&found), Vec::<String>::new());
    catalog.expect("no finding, so a catalog")
}
