//! Owns the plan of a rollback: at each location the old becomes current, then what was current is held and falls.

use super::publish::{before, later, rolled_back, row, scope};
use crate::catalog::{Catalog, Image};
use crate::lifecycle::rollback::{Choice, Return, Rollback, rollback};
use crate::lifecycle::{Record, current, locations, tags};
use crate::model::{EnvName, Inventory, RunId, State, Tags, Version, pointer_name};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Decision, Move, Plan, Step, Verdict};

/// Decides a rollback of `image` in `env`, to a version or to the one before.
#[must_use]
pub fn plan(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &Image,
    env: &EnvName,
    to: Option<Version>,
    run: RunId,
) -> Plan {
    let records = Record::all(&inventory.images, &catalog.settings.name);
    let decision = |verdict, reason: String, version| Decision {
        image: image.name.clone(),
        verdict,
        reasons: vec![reason],
        version,
        base: None,
        base_because: None,
        ami: None,
    };
    let (decided, steps) = match rollback(catalog, inventory, &records, (image, env), to) {
        Err(why) => (decision(Verdict::Blocked, why, None), Vec::new()),
        Ok(Choice::Keep(version, why)) => (decision(Verdict::Keep, why, Some(version)), Vec::new()),
        Ok(Choice::Move(back)) => {
            let reason = format!("`{env}` goes back from {} to {}", back.from, back.to);
            let steps = steps(catalog, inventory, &records, image, env, &back, &reason);
            let mut decided = decision(Verdict::Rollback, reason, Some(back.to));
            let home = locations::home(&catalog.settings);
            decided.ami = back
                .returns
                .iter()
                .find(|r| r.location == home)
                .map(|r| r.to.ami.id.clone());
            (decided, steps)
        }
    };
    Plan {
        schema: PLAN_SCHEMA,
        run,
        made: inventory.taken,
        decisions: vec![decided],
        steps,
    }
}

fn steps(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'_>],
    image: &Image,
    env: &EnvName,
    back: &Rollback<'_>,
    reason: &str,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for location in locations::all(&catalog.settings, &inventory.account) {
        let name = scope(image.name.as_str(), &location, catalog);
        if let Some(why) = locations::unread(inventory, &location) {
            let action = Action::Unread {
                why: why.to_owned(),
            };
            steps.extend(row(
                &name,
                &format!("{reason} in {location}"),
                Vec::new(),
                vec![("read", location, action)],
            ));
            continue;
        }
        let here = locations::at(records, &location, &inventory.account);
        let mut actions = Vec::new();
        let returns = back.returns.iter().find(|r| r.location == location);
        if let Some(returns) = returns {
            let moves = vec![movement(catalog, inventory, env, returns)];
            actions.push(("rollback", location.clone(), Action::MoveCurrent { moves }));
        }
        // A version is held everywhere, also where this environment does not point at it.
        let taken: Vec<Version> = back
            .returns
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
                "hold",
                location.clone(),
                super::hold::mark(others, State::Released, State::Held),
            ));
        }
        let reason = if name == image.name.as_str() {
            reason.to_owned()
        } else {
            format!("{reason} in {location}")
        };
        steps.extend(row(&name, &reason, Vec::new(), actions));
    }
    steps
}

fn movement(catalog: &Catalog, inventory: &Inventory, env: &EnvName, back: &Return<'_>) -> Move {
    let settings = &catalog.settings;
    let mut now = back.to.current.clone();
    let since = later(
        inventory.taken,
        back.from.iter().filter_map(|r| r.current.get(env).copied()),
    );
    now.insert(env.clone(), since);
    Move {
        env: env.clone(),
        pointer: pointer_name(&settings.name, &back.to.image, env, back.to.arch),
        to: AmiRef::Known(back.to.ami.id.clone()),
        from: back
            .from
            .iter()
            .map(|r| rolled_back(catalog, r, env, since))
            .collect(),
        before: before(&back.to, &settings.environment_key),
        tags: Tags::from([(tags::CURRENT.to_owned(), current::format(&now))]),
        untag: Vec::new(),
    }
}
