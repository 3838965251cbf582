//! Plans a hold and its release: one tag change at each location of the version.

use super::publish::{image_scope, step_chain};
use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, locations, tags};
use crate::model::{AmiId, Inventory, RunId, State, Tags, Version};
use crate::plan::StepName;
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Decision, Plan, PlanVerdict};

/// Plans to hold a version, or to release the hold (`release`).
#[must_use]
pub fn plan_hold(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &Image,
    version: Version,
    release: bool,
    run: RunId,
) -> Plan {
    let all = Record::read_all(&inventory.images, &catalog.settings);
    let own: Vec<&Record<'_>> = all
        .iter()
        .filter(|r| r.image == image.name && r.arch == image.arch && r.version == version)
        .collect();
    let (from, to) = if release {
        (State::Held, State::Released)
    } else {
        (State::Released, State::Held)
    };
    let mut steps = Vec::new();
    let with_amis = locations::in_catalog(&catalog.settings, &inventory.account);
    let mut unreachable = inventory.unreachable.iter();
    let is_complete = !unreachable.any(|(location, _)| with_amis.contains(location));
    let settled = verdict_without_steps(image, version, &own, (from, to), is_complete);
    let (verdict, reason) = if let Some(settled) = settled {
        settled
    } else {
        let (verdict, reason) = hold_decision(version, release);
        for location in with_amis {
            let scope = image_scope(&image.name, &location, catalog);
            let here = own.iter().filter(|r| {
                r.state == from && locations::ami_location(r.ami, &inventory.account) == location
            });
            let here: Vec<AmiId> = here.map(|r| r.ami.id.clone()).collect();
            let action = match locations::unreachable_reason(inventory, &location) {
                Some(why) => (
                    StepName::Read,
                    Action::Unreachable {
                        why: why.to_owned(),
                    },
                ),
                None if here.is_empty() => continue,
                None => (StepName::Hold, set_state(here, from, to)),
            };
            steps.extend(step_chain(
                &scope,
                &reason,
                Vec::new(),
                vec![(action.0, location, action.1)],
            ));
        }
        (verdict, reason)
    };
    let ami = own.iter().find(|r| {
        locations::ami_location(r.ami, &inventory.account) == locations::home(&catalog.settings)
    });
    let decision = Decision {
        image: image.name.clone(),
        verdict,
        reasons: vec![reason],
        version: Some(version),
        base: None,
        base_because: None,
        ami: ami.map(|r| r.ami.id.clone()),
    };
    Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at: inventory.captured_at,
        decisions: vec![decision],
        steps,
    }
}

/// Returns the verdict and its reason for a version that changes its state.
fn hold_decision(version: Version, release: bool) -> (PlanVerdict, String) {
    if release {
        let reason = format!("version {version} may be promoted again");
        return (PlanVerdict::Unhold, reason);
    }
    let reason = format!("version {version} may not be promoted any more");
    (PlanVerdict::Hold, reason)
}

/// Returns the verdict and its reason if the version cannot or need not change its state. The list of
/// AMIs in `own` is complete if all their locations could be read.
fn verdict_without_steps(
    image: &Image,
    version: Version,
    own: &[&Record<'_>],
    (from, to): (State, State),
    is_complete: bool,
) -> Option<(PlanVerdict, String)> {
    if own.is_empty() {
        let reason = format!("`{}` has no version {version}", image.name);
        return Some((PlanVerdict::Blocked, reason));
    }
    if let Some(other) = own.iter().find(|r| r.state != from && r.state != to) {
        let (state, region) = (other.state.as_str(), &other.ami.region);
        let reason = format!("version {version} is {state} in {region}");
        return Some((PlanVerdict::Blocked, reason));
    }
    let is_done = own.iter().all(|r| r.state == to) && is_complete;
    is_done.then(|| {
        let reason = format!("version {version} is already {}", to.as_str());
        (PlanVerdict::Keep, reason)
    })
}

/// Returns the action that moves AMIs from one state to another.
pub(super) fn set_state(amis: Vec<AmiId>, from: State, to: State) -> Action {
    let state = |s: State| Tags::from([(tags::STATE.to_owned(), s.as_str().to_owned())]);
    Action::SetTags {
        amis,
        before: state(from),
        tags: state(to),
    }
}
