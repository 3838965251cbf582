//! Owns a plan that was written down for review: with what it was decided from, so that it is executed exactly or not at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Image};
use crate::lifecycle::tags;
use crate::model::{CatalogName, ImageName, Inventory, RunId};
use crate::plan::change::{self, Change};
use crate::plan::fingerprint::Fingerprints;
use crate::plan::release::{Request, plan_as_of};
use crate::plan::step::Plan;

/// The version of [`Saved`]'s shape.
pub const SAVED_SCHEMA: u32 = 1;

/// A reviewed plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// The version of this shape.
    pub schema: u32,
    /// The catalog it is of.
    pub catalog: CatalogName,
    /// The images that were asked for; empty means all.
    pub images: Vec<ImageName>,
    /// Whether everything was to be built.
    pub force: bool,
    /// What the decisions were made from, by name.
    pub facts: BTreeMap<String, String>,
    /// The plan.
    pub plan: Plan,
}

impl Saved {
    /// Writes a plan down.
    #[must_use]
    pub fn new(catalog: &Catalog, inventory: &Inventory, request: &Request, plan: Plan) -> Self {
        Self {
            schema: SAVED_SCHEMA,
            catalog: catalog.settings.name.clone(),
            images: request.images.clone(),
            force: request.force,
            facts: facts(catalog, inventory, &plan),
            plan,
        }
    }

    /// The same plan for a run of today.
    ///
    /// # Errors
    /// What moved since, in words: nothing may be done then.
    pub fn today(
        &self,
        catalog: &Catalog,
        inventory: &Inventory,
        run: &RunId,
    ) -> Result<Plan, Vec<String>> {
        let moved = change::between(&self.facts, &facts(catalog, inventory, &self.plan));
        if !moved.is_empty() {
            return Err(moved.iter().map(Change::words).collect());
        }
        let request = Request {
            images: self.images.clone(),
            force: self.force,
            run: run.clone(),
        };
        let plan = plan_as_of(catalog, inventory, &request, self.plan.made);
        let shape = |plan: &Plan| {
            let steps: Vec<_> = plan
                .steps
                .iter()
                .map(|s| (s.id.clone(), s.region.clone()))
                .collect();
            let does = plan
                .decisions
                .iter()
                .map(|d| (d.image.clone(), d.verdict, d.version, d.base.clone()));
            (does.collect::<Vec<_>>(), steps)
        };
        if shape(&plan) == shape(&self.plan) {
            Ok(plan)
        } else {
            Err(vec!["it is decided differently now".to_owned()])
        }
    }
}

/// Everything the decisions about these images read, but the time.
fn facts(catalog: &Catalog, inventory: &Inventory, plan: &Plan) -> BTreeMap<String, String> {
    let prints = Fingerprints::new(catalog);
    let mut out = BTreeMap::new();
    let lineages = plan
        .decisions
        .iter()
        .flat_map(|d| catalog.lineage(&d.image));
    let images: BTreeMap<&ImageName, &Image> = lineages.map(|i| (&i.name, i)).collect();
    for (name, image) in &images {
        let mut put = |what: &str, value: String| out.insert(format!("{name}: {what}"), value);
        for (input, value) in prints.recipe(image).0 {
            put(&input, value);
        }
        put("checks", prints.checks(name));
        put(
            "rules",
            format!(
                "max_age {:?}, rebase_after {}",
                image.max_age.map(|a| a.as_secs()),
                image.rebase_after
            ),
        );
        if let Some(source) = inventory.sources.get(*name) {
            put(
                "source",
                source
                    .as_ref()
                    .map_or_else(|| "none".to_owned(), |ami| ami.id.to_string()),
            );
        }
        if let Some(probe) = inventory.evidence.probes.get(*name) {
            let pending: Vec<&str> = probe
                .pending
                .iter()
                .filter(|u| u.security)
                .map(|u| u.package.as_str())
                .collect();
            put(
                "pending updates",
                format!("{} {}", probe.ami, pending.join(" ")),
            );
        }
    }
    for gone in plan
        .decisions
        .iter()
        .filter(|d| !catalog.images.contains_key(&d.image))
    {
        out.insert(
            format!("{}: image", gone.image),
            "not in the catalog".to_owned(),
        );
    }
    let settings = &catalog.settings;
    let said = format!(
        "{:?} {:?} {:?} {:?}",
        settings.environments, settings.environment_key, settings.regions, settings.builder
    );
    out.insert(
        "bakeline.yaml: environments, regions and builder".to_owned(),
        said,
    );
    let names: BTreeSet<&str> = images.keys().map(|n| n.as_str()).collect();
    let ours = |key: &str, ami: &crate::model::Ami| ami.tags.get(key).cloned().unwrap_or_default();
    for ami in inventory
        .images
        .iter()
        .filter(|a| names.contains(ours(tags::IMAGE, a).as_str()))
    {
        let at = format!(
            "{}: AMI {} in {}",
            ours(tags::IMAGE, ami),
            ami.id,
            ami.region
        );
        out.insert(format!("{at}: status"), ami.status.clone());
        let told = ami
            .tags
            .iter()
            .filter(|(k, _)| k.starts_with("bakeline:") || **k == settings.environment_key);
        out.extend(told.map(|(key, value)| (format!("{at}: tag {key}"), value.clone())));
    }
    out
}
