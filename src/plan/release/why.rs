//! Explains why an image would be built: compares each input with its value in the last release of
//! the image.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::decide::plan_release_as_of;
use super::planner::{ReleasePlanner, ReleaseRequest};
use crate::catalog::{Catalog, Origin};
use crate::lifecycle::tags;
use crate::model::{AmiId, ImageName, Inventory, RunId, Version};

/// Comparison of one input with the last release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputComparison {
    /// Name of the input.
    pub input: String,
    /// Value or digest in the last release; none for a new input, or without a manifest.
    pub then: Option<String>,
    /// Present value or digest.
    pub now: Option<String>,
    /// True if the input changed; none without a manifest.
    #[serde(rename = "moved")]
    pub changed: Option<bool>,
}

/// Explanation why an image would be built, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Name of the image.
    pub image: ImageName,
    /// Last release, with which the image is compared.
    pub version: Version,
    /// AMI of the last release.
    pub ami: AmiId,
    /// Run that built it.
    pub run: String,
    /// Commit of the catalog at that time.
    pub commit: Option<String>,
    /// Reasons of that build, from the manifest.
    #[serde(rename = "built_because")]
    pub build_reasons: Vec<String>,
    /// Verdict of a release now.
    pub verdict: String,
    /// Reasons for the verdict.
    pub reasons: Vec<String>,
    /// True if the manifest of the last release is in the store. Without it only digests can be
    /// compared.
    pub manifest: bool,
    /// Digests of recipe and checks, and the parent or source.
    pub digests: Vec<InputComparison>,
    /// Inputs of the recipe.
    pub inputs: Vec<InputComparison>,
    /// Controls.
    pub controls: Vec<InputComparison>,
}

/// Explains an image. Returns none if it has no released version.
#[must_use]
pub fn explain_image(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &ImageName,
) -> Option<Explanation> {
    let request = ReleaseRequest {
        images: vec![image.clone()],
        force: false,
        run: RunId::from("why"),
    };
    let plan = plan_release_as_of(catalog, inventory, &request, inventory.captured_at);
    let decision = plan.decisions.iter().find(|d| d.image == *image)?;
    let planner = ReleasePlanner::new(catalog, inventory, &request, inventory.captured_at);
    let image = catalog.images.get(image)?;
    let last = planner.index.last_good(catalog, image)?;
    let manifest = planner.matching_manifest(image, last);
    let (recipe, controls) = (
        planner.prints.recipe(image),
        planner.prints.controls(&image.name),
    );
    let tag = |key: &str| Some(last.tag(key).to_owned()).filter(|v| !v.is_empty());
    let mut digests = vec![
        compare_values("recipe", tag(tags::RECIPE), Some(recipe.digest())),
        compare_values(
            "checks",
            tag(tags::CHECKS),
            Some(planner.prints.checks_digest(&image.name)),
        ),
    ];
    digests.push(match &image.origin {
        Origin::Parent(parent) => {
            let now = catalog
                .images
                .get(parent)
                .and_then(|p| planner.index.layer_parent(catalog, p));
            compare_values(
                "parent",
                tag(tags::PARENT),
                now.map(|r| format!("{}@{}", parent.published(), r.version)),
            )
        }
        Origin::Source(_) => {
            let now = inventory
                .sources
                .get(&image.name)
                .and_then(Option::as_ref)
                .map(|a| a.id.to_string());
            compare_values("source", Some(planner.chain_source(last).0), now)
        }
    });
    Some(Explanation {
        image: image.name.clone(),
        version: last.version,
        ami: last.ami.id.clone(),
        run: last.tag(tags::RUN).to_owned(),
        commit: tag(tags::COMMIT),
        build_reasons: manifest.map(|m| m.reasons.clone()).unwrap_or_default(),
        verdict: decision.verdict.as_str().to_owned(),
        reasons: decision.reasons.clone(),
        manifest: manifest.is_some(),
        digests,
        inputs: compare_inputs(manifest.map(|m| &m.inputs), &recipe.0),
        controls: compare_inputs(manifest.map(|m| &m.controls), &controls),
    })
}

fn compare_inputs(
    then: Option<&BTreeMap<String, String>>,
    now: &BTreeMap<String, String>,
) -> Vec<InputComparison> {
    let names: BTreeSet<&String> = now
        .keys()
        .chain(then.into_iter().flat_map(BTreeMap::keys))
        .collect();
    let line = |name: &String| {
        let (before, after) = (then.and_then(|t| t.get(name)), now.get(name));
        let moved = then.is_some().then_some(before != after);
        InputComparison {
            input: name.clone(),
            then: before.cloned(),
            now: after.cloned(),
            changed: moved,
        }
    };
    names.into_iter().map(line).collect()
}

fn compare_values(input: &str, then: Option<String>, now: Option<String>) -> InputComparison {
    let moved = Some(then != now);
    InputComparison {
        input: input.to_owned(),
        then,
        now,
        changed: moved,
    }
}
