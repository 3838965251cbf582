//! Tests of loading: broken catalogs, special characters and arbitrary bytes.

mod architectures;
mod ascii;
mod broken;
mod broken_profiles;
mod configuration;
mod corpus;
mod distribution;
mod good;
mod helps;
mod instance;
mod kms;
mod limits;
mod linked;
mod matrices;
mod messages;
mod misplaced;
mod overrides;
mod profiles;
mod scripts;
mod sources;
mod trees;
mod unused;
mod variables;
mod volumes;

use std::collections::BTreeMap;

use super::{Catalog, load};
use crate::diagnostic::Diagnostic;

/// Files of a repository by path.
pub(super) type Repository = BTreeMap<String, Vec<u8>>;

/// Smallest valid settings.
pub(super) const SETTINGS: &str = "name: acme\nregions: [eu-west-1]\n";
/// Smallest valid base image.
pub(super) const BASE: &str = "source: {owner: amazon, name: \"debian-12-*\"}\n";

/// Returns a valid repository with some files replaced or added. An empty text removes a file.
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
        if text.is_empty() {
            out.remove(*path);
        } else {
            out.insert((*path).to_owned(), text.as_bytes().to_vec());
        }
    }
    out
}

/// Returns diagnostics as `CODE file:line:column`.
pub(super) fn codes_and_positions(found: &[Diagnostic]) -> Vec<String> {
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

/// Loads a repository without diagnostics.
pub(super) fn load_valid(files: &[(&str, &str)]) -> Catalog {
    let (catalog, found) = load(&repository(files));
    assert_eq!(codes_and_positions(&found), Vec::<String>::new());
    catalog.expect("no finding, so a catalog")
}
