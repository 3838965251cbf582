//! Digests what a plan depends on in the catalog, so that a killed run continues only with the same
//! catalog.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::fingerprint::Fingerprints;
use super::{Plan, ScopeSubject};
use crate::catalog::Catalog;
use crate::model::ImageName;

/// Returns a digest of the settings, and one of each image of the plan with its ancestors.
#[must_use]
pub fn catalog_digests(catalog: &Catalog, plan: &Plan) -> BTreeMap<String, String> {
    let prints = Fingerprints::new(catalog);
    let of_scopes = plan
        .steps
        .iter()
        .filter_map(|step| match step.scope.subject() {
            ScopeSubject::Image(image) => Some(image),
            _ => None,
        });
    let named = plan.decisions.iter().map(|decision| &decision.image);
    let digest = |name: &ImageName| {
        let lineage = catalog.lineage(name);
        let texts = lineage.into_iter().map(|image| {
            let (recipe, checks) = (prints.recipe(image), prints.checks_digest(&image.name));
            format!("{:?} {checks}", recipe.0)
        });
        (
            format!("image `{name}`"),
            sha256(&texts.collect::<String>()),
        )
    };
    let mut out: BTreeMap<String, String> = named.chain(of_scopes).map(digest).collect();
    let settings = format!("{:?}", catalog.settings);
    out.insert("bakeline.yaml".to_owned(), sha256(&settings));
    out
}

fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text.as_bytes()))
}
