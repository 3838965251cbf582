//! Owns the explanation of one image's fingerprint against its last release: every input then and now.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Planner, Request, plan_as_of};
use crate::catalog::{Catalog, Origin};
use crate::lifecycle::tags;
use crate::model::{AmiId, ImageName, Inventory, RunId, Version};

/// One input, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Its name.
    pub input: String,
    /// Its value or digest in the last release; none when it was not there, or nobody remembers.
    pub then: Option<String>,
    /// Its value or digest now.
    pub now: Option<String>,
    /// Whether it moved; none when nobody remembers what it was.
    pub moved: Option<bool>,
}

/// Why an image would, or would not, be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The image.
    pub image: ImageName,
    /// The last release it is compared with.
    pub version: Version,
    /// Its AMI.
    pub ami: AmiId,
    /// The run that made it, and the commit it was made from.
    pub run: String,
    /// The commit of the catalog then.
    pub commit: Option<String>,
    /// Why it was built then, where the manifest says so.
    pub built_because: Vec<String>,
    /// What a release would do now.
    pub verdict: String,
    /// Why.
    pub reasons: Vec<String>,
    /// Whether the manifest of that version is in the store; without it only digests can be compared.
    pub manifest: bool,
    /// Recipe and checks as digests, parent or source.
    pub digests: Vec<Compared>,
    /// Every input of the recipe.
    pub inputs: Vec<Compared>,
    /// Every control.
    pub controls: Vec<Compared>,
}

/// Explains an image; none when nothing of it is released.
#[must_use]
pub fn why(catalog: &Catalog, inventory: &Inventory, image: &ImageName) -> Option<Why> {
    let request = Request {
        images: vec![image.clone()],
        force: false,
        run: RunId::from("why"),
    };
    let plan = plan_as_of(catalog, inventory, &request, inventory.taken);
    let decision = plan.decisions.iter().find(|d| d.image == *image)?;
    let planner = Planner::new(catalog, inventory, &request, inventory.taken);
    let image = catalog.images.get(image)?;
    let last = planner.index.last_good(catalog, image)?;
    let manifest = planner.manifest(image, last);
    let (recipe, controls) = (
        planner.prints.recipe(image),
        planner.prints.controls(&image.name),
    );
    let tag = |key: &str| Some(last.tag(key).to_owned()).filter(|v| !v.is_empty());
    let mut digests = vec![
        compared("recipe", tag(tags::RECIPE), Some(recipe.digest())),
        compared(
            "checks",
            tag(tags::CHECKS),
            Some(planner.prints.checks(&image.name)),
        ),
    ];
    digests.push(match &image.origin {
        Origin::Parent(parent) => {
            let now = catalog
                .images
                .get(parent)
                .and_then(|p| planner.index.layer(catalog, p));
            compared(
                "parent",
                tag(tags::PARENT),
                now.map(|r| format!("{parent}@{}", r.version)),
            )
        }
        Origin::Source(_) => {
            let now = inventory
                .sources
                .get(&image.name)
                .and_then(Option::as_ref)
                .map(|a| a.id.to_string());
            compared("source", Some(planner.source_of(last).0), now)
        }
    });
    Some(Why {
        image: image.name.clone(),
        version: last.version,
        ami: last.ami.id.clone(),
        run: last.tag(tags::RUN).to_owned(),
        commit: tag(tags::COMMIT),
        built_because: manifest.map(|m| m.reasons.clone()).unwrap_or_default(),
        verdict: decision.verdict.as_str().to_owned(),
        reasons: decision.reasons.clone(),
        manifest: manifest.is_some(),
        digests,
        inputs: side_by_side(manifest.map(|m| &m.inputs), &recipe.0),
        controls: side_by_side(manifest.map(|m| &m.controls), &controls),
    })
}

fn side_by_side(
    then: Option<&BTreeMap<String, String>>,
    now: &BTreeMap<String, String>,
) -> Vec<Compared> {
    let names: BTreeSet<&String> = now
        .keys()
        .chain(then.into_iter().flat_map(BTreeMap::keys))
        .collect();
    let line = |name: &String| {
        let (before, after) = (then.and_then(|t| t.get(name)), now.get(name));
        let moved = then.is_some().then_some(before != after);
        Compared {
            input: name.clone(),
            then: before.cloned(),
            now: after.cloned(),
            moved,
        }
    };
    names.into_iter().map(line).collect()
}

fn compared(input: &str, then: Option<String>, now: Option<String>) -> Compared {
    let moved = Some(then != now);
    Compared {
        input: input.to_owned(),
        then,
        now,
        moved,
    }
}
