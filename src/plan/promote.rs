//! Plans a promotion: the versions that move, their locations, and parents first.

use std::collections::{BTreeMap, BTreeSet};

use super::publish::Publication;
use super::unusable_copy::UnusableCopyError;
use crate::catalog::{Catalog, Environment, Image};
use crate::lifecycle::promote::{Promotion, PromotionRequest, decide_promotion};
use crate::lifecycle::{Record, locations};
use crate::model::{EnvName, ImageName, Inventory, Location, RunId, State, Version};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{AmiRef, Decision, Plan, PlanVerdict, Step, StepId};

/// Plans the promotion of `images` to `to`. An image that may not move is `Blocked`. One that is at
/// all locations already is `Keep`.
#[must_use]
pub fn plan_promotion(
    catalog: &Catalog,
    inventory: &Inventory,
    images: &[ImageName],
    to: &EnvName,
    run: RunId,
) -> Plan {
    let home = locations::records_at_home(inventory, &catalog.settings);
    let all = Record::read_all(&inventory.images, &catalog.settings);
    let mut planner = PromotionPlanner {
        catalog,
        inventory,
        home: &home,
        all: &all,
        to,
        moving: BTreeSet::new(),
        last_steps: BTreeMap::new(),
    };
    let (mut decisions, mut steps) = (Vec::new(), Vec::new());
    for image in catalog
        .parents_first()
        .into_iter()
        .filter(|i| images.contains(&i.name))
    {
        let (decision, mut image_steps) = planner.plan_image(image);
        decisions.push(decision);
        steps.append(&mut image_steps);
    }
    Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at: inventory.captured_at,
        decisions,
        steps,
    }
}

struct PromotionPlanner<'p> {
    catalog: &'p Catalog,
    inventory: &'p Inventory,
    home: &'p [Record<'p>],
    all: &'p [Record<'p>],
    to: &'p EnvName,
    moving: BTreeSet<(ImageName, Version)>,
    last_steps: BTreeMap<(ImageName, Location), StepId>,
}

impl<'p> PromotionPlanner<'p> {
    fn plan_image(&mut self, image: &'p Image) -> (Decision, Vec<Step>) {
        let request = PromotionRequest {
            to: self.to,
            now: self.inventory.captured_at,
            also_promoted: &self.moving,
        };
        let (record, reason) = match decide_promotion(self.catalog, self.home, image, &request) {
            Promotion::Refused(reasons) => {
                return (
                    decision(image, PlanVerdict::Blocked, reasons, None),
                    Vec::new(),
                );
            }
            Promotion::AlreadyCurrent(record) => (
                record,
                format!(
                    "{} is current in `{}`, but not in all its locations",
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
        let env = self.catalog.settings.environment(self.to);
        let planned = env.map_or_else(
            || Ok(Vec::new()),
            |env| self.steps_at_locations(image, record, env, &reason),
        );
        match planned {
            Err(e) => (
                decision(image, PlanVerdict::Blocked, vec![e.to_string()], None),
                Vec::new(),
            ),
            Ok(steps) if steps.is_empty() => {
                let held = if record.state == State::Held {
                    ", and held"
                } else {
                    ""
                };
                let reason = format!("already current in `{}`{held}", self.to);
                (
                    decision(image, PlanVerdict::Keep, vec![reason], Some(record)),
                    steps,
                )
            }
            // A held version stays where it is, but does not reach further locations.
            Ok(_) if record.state == State::Held => {
                let location = locations::ami_location(record.ami, &self.inventory.account);
                let reason = UnusableCopyError::held(record, &location).to_string();
                (
                    decision(image, PlanVerdict::Blocked, vec![reason], None),
                    Vec::new(),
                )
            }
            Ok(steps) => {
                self.moving.insert((image.name.clone(), record.version));
                (
                    decision(image, PlanVerdict::Promote, vec![reason], Some(record)),
                    steps,
                )
            }
        }
    }

    fn steps_at_locations(
        &mut self,
        image: &'p Image,
        record: &Record<'_>,
        env: &'p Environment,
        reason: &str,
    ) -> Result<Vec<Step>, UnusableCopyError> {
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
        for location in
            locations::in_environment(&self.catalog.settings, env, &self.inventory.account)
        {
            // The parent comes first at each location, also where the same command promotes it.
            let parent = record
                .parent
                .as_ref()
                .and_then(|(p, _)| self.last_steps.get(&(p.clone(), location.clone())));
            let planned = publication.steps_at(&location, parent.cloned().into_iter().collect())?;
            if let Some(step) = planned.last() {
                self.last_steps
                    .insert((image.name.clone(), location), step.id.clone());
            }
            steps.extend(planned);
        }
        steps.extend(publication.shared_pointers(&steps));
        Ok(steps)
    }
}

fn decision(
    image: &Image,
    verdict: PlanVerdict,
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
