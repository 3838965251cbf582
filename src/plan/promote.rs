//! Owns the plan of a promotion: which versions move, at which locations, parents first.

use std::collections::{BTreeMap, BTreeSet};

use super::publish::Publication;
use crate::catalog::{Catalog, Environment, Image};
use crate::lifecycle::promote::{Promotion, Wish, promote};
use crate::lifecycle::{Record, locations};
use crate::model::{EnvName, ImageName, Inventory, Location, RunId, Version};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{AmiRef, Decision, Plan, Step, StepId, Verdict};

/// Decides the promotion of `images` to `to`. What may not move is `Blocked`, what is at every location already is `Keep`.
#[must_use]
pub fn plan(
    catalog: &Catalog,
    inventory: &Inventory,
    images: &[ImageName],
    to: &EnvName,
    run: RunId,
) -> Plan {
    let home = locations::at_home(inventory, &catalog.settings);
    let all = Record::all(&inventory.images, &catalog.settings.name);
    let mut planner = Planner {
        catalog,
        inventory,
        home: &home,
        all: &all,
        to,
        moving: BTreeSet::new(),
        last: BTreeMap::new(),
    };
    let (mut decisions, mut steps) = (Vec::new(), Vec::new());
    for image in catalog
        .parents_first()
        .into_iter()
        .filter(|i| images.contains(&i.name))
    {
        let (decision, mut made) = planner.image(image);
        decisions.push(decision);
        steps.append(&mut made);
    }
    Plan {
        schema: PLAN_SCHEMA,
        run,
        made: inventory.taken,
        decisions,
        steps,
    }
}

struct Planner<'p> {
    catalog: &'p Catalog,
    inventory: &'p Inventory,
    home: &'p [Record<'p>],
    all: &'p [Record<'p>],
    to: &'p EnvName,
    moving: BTreeSet<(ImageName, Version)>,
    last: BTreeMap<(ImageName, Location), StepId>,
}

impl<'p> Planner<'p> {
    fn image(&mut self, image: &'p Image) -> (Decision, Vec<Step>) {
        let wish = Wish {
            to: self.to,
            now: self.inventory.taken,
            moving: &self.moving,
        };
        let (record, reason) = match promote(self.catalog, self.home, image, &wish) {
            Promotion::Refused(reasons) => {
                return (decision(image, Verdict::Blocked, reasons, None), Vec::new());
            }
            Promotion::Already(record) => (
                record,
                format!(
                    "{} is current in `{}`, but not at all its places",
                    record.version, self.to
                ),
            ),
            Promotion::Move { record, from } => {
                let after = from
                    .first()
                    .map_or_else(String::new, |r| format!(" after {}", r.version));
                (
                    record,
                    format!("{} becomes current in `{}`{after}", record.version, self.to),
                )
            }
        };
        let env = self
            .catalog
            .settings
            .environments
            .iter()
            .find(|e| e.name == *self.to);
        let made = env.map_or_else(
            || Ok(Vec::new()),
            |env| self.everywhere(image, record, env, &reason),
        );
        match made {
            Err(why) => (
                decision(image, Verdict::Blocked, vec![why], None),
                Vec::new(),
            ),
            Ok(steps) if steps.is_empty() => {
                let reason = vec![format!("already current in `{}`", self.to)];
                (decision(image, Verdict::Keep, reason, Some(record)), steps)
            }
            Ok(steps) => {
                self.moving.insert((image.name.clone(), record.version));
                (
                    decision(image, Verdict::Promote, vec![reason], Some(record)),
                    steps,
                )
            }
        }
    }

    fn everywhere(
        &mut self,
        image: &'p Image,
        record: &Record<'_>,
        env: &'p Environment,
        reason: &str,
    ) -> Result<Vec<Step>, String> {
        let publication = Publication {
            catalog: self.catalog,
            inventory: self.inventory,
            records: self.all,
            image,
            version: record.version,
            env,
            source: AmiRef::Known(record.ami.id.clone()),
            name: record.ami.name.clone(),
            reason: reason.to_owned(),
        };
        let mut steps = Vec::new();
        for location in locations::of(&self.catalog.settings, env, &self.inventory.account) {
            // The layer parent comes first at every location, where it is on its way, too.
            let parent = record
                .parent
                .as_ref()
                .and_then(|(p, _)| self.last.get(&(p.clone(), location.clone())));
            let made = publication.at(&location, parent.cloned().into_iter().collect())?;
            if let Some(step) = made.last() {
                self.last
                    .insert((image.name.clone(), location), step.id.clone());
            }
            steps.extend(made);
        }
        Ok(steps)
    }
}

fn decision(
    image: &Image,
    verdict: Verdict,
    reasons: Vec<String>,
    record: Option<&Record<'_>>,
) -> Decision {
    Decision {
        image: image.name.clone(),
        verdict,
        reasons,
        version: record.map(|r| r.version),
        base: None,
        base_because: None,
        ami: record.map(|r| r.ami.id.clone()),
    }
}
