//! Saves a plan for review with the facts behind it, so that bakeline executes exactly this plan or
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Image};
use crate::lifecycle::tags;
use crate::model::{Ami, Arch, CatalogName, ImageName, Inventory, RunId};
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
    let lineages = plan
        .decisions
        .iter()
        .flat_map(|d| catalog.lineage(&d.image));
    let images: BTreeMap<&ImageName, &Image> = lineages.map(|i| (&i.name, i)).collect();
    let mut out = BTreeMap::new();
    for image in images.values() {
        let facts = image_facts(&prints, inventory, image);
        out.extend(
            facts
                .into_iter()
                .map(|(fact, value)| (format!("{}: {fact}", image.name), value)),
        );
    }
    let removed = plan
        .decisions
        .iter()
        .filter(|d| !catalog.images.contains_key(&d.image));
    out.extend(removed.map(|d| {
        let fact = format!("{}: image", d.image);
        (fact, "not in the catalog".to_owned())
    }));
    let settings = &catalog.settings;
    let environment_settings = format!(
        "{:?} {:?} {:?} {:?}",
        settings.environments, settings.environment_key, settings.regions, settings.builder
    );
    out.insert(
        "bakeline.yaml: environments, regions and builder".to_owned(),
        environment_settings,
    );
    let names: BTreeSet<(&str, Arch)> = images
        .values()
        .map(|image| (image.name.published(), image.arch))
        .collect();
    let of_images = inventory.images.iter().filter(|ami| {
        let arch = tag_value(ami, tags::ARCH).parse().unwrap_or_default();
        names.contains(&(tag_value(ami, tags::IMAGE), arch))
    });
    out.extend(of_images.flat_map(|ami| ami_facts(ami, &settings.environment_key)));
    out
}

/// Returns the facts about an image: its inputs, rules, source and pending updates.
fn image_facts(
    prints: &Fingerprints<'_>,
    inventory: &Inventory,
    image: &Image,
) -> BTreeMap<String, String> {
    let mut out = prints.recipe(image).0;
    let mut put = |fact: &str, value: String| out.insert(fact.to_owned(), value);
    put("checks", prints.checks_digest(&image.name));
    put(
        "rules",
        format!(
            "max_age {:?}, rebase_after {}",
            image.max_age.map(|a| a.as_secs()),
            image.rebase_after
        ),
    );
    if let Some(source) = inventory.sources.get(&image.name) {
        let id = source.as_ref().map(|ami| ami.id.to_string());
        put("source", id.unwrap_or_else(|| "none".to_owned()));
    }
    if let Some(probe) = inventory.evidence.probes.get(&image.name) {
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
    out
}

/// Returns the status and the tags of an AMI that decisions depend on.
fn ami_facts(ami: &Ami, environment_key: &str) -> Vec<(String, String)> {
    let image = tag_value(ami, tags::IMAGE);
    let subject = format!("{image}: AMI {} in {}", ami.id, ami.region);
    let mut out = vec![(format!("{subject}: status"), ami.status.clone())];
    let relevant = ami
        .tags
        .iter()
        .filter(|(key, _)| key.starts_with("bakeline:") || *key == environment_key);
    out.extend(relevant.map(|(key, value)| (format!("{subject}: tag {key}"), value.clone())));
    out
}

fn tag_value<'a>(ami: &'a Ami, key: &str) -> &'a str {
    ami.tags.get(key).map_or("", String::as_str)
}
