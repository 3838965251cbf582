//! Owns the plans that move AMIs down the ladder and back up: prune, retiring an image, restoring an AMI.

pub mod saved;

use crate::catalog::{Brakes, Catalog, Settings};
use crate::lifecycle::ladder::Rung;
use crate::lifecycle::retain::{Fate, Rules, decide};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, ImageName, Inventory, Region, RunId, State, pointer_name};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Plan, Step, StepId};

/// What is wished of a prune.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Wish {
    /// How many versions to keep, instead of what the catalog says.
    pub keep: Option<u32>,
    /// Whether what is shared with others may go beyond deprecation.
    pub shared_ok: bool,
}

/// Decides a prune; the fates tell of every AMI, the plan only of those that move.
#[must_use]
pub fn plan(
    catalog: &Catalog,
    inventory: &Inventory,
    wish: &Wish,
    run: RunId,
) -> (Vec<Fate>, Plan) {
    let records = Record::all(&inventory.images, &catalog.settings.name);
    let rules = Rules {
        shared_ok: wish.shared_ok,
        ..Rules::of(catalog, inventory).keeping(wish.keep)
    };
    let fates = decide(&records, &rules);
    let steps = fates
        .iter()
        .flat_map(|fate| steps(fate, inventory, wish.shared_ok))
        .collect();
    (fates, empty(inventory, run, steps))
}

/// Decides taking an image out of service: every AMI of it that nothing needs goes down the ladder, and its pointers go.
#[must_use]
pub fn retire(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &ImageName,
    wish: &Wish,
    run: RunId,
) -> (Vec<Fate>, Plan) {
    let records = Record::all(&inventory.images, &catalog.settings.name);
    let rules = Rules {
        shared_ok: wish.shared_ok,
        leaving: Some(image),
        ..Rules::of(catalog, inventory)
    };
    let mut fates = decide(&records, &rules);
    fates.retain(|f| f.image == *image);
    let mut all = Vec::new();
    for fate in &fates {
        let record = records
            .iter()
            .find(|r| r.ami.id == fate.ami && r.ami.region == fate.region);
        let unpoint = record
            .filter(|r| fate.retire && !r.current.is_empty())
            .map(|r| unpoint(catalog, inventory, r));
        let down = steps(fate, inventory, wish.shared_ok)
            .into_iter()
            .map(|mut step| {
                step.needs.extend(
                    unpoint
                        .as_ref()
                        .filter(|_| step.needs.is_empty())
                        .map(|u| u.id.clone()),
                );
                step
            });
        let down: Vec<Step> = down.collect();
        all.extend(unpoint.clone());
        all.extend(down);
    }
    (fates, empty(inventory, run, all))
}

/// The way back up for one AMI.
#[must_use]
pub fn restore(inventory: &Inventory, ami: &Ami, run: RunId) -> Plan {
    let scope = scope(ami.id.as_str());
    let reason = "a person wants it back".to_owned();
    let action = Action::Restore {
        ami: ami.id.clone(),
    };
    let step = step(
        &scope,
        (&ami.region, &ami.owner),
        inventory,
        ("restore", reason, action),
    );
    empty(inventory, run, vec![step])
}

/// Why a prune is more than the brakes let through, if it is.
#[must_use]
pub fn braked(brakes: &Brakes, fates: &[Fate]) -> Option<String> {
    let moved = fates.iter().filter(|f| !f.next.is_empty()).count();
    let all = fates.len();
    let of = format!("{moved} of {all} AMIs would move down the ladder");
    if moved > usize::try_from(brakes.most).unwrap_or(usize::MAX) {
        return Some(format!(
            "{of}, more than {} (brakes.most): --most {moved} lets them",
            brakes.most
        ));
    }
    let percent = usize::try_from(brakes.percent).unwrap_or(100);
    let share = (moved * 100).div_ceil(all.max(1));
    (moved * 100 > percent * all).then(|| {
        format!("{of}, more than {percent} % (brakes.percent): --percent {share} lets them")
    })
}

/// The AMIs that carry this catalog's tags but are not its own: copies made by hand, left alone and worth a word.
#[must_use]
pub fn strangers<'w>(settings: &Settings, inventory: &'w Inventory) -> Vec<&'w Ami> {
    let named = |ami: &&Ami| {
        ami.tags
            .get(tags::CATALOG)
            .is_some_and(|c| *c == settings.name.0)
    };
    inventory
        .images
        .iter()
        .filter(named)
        .filter(|a| Record::read(a, &settings.name).is_none())
        .collect()
}

fn empty(inventory: &Inventory, run: RunId, steps: Vec<Step>) -> Plan {
    Plan {
        schema: PLAN_SCHEMA,
        run,
        made: inventory.taken,
        decisions: Vec::new(),
        steps,
    }
}

fn scope(ami: &str) -> String {
    ami.to_owned()
}

fn step(
    scope: &str,
    (region, owner): (&Region, &str),
    inventory: &Inventory,
    (verb, reason, action): (&str, String, Action),
) -> Step {
    Step {
        id: StepId(format!("{scope}/{verb}")),
        scope: scope.to_owned(),
        region: region.clone(),
        account: (owner != inventory.account).then(|| owner.to_owned()),
        needs: Vec::new(),
        reason,
        action,
    }
}

/// The steps of one AMI: the rungs that are due, in order.
fn steps(fate: &Fate, inventory: &Inventory, shared_ok: bool) -> Vec<Step> {
    let scope = scope(fate.ami.as_str());
    let mut out: Vec<Step> = Vec::new();
    for rung in &fate.next {
        let ami = fate.ami.clone();
        let action = match rung {
            Rung::Deprecate => Action::Deprecate {
                ami,
                was: fate.state,
            },
            Rung::Disable => Action::Disable { ami, shared_ok },
            Rung::Deregister => Action::Deregister { ami, shared_ok },
        };
        let mut step = step(
            &scope,
            (&fate.region, &fate.owner),
            inventory,
            (rung.as_str(), fate.reason(), action),
        );
        step.needs.extend(out.last().map(|s| s.id.clone()));
        out.push(step);
    }
    out
}

/// Nothing points at an AMI any more.
fn unpoint(catalog: &Catalog, inventory: &Inventory, record: &Record<'_>) -> Step {
    let settings = &catalog.settings;
    let pointers = record
        .current
        .keys()
        .map(|env| pointer_name(&settings.name, &record.image, env, record.arch))
        .collect();
    let (ami, current) = (record.ami.id.clone(), record.tag(tags::CURRENT).to_owned());
    let reason = format!("`{}` is taken out of service", record.image);
    let location = (&record.ami.region, record.ami.owner.as_str());
    step(
        &scope(ami.as_str()),
        location,
        inventory,
        (
            "unpoint",
            reason,
            Action::Unpoint {
                ami: ami.clone(),
                current,
                pointers,
            },
        ),
    )
}

/// Whether taking an image out of service is refused, and why.
#[must_use]
pub fn wanted(catalog: &Catalog, image: &ImageName) -> Option<String> {
    if let Some(there) = catalog.images.get(image) {
        return Some(format!(
            "`{image}` is in the catalog: remove {} first",
            there.file
        ));
    }
    let child = catalog.images.values().find(|i| i.parent() == Some(image));
    child.map(|c| format!("`{image}` is the parent of `{}` in {}", c.name, c.file))
}

/// The state an AMI goes back to.
#[must_use]
pub fn state_before(marks: &crate::lifecycle::ladder::Marks) -> State {
    marks.was.unwrap_or(State::Released)
}
