//! Compares the store with the tags: finds missing or wrong evidence, and recreates it where
//! possible.
//!
//! Evidence of deregistered versions is history and not a discrepancy. Evidence that cannot be
//! recreated is only reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::checks::Phase;
use crate::evidence::{keys, manifest};
use crate::lifecycle::doctor::Discrepancy;
use crate::lifecycle::{Record, locations, tags};
use crate::model::{Arch, ImageName, Inventory, Manifest, State, StoreInventory, Version};
use crate::plan::fingerprint::{self, Fingerprints};
use crate::plan::publish::step_chain;
use crate::plan::step::{Action, Step};
use crate::plan::{Scope, StepName};

/// Returns the discrepancies in the evidence of released versions, and the steps that repair them.
pub(super) fn audit_store(
    catalog: &Catalog,
    inventory: &Inventory,
) -> (Vec<Discrepancy>, Vec<Step>) {
    let Some(store_inventory) = &inventory.evidence.store else {
        return (Vec::new(), Vec::new());
    };
    let prints = Fingerprints::new(catalog);
    let mut auditor = StoreAuditor {
        catalog,
        prints,
        store_inventory,
        findings: Vec::new(),
        steps: Vec::new(),
        lost: LostEvidence::new(),
    };
    if let Some(why) = &store_inventory.unreachable {
        auditor.report(
            format!("the store could not be read: {why}"),
            Some("run `bakeline doctor` again when the store is reachable".to_owned()),
            false,
        );
        return (auditor.findings, auditor.steps);
    }
    let mut runs = BTreeSet::new();
    for record in versions_in_use(catalog, inventory) {
        auditor.check_manifest(&record);
        auditor.check_facts(&record);
        if runs.insert(record.tag(tags::RUN).to_owned()) {
            auditor.check_run_result(&record);
        }
    }
    for record in Record::read_all(&inventory.images, &catalog.settings) {
        auditor.check_permissions(&record);
    }
    for ((image, arch, description), versions) in std::mem::take(&mut auditor.lost) {
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        auditor.report(
            format!("{description} of {image} ({arch}) {}", versions.join(", ")),
            None,
            true,
        );
    }
    (auditor.findings, auditor.steps)
}

/// Returns one record of each version in use: the one at home, if it exists.
fn versions_in_use<'w>(catalog: &Catalog, inventory: &'w Inventory) -> Vec<Record<'w>> {
    let mut out: BTreeMap<(ImageName, Arch, Version), Record<'w>> = BTreeMap::new();
    let home = locations::home(&catalog.settings);
    let all = Record::read_all(&inventory.images, &catalog.settings);
    for record in all
        .into_iter()
        .filter(|r| matches!(r.state, State::Released | State::Held))
    {
        let key = (record.image.clone(), record.arch, record.version);
        if locations::ami_location(record.ami, &inventory.account) == home
            || !out.contains_key(&key)
        {
            out.insert(key, record);
        }
    }
    out.into_values().collect()
}

/// Versions with lost evidence, by image and kind of evidence.
type LostEvidence = BTreeMap<(ImageName, Arch, &'static str), Vec<Version>>;

struct StoreAuditor<'c> {
    catalog: &'c Catalog,
    prints: Fingerprints<'c>,
    store_inventory: &'c StoreInventory,
    findings: Vec<Discrepancy>,
    steps: Vec<Step>,
    lost: LostEvidence,
}

impl StoreAuditor<'_> {
    fn report(&mut self, description: String, manual_action: Option<String>, lost: bool) {
        let location = format!("store {}", self.store_inventory.location);
        self.findings.push(Discrepancy {
            location,
            description,
            manual_action,
            lost,
        });
    }

    fn report_lost(&mut self, record: &Record<'_>, description: &'static str) {
        self.lost
            .entry((record.image.clone(), record.arch, description))
            .or_default()
            .push(record.version);
    }

    fn repair(&mut self, description: String, action: Action) {
        let (verb, key) = match &action {
            Action::PutObject { key, .. } => (StepName::PutObject, key),
            Action::DeleteObject { key } => (StepName::DeleteObject, key),
            _ => return,
        };
        let scope = Scope::of_store_object(key);
        let home = locations::home(&self.catalog.settings);
        self.steps.extend(step_chain(
            &scope,
            &description,
            Vec::new(),
            vec![(verb, home, action)],
        ));
        self.report(description, None, false);
    }

    /// Checks that the manifest matches the digests in the tags.
    fn check_manifest(&mut self, record: &Record<'_>) {
        let Record {
            image,
            arch,
            version,
            ..
        } = record;
        let key = keys::manifest(&self.catalog.settings.name, image, *arch, *version);
        let name = format!("{image} {version} ({arch})");
        let stored = self.store_inventory.recipes.get(&key);
        let exists = self.store_inventory.keys.contains(&key);
        let matches = |m: &&Manifest| {
            // The image may have had several architectures when the manifest was written, or one.
            (m.image.published(), m.arch) == (image.published(), *arch)
                && m.version == *version
                && m.recipe == record.tag(tags::RECIPE)
        };
        let description = match (stored, exists) {
            (Some(m), _) if matches(&m) && m.checks == record.tag(tags::CHECKS) => return,
            (Some(m), _) if matches(&m) => return self.update_checks(record, m, key),
            (Some(_), _) => format!("the recipe of {name} does not match its tags"),
            (None, true) => format!("the recipe of {name} is not valid"),
            (None, false) => format!("the recipe of {name} is missing"),
        };
        match (self.rebuild_manifest(record), stored, exists) {
            (Some(text), ..) => self.repair(description, Action::PutObject { key, text }),
            // A wrong manifest misleads plans and users. A missing one only reduces the
            // explanation.
            (None, Some(_), _) => self.repair(description, Action::DeleteObject { key }),
            (None, None, true) => self.report_lost(record, "no valid recipe"),
            (None, None, false) => self.report_lost(record, "no recipe"),
        }
    }

    /// Updates the checks of a manifest after a recheck of the version.
    fn update_checks(&mut self, record: &Record<'_>, stored: &Manifest, key: String) {
        let checks = self.prints.checks_digest(&record.image);
        if checks != record.tag(tags::CHECKS) {
            return self.report_lost(record, "no current checks");
        }
        let controls = self.prints.controls(&record.image);
        let text = manifest_text(&Manifest {
            checks,
            controls,
            ..stored.clone()
        });
        let description = format!(
            "the checks in the recipe of {} {} do not match its tags",
            record.image, record.version
        );
        self.repair(description, Action::PutObject { key, text });
    }

    /// Returns the manifest of a version if the catalog still has the same inputs.
    fn rebuild_manifest(&self, record: &Record<'_>) -> Option<String> {
        let image = self
            .catalog
            .images
            .get(&record.image)
            .filter(|i| i.arch == record.arch)?;
        let fits = self.prints.recipe(image).digest() == record.tag(tags::RECIPE)
            && self.prints.checks_digest(&image.name) == record.tag(tags::CHECKS);
        let tag = |key| Some(record.tag(key).to_owned()).filter(|value| !value.is_empty());
        let rebuilt = || {
            let mut rebuilt = fingerprint::build_manifest(
                self.catalog,
                image,
                record.version,
                &record.tag(tags::RUN).into(),
            );
            (rebuilt.base, rebuilt.parent, rebuilt.commit) =
                (tag(tags::BASE), tag(tags::PARENT), tag(tags::COMMIT));
            manifest_text(&rebuilt)
        };
        fits.then(rebuilt)
    }

    fn check_facts(&mut self, record: &Record<'_>) {
        for (phase, lost) in [
            (Phase::Build, "no facts of the build"),
            (Phase::Boot, "no facts"),
        ] {
            let key = keys::facts(
                &self.catalog.settings.name,
                &record.image,
                record.arch,
                record.version,
                phase,
            );
            let name = format!("{} {} ({})", record.image, record.version, record.arch);
            let description = format!(
                "the facts of {name} from its {} checks are missing",
                phase.as_str()
            );
            self.check_object(record, key, description, lost);
        }
    }

    fn check_run_result(&mut self, record: &Record<'_>) {
        let run = record.tag(tags::RUN);
        let description = format!(
            "the result of run {run}, which released {} {}, is missing",
            record.image, record.version
        );
        self.check_object(
            record,
            keys::report(&self.catalog.settings.name, &run.into()),
            description,
            "no result of the run",
        );
    }

    /// Restores a missing object from the run directory, if that is on this machine.
    fn check_object(
        &mut self,
        record: &Record<'_>,
        key: String,
        description: String,
        lost: &'static str,
    ) {
        if self.store_inventory.keys.contains(&key) {
            return;
        }
        match self.store_inventory.recoverable.get(&key).cloned() {
            Some(text) => self.repair(description, Action::PutObject { key, text }),
            None => self.report_lost(record, lost),
        }
    }

    /// Checks the launch permissions of a disabled AMI. They are in its tag, or in the store if
    /// they do not fit.
    fn check_permissions(&mut self, record: &Record<'_>) {
        let (ami, region) = (&record.ami.id, &record.ami.region);
        let mut words = record.tag(tags::PERMISSIONS).split_whitespace();
        let count: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let missing = count.saturating_sub(words.count());
        let key = keys::permissions(&self.catalog.settings.name, region, ami);
        if record.ami.status == "disabled"
            && missing > 0
            && !self.store_inventory.keys.contains(&key)
        {
            let description =
                format!("{missing} of the {count} launch permissions of {ami} in {region}");
            self.report(description, None, true);
        }
    }
}

fn manifest_text(manifest: &Manifest) -> String {
    String::from_utf8(manifest::format_manifest(manifest)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
