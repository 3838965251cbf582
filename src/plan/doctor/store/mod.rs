//! Owns comparing the store with the tags: evidence that is missing or of another build, and what it can be made again from.
//!
//! Evidence of versions that exist no more is history, and no finding. What can't be made again is said and left.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::checks::Phase;
use crate::evidence::{keys, manifest};
use crate::lifecycle::doctor::Finding;
use crate::lifecycle::{Record, locations, tags};
use crate::model::{Arch, ImageName, Inventory, Manifest, State, StoreInventory, Version};
use crate::plan::fingerprint::{self, Fingerprints};
use crate::plan::publish::row;
use crate::plan::step::{Action, Step};

/// What is wrong with the evidence of the released versions, and the steps that mend it.
pub(super) fn compare(catalog: &Catalog, inventory: &Inventory) -> (Vec<Finding>, Vec<Step>) {
    let Some(store_inventory) = &inventory.evidence.store else {
        return (Vec::new(), Vec::new());
    };
    let prints = Fingerprints::new(catalog);
    let mut clerk = Clerk {
        catalog,
        prints,
        store_inventory,
        findings: Vec::new(),
        steps: Vec::new(),
        lost: Lost::new(),
    };
    if let Some(why) = &store_inventory.unread {
        clerk.find(
            format!("it could not be read: {why}"),
            Some("run it again when it answers".to_owned()),
            false,
        );
        return (clerk.findings, clerk.steps);
    }
    let mut runs = BTreeSet::new();
    for record in versions(catalog, inventory) {
        clerk.recipe(&record);
        clerk.facts(&record);
        if runs.insert(record.tag(tags::RUN).to_owned()) {
            clerk.result(&record);
        }
    }
    for record in Record::all(&inventory.images, &catalog.settings.name) {
        clerk.permissions(&record);
    }
    for ((image, arch, what), versions) in std::mem::take(&mut clerk.lost) {
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        clerk.find(
            format!("{what} of {image} ({arch}) {}", versions.join(", ")),
            None,
            true,
        );
    }
    (clerk.findings, clerk.steps)
}

/// One record of each version that is in use: that at home, where there is one.
fn versions<'w>(catalog: &Catalog, inventory: &'w Inventory) -> Vec<Record<'w>> {
    let mut out: BTreeMap<(ImageName, Arch, Version), Record<'w>> = BTreeMap::new();
    let home = locations::home(&catalog.settings);
    let all = Record::all(&inventory.images, &catalog.settings.name);
    for record in all
        .into_iter()
        .filter(|r| matches!(r.state, State::Released | State::Held))
    {
        let key = (record.image.clone(), record.arch, record.version);
        if locations::of_ami(record.ami, &inventory.account) == home || !out.contains_key(&key) {
            out.insert(key, record);
        }
    }
    out.into_values().collect()
}

/// By image and what is missing of it, the versions.
type Lost = BTreeMap<(ImageName, Arch, &'static str), Vec<Version>>;

struct Clerk<'c> {
    catalog: &'c Catalog,
    prints: Fingerprints<'c>,
    store_inventory: &'c StoreInventory,
    findings: Vec<Finding>,
    steps: Vec<Step>,
    lost: Lost,
}

impl Clerk<'_> {
    fn find(&mut self, what: String, by_hand: Option<String>, lost: bool) {
        let location = format!("store {}", self.store_inventory.location);
        self.findings.push(Finding {
            location,
            what,
            by_hand,
            lost,
        });
    }

    fn lose(&mut self, record: &Record<'_>, what: &'static str) {
        self.lost
            .entry((record.image.clone(), record.arch, what))
            .or_default()
            .push(record.version);
    }

    fn mend(&mut self, what: String, action: Action) {
        let (verb, key) = match &action {
            Action::Remember { key, .. } => ("remember", key),
            Action::Forget { key } => ("forget", key),
            _ => return,
        };
        let scope = format!("store.{}", key.replace('/', "."));
        let home = locations::home(&self.catalog.settings);
        self.steps
            .extend(row(&scope, &what, Vec::new(), vec![(verb, home, action)]));
        self.find(what, None, false);
    }

    /// The recipe says what the tags have the digests of.
    fn recipe(&mut self, record: &Record<'_>) {
        let Record {
            image,
            arch,
            version,
            ..
        } = record;
        let key = keys::manifest(&self.catalog.settings.name, image, *arch, *version);
        let name = format!("{image} {version} ({arch})");
        let kept = self.store_inventory.recipes.get(&key);
        let there = self.store_inventory.keys.contains(&key);
        let of_it = |m: &&Manifest| {
            m.image == *image && m.version == *version && m.recipe == record.tag(tags::RECIPE)
        };
        let what = match (kept, there) {
            (Some(m), _) if of_it(&m) && m.checks == record.tag(tags::CHECKS) => return,
            (Some(m), _) if of_it(&m) => return self.checks(record, m, key),
            (Some(_), _) => format!("the recipe of {name} is of another build than its tags say"),
            (None, true) => format!("the recipe of {name} can't be read"),
            (None, false) => format!("the recipe of {name} is missing"),
        };
        match (self.again(record), kept, there) {
            (Some(text), ..) => self.mend(what, Action::Remember { key, text }),
            // A wrong one misleads plans and people; none is only less to tell.
            (None, Some(_), _) => self.mend(what, Action::Forget { key }),
            (None, None, true) => self.lose(record, "no recipe that can be read"),
            (None, None, false) => self.lose(record, "no recipe"),
        }
    }

    /// The recipe holds, but the version was judged by other checks since.
    fn checks(&mut self, record: &Record<'_>, kept: &Manifest, key: String) {
        let checks = self.prints.checks(&record.image);
        if checks != record.tag(tags::CHECKS) {
            return self.lose(record, "the checks passed last");
        }
        let controls = self.prints.controls(&record.image);
        let text = text(&Manifest {
            checks,
            controls,
            ..kept.clone()
        });
        let what = format!(
            "the recipe of {} {} has other checks than its tags",
            record.image, record.version
        );
        self.mend(what, Action::Remember { key, text });
    }

    /// The recipe of a version, from the catalog as it is now, if that is what the version was made from.
    fn again(&self, record: &Record<'_>) -> Option<String> {
        let image = self
            .catalog
            .images
            .get(&record.image)
            .filter(|i| i.arch == record.arch)?;
        let fits = self.prints.recipe(image).digest() == record.tag(tags::RECIPE)
            && self.prints.checks(&image.name) == record.tag(tags::CHECKS);
        let tag = |key| Some(record.tag(key).to_owned()).filter(|value| !value.is_empty());
        let made = || {
            let mut made = fingerprint::manifest(
                self.catalog,
                image,
                record.version,
                &record.tag(tags::RUN).into(),
            );
            (made.base, made.parent, made.commit) =
                (tag(tags::BASE), tag(tags::PARENT), tag(tags::COMMIT));
            text(&made)
        };
        fits.then(made)
    }

    fn facts(&mut self, record: &Record<'_>) {
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
            let of = format!("{} {} ({})", record.image, record.version, record.arch);
            let what = format!(
                "the facts of {of} from its {} checks are missing",
                phase.as_str()
            );
            self.found(record, key, what, lost);
        }
    }

    fn result(&mut self, record: &Record<'_>) {
        let run = record.tag(tags::RUN);
        let what = format!(
            "the result of run {run} is missing, which released {} {}",
            record.image, record.version
        );
        self.found(
            record,
            keys::report(&self.catalog.settings.name, &run.into()),
            what,
            "no result of the run",
        );
    }

    /// What is missing comes from the run's own directory, where that is on this machine.
    fn found(&mut self, record: &Record<'_>, key: String, what: String, lost: &'static str) {
        if self.store_inventory.keys.contains(&key) {
            return;
        }
        match self.store_inventory.found.get(&key).cloned() {
            Some(text) => self.mend(what, Action::Remember { key, text }),
            None => self.lose(record, lost),
        }
    }

    /// Who may launch a disabled AMI is known from its tag, or, if they are too many for a tag, from the store.
    fn permissions(&mut self, record: &Record<'_>) {
        let (ami, region) = (&record.ami.id, &record.ami.region);
        let mut words = record.tag(tags::PERMISSIONS).split_whitespace();
        let count: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let missing = count.saturating_sub(words.count());
        let key = keys::permissions(&self.catalog.settings.name, region, ami);
        if record.ami.status == "disabled"
            && missing > 0
            && !self.store_inventory.keys.contains(&key)
        {
            let what = format!("{missing} of the {count} launch permissions of {ami} in {region}");
            self.find(what, None, true);
        }
    }
}

fn text(manifest: &Manifest) -> String {
    String::from_utf8(manifest::write(manifest)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
