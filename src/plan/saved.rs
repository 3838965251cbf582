//! Saves a plan for review with the facts behind it, so that bakeline executes exactly this plan or
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Image};
use crate::lifecycle::tags;
use crate::model::{CatalogName, ImageName, Inventory, RunId};
use crate::plan::change::{self, InputChange};
use crate::plan::fingerprint::Fingerprints;
use crate::plan::release::{ReleaseRequest, plan_release_as_of};
use crate::plan::step::Plan;

/// Version of the format of [`SavedRelease`].
pub const SAVED_SCHEMA: u32 = 1;

/// Reviewed plan of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRelease {
    /// Version of this format.
    pub schema: u32,
    /// Catalog of the plan.
    pub catalog: CatalogName,
    /// Requested images; empty means all.
    pub images: Vec<ImageName>,
    /// True if a build was forced.
    pub force: bool,
    /// Facts behind the decisions, by name.
    pub facts: BTreeMap<String, String>,
    /// Plan to execute.
    pub plan: Plan,
}

impl SavedRelease {
    /// Creates a saved plan with its facts.
    #[must_use]
    pub fn new(
        catalog: &Catalog,
        inventory: &Inventory,
        request: &ReleaseRequest,
        plan: Plan,
    ) -> Self {
        Self {
            schema: SAVED_SCHEMA,
            catalog: catalog.settings.name.clone(),
            images: request.images.clone(),
            force: request.force,
            facts: collect_facts(catalog, inventory, &plan),
            plan,
        }
    }

    /// Returns the same plan for a run of today.
    ///
    /// # Errors
    /// The facts that changed since the plan was saved. The plan must not be executed then.
    pub fn replan(
        &self,
        catalog: &Catalog,
        inventory: &Inventory,
        run: &RunId,
    ) -> Result<Plan, Vec<String>> {
        let changed =
            change::diff_inputs(&self.facts, &collect_facts(catalog, inventory, &self.plan));
        if !changed.is_empty() {
            return Err(changed.iter().map(InputChange::describe).collect());
        }
        let request = ReleaseRequest {
            images: self.images.clone(),
            force: self.force,
            run: run.clone(),
        };
        let plan = plan_release_as_of(catalog, inventory, &request, self.plan.decided_at);
        let shape = |plan: &Plan| {
            let steps: Vec<_> = plan
                .steps
                .iter()
                .map(|s| (s.id.clone(), s.region.clone()))
                .collect();
            let decisions = plan
                .decisions
                .iter()
                .map(|d| (d.image.clone(), d.verdict, d.version, d.base.clone()));
            (decisions.collect::<Vec<_>>(), steps)
        };
        if shape(&plan) == shape(&self.plan) {
            Ok(plan)
        } else {
            Err(vec!["the decisions are different now".to_owned()])
        }
    }
}

/// Returns all facts that the decisions about these images depend on, except the time.
fn collect_facts(
    catalog: &Catalog,
    inventory: &Inventory,
    plan: &Plan,
) -> BTreeMap<String, String> {
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
        put("checks", prints.checks_digest(name));
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
    for removed in plan
        .decisions
        .iter()
        .filter(|d| !catalog.images.contains_key(&d.image))
    {
        out.insert(
            format!("{}: image", removed.image),
            "not in the catalog".to_owned(),
        );
    }
    let settings = &catalog.settings;
    let environment_settings = format!(
        "{:?} {:?} {:?} {:?}",
        settings.environments, settings.environment_key, settings.regions, settings.builder
    );
    out.insert(
        "bakeline.yaml: environments, regions and builder".to_owned(),
        environment_settings,
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
        let own_tags = ami
            .tags
            .iter()
            .filter(|(k, _)| k.starts_with("bakeline:") || **k == settings.environment_key);
        out.extend(own_tags.map(|(key, value)| (format!("{at}: tag {key}"), value.clone())));
    }
    out
}
