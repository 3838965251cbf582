//! Plans a rollback: at each location the earlier version becomes current, then the later one is
//! held and lowered.

use std::collections::BTreeSet;

use super::publish::{
    allow_launch, decision_tags, image_scope, later_than, rollback_tags, step_chain,
};
use super::shared::{self, SharedPointers};
use crate::catalog::{Catalog, Image};
use crate::lifecycle::rollback::{
    LocationRollback, RollbackDecision, RollbackMove, decide_rollback,
};
use crate::lifecycle::{Record, current, locations, tags};
use crate::model::{EnvName, Inventory, RunId, State, Tags, Version, pointer_name};
use crate::plan::StepName;
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Decision, Move, Plan, PlanVerdict, Step};

/// Plans a rollback of `image` in `env` to the given version, or to the one before.
#[must_use]
pub fn plan_rollback(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &Image,
    env: &EnvName,
    to: Option<Version>,
    run: RunId,
) -> Plan {
    let records = Record::read_all(&inventory.images, &catalog.settings);
    let decision = |verdict, reason: String, version| Decision {
        image: image.name.clone(),
        verdict,
        reasons: vec![reason],
        version,
        base: None,
        base_because: None,
        ami: None,
    };
    let (decision, steps) = match decide_rollback(catalog, inventory, &records, (image, env), to) {
        Err(e) => (
            decision(PlanVerdict::Blocked, e.to_string(), None),
            Vec::new(),
        ),
        Ok(RollbackDecision::Keep(version, why)) => {
            let reason = format!("`{env}` is at {version}, but not in all its accounts");
            let steps = shared_pointers(catalog, inventory, &records, (image, env), &reason, &[]);
            let (verdict, reason) = if steps.is_empty() {
                (PlanVerdict::Keep, why)
            } else {
                (PlanVerdict::Rollback, reason)
            };
            (decision(verdict, reason, Some(version)), steps)
        }
        Ok(RollbackDecision::Move(rollback)) => {
            let reason = match rollback.from {
                Some(from) => format!("`{env}` moves back from {from} to {}", rollback.to),
                None => format!("`{env}` returns to {}: no version is current", rollback.to),
            };
            let mut steps =
                rollback_steps(catalog, inventory, &records, image, env, &rollback, &reason);
            let pointers =
                shared_pointers(catalog, inventory, &records, (image, env), &reason, &steps);
            steps.extend(pointers);
            let mut decision = decision(PlanVerdict::Rollback, reason, Some(rollback.to));
            decision
                .reasons
                .extend(hold_reason(&rollback, &records, env));
            let home = locations::home(&catalog.settings);
            decision.ami = rollback
                .locations
                .iter()
                .find(|r| r.location == home)
                .map(|r| r.to.ami.id.clone());
            (decision, steps)
        }
    };
    Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at: inventory.captured_at,
        decisions: vec![decision],
        steps,
    }
}

/// Returns the reason about versions that become held, and the other environments that keep them.
fn hold_reason(
    rollback: &RollbackMove<'_>,
    records: &[Record<'_>],
    env: &EnvName,
) -> Option<String> {
    let from = rollback.locations.iter().flat_map(|at| &at.from);
    let held: BTreeSet<Version> = from.map(|record| record.version).collect();
    if held.is_empty() {
        return None;
    }
    let versions = join(held.iter());
    let same = |r: &&Record<'_>| {
        let at = rollback.locations.first();
        held.contains(&r.version)
            && at.is_some_and(|at| at.to.image == r.image && at.to.arch == r.arch)
    };
    let others: BTreeSet<&EnvName> = records
        .iter()
        .filter(same)
        .flat_map(|record| record.current.keys())
        .filter(|name| *name != env)
        .collect();
    if others.is_empty() {
        return Some(format!("{versions} becomes held"));
    }
    let others = join(others.iter().map(|name| format!("`{name}`")));
    Some(format!(
        "{versions} becomes held, and stays current in {others}"
    ))
}

fn join(items: impl Iterator<Item = impl ToString>) -> String {
    items
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the steps that move the pointers of the accounts that launch the AMIs of a shared
/// environment, after the steps `planned`.
fn shared_pointers(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'_>],
    (image, env): (&Image, &EnvName),
    reason: &str,
    planned: &[Step],
) -> Vec<Step> {
    let Some(env) = catalog.settings.environment(env) else {
        return Vec::new();
    };
    let pointers = SharedPointers {
        settings: &catalog.settings,
        inventory,
        records,
        image: &image.name,
        arch: image.arch,
        env,
        reason,
        launch: false,
        withdrawn: &[],
    };
    pointers.steps(planned, &|location| {
        image_scope(&image.name, location, catalog)
    })
}

fn rollback_steps(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'_>],
    image: &Image,
    env: &EnvName,
    rollback: &RollbackMove<'_>,
    reason: &str,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for location in locations::in_catalog(&catalog.settings, &inventory.account) {
        let scope = image_scope(&image.name, &location, catalog);
        if let Some(why) = locations::unreachable_reason(inventory, &location) {
            let action = Action::Unreachable {
                why: why.to_owned(),
            };
            steps.extend(step_chain(
                &scope,
                &format!("{reason} in {location}"),
                Vec::new(),
                vec![(StepName::Read, location, action)],
            ));
            continue;
        }
        let here = locations::records_at(records, &location, &inventory.account);
        let mut actions = Vec::new();
        let returns = rollback.locations.iter().find(|r| r.location == location);
        if let Some(returns) = returns {
            let moves = vec![pointer_move(catalog, inventory, env, returns)];
            let missing = shared::missing_grants(
                &catalog.settings,
                &location,
                &inventory.account,
                &moves,
                &here,
            );
            if !missing.is_empty() {
                actions.push(allow_launch(&location, missing));
            }
            actions.push((
                StepName::Rollback,
                location.clone(),
                Action::MoveCurrent { moves },
            ));
        }
        // The hold applies at all locations, also where this environment does not point at the
        // version.
        let taken: Vec<Version> = rollback
            .locations
            .iter()
            .flat_map(|r| &r.from)
            .map(|r| r.version)
            .collect();
        let moved: Vec<&Record<'_>> = returns.into_iter().flat_map(|r| &r.from).collect();
        let others = here.iter().filter(|r| {
            r.image == image.name
                && r.arch == image.arch
                && r.state == State::Released
                && taken.contains(&r.version)
                && moved.iter().all(|m| m.ami.id != r.ami.id)
        });
        let others: Vec<_> = others.map(|r| r.ami.id.clone()).collect();
        if !others.is_empty() {
            actions.push((
                StepName::Hold,
                location.clone(),
                super::hold::set_state(others, State::Released, State::Held),
            ));
        }
        let reason = if !scope.is_replica() {
            reason.to_owned()
        } else {
            format!("{reason} in {location}")
        };
        steps.extend(step_chain(&scope, &reason, Vec::new(), actions));
    }
    steps
}

fn pointer_move(
    catalog: &Catalog,
    inventory: &Inventory,
    env: &EnvName,
    rollback: &LocationRollback<'_>,
) -> Move {
    let settings = &catalog.settings;
    let mut now = rollback.to.current.clone();
    let since = later_than(
        inventory.captured_at,
        rollback
            .from
            .iter()
            .filter_map(|r| r.current.get(env).copied()),
    );
    now.insert(env.clone(), since);
    let mut before = decision_tags(&rollback.to, &settings.environment_key);
    let mut tags = Tags::from([(tags::CURRENT.to_owned(), current::format(&now))]);
    if rollback.from.is_empty() {
        // No replaced AMI can record the rollback, so the target does. A repeated rollback
        // recognizes itself by this tag.
        let marks = rollback.to.tag(tags::ROLLED_BACK);
        before.insert(tags::ROLLED_BACK.to_owned(), marks.to_owned());
        let mut marks = current::parse(marks);
        marks.insert(env.clone(), since);
        tags.insert(tags::ROLLED_BACK.to_owned(), current::format(&marks));
    }
    Move {
        env: env.clone(),
        pointer: pointer_name(&settings.name, &rollback.to.image, env, rollback.to.arch),
        to: AmiRef::Known(rollback.to.ami.id.clone()),
        from: rollback
            .from
            .iter()
            .map(|r| rollback_tags(catalog, r, env, since))
            .collect(),
        before,
        tags,
        untag: Vec::new(),
    }
}
