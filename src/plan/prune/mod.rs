//! Plans retirement: prune, retiring an image, and restoring an AMI.

pub mod saved;

use std::collections::BTreeSet;

use crate::catalog::{Brakes, Catalog, Settings};
use crate::lifecycle::retention::{RetentionDecision, RetentionRules, decide_retention};
use crate::lifecycle::retirement::RetirementStage;
use crate::lifecycle::{Record, locations, tags};
use crate::model::{
    Ami, AmiId, ImageName, Inventory, Location, Region, RunId, State, count, pointer_name,
};
use crate::plan::publish::step_chain;
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Plan, Step};
use crate::plan::{Scope, StepId, StepName};

/// Options of a prune.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PruneOptions {
    /// Number of versions to keep, instead of the settings of the catalog.
    pub keep: Option<u32>,
    /// True if shared AMIs may move beyond deprecation.
    pub shared_ok: bool,
}

/// Plans a prune. The decisions cover every AMI, and the plan only those that move.
#[must_use]
pub fn plan_prune(
    catalog: &Catalog,
    inventory: &Inventory,
    options: &PruneOptions,
    run: RunId,
) -> (Vec<RetentionDecision>, Plan) {
    let records = Record::read_all(&inventory.images, &catalog.settings);
    let rules = RetentionRules {
        shared_ok: options.shared_ok,
        ..RetentionRules::from_inventory(catalog, inventory).with_keep(options.keep)
    };
    let decisions = decide_retention(&records, &rules);
    let steps = decisions
        .iter()
        .flat_map(|decision| stage_steps(decision, inventory, options.shared_ok))
        .collect();
    (decisions, plan_of(inventory, run, steps))
}

/// Plans the retirement of an image: all its unused AMIs move through the stages, and its pointers
/// are deleted.
#[must_use]
pub fn plan_retirement(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &ImageName,
    options: &PruneOptions,
    run: RunId,
) -> (Vec<RetentionDecision>, Plan) {
    let records = Record::read_all(&inventory.images, &catalog.settings);
    let retired: BTreeSet<ImageName> = records
        .iter()
        .map(|record| record.image.clone())
        .filter(|name| catalog.settings.is_meant(name, image))
        .collect();
    let rules = RetentionRules {
        shared_ok: options.shared_ok,
        retired_images: Some(&retired),
        ..RetentionRules::from_inventory(catalog, inventory)
    };
    let mut decisions = decide_retention(&records, &rules);
    decisions.retain(|f| retired.contains(&f.image));
    let mut all = Vec::new();
    for decision in &decisions {
        let record = records
            .iter()
            .find(|r| r.ami.id == decision.ami && r.ami.region == decision.region);
        let unpoint = record
            .filter(|r| decision.retire && !r.current.is_empty())
            .map(|r| clear_pointers(catalog, inventory, r));
        let shared = record
            .filter(|_| unpoint.is_some())
            .map(|r| clear_shared_pointers(catalog, inventory, r))
            .unwrap_or_default();
        let cleared: Vec<StepId> = unpoint
            .iter()
            .chain(&shared)
            .map(|s| s.id.clone())
            .collect();
        let down = stage_steps(decision, inventory, options.shared_ok)
            .into_iter()
            .map(|mut step| {
                if step.needs.is_empty() {
                    step.needs.extend(cleared.iter().cloned());
                }
                step
            });
        let down: Vec<Step> = down.collect();
        all.extend(unpoint);
        all.extend(shared);
        all.extend(down);
    }
    (decisions, plan_of(inventory, run, all))
}

/// Plans the restoration of one AMI.
#[must_use]
pub fn plan_restore(inventory: &Inventory, ami: &Ami, run: RunId) -> Plan {
    let reason = "restore requested".to_owned();
    let action = Action::Restore {
        ami: ami.id.clone(),
    };
    let step = ami_step(
        &ami.id,
        (&ami.region, &ami.owner),
        inventory,
        (StepName::Restore, reason, action),
    );
    plan_of(inventory, run, vec![step])
}

/// Returns the reason if a prune exceeds the limits.
#[must_use]
pub fn exceeds_limits(limits: &Brakes, decisions: &[RetentionDecision]) -> Option<String> {
    let moved = decisions
        .iter()
        .filter(|f| !f.due_stages.is_empty())
        .count();
    let all = decisions.len();
    let share_text = format!("{moved} of {} would be retired further", count(all, "AMI"));
    if moved > usize::try_from(limits.most).unwrap_or(usize::MAX) {
        return Some(format!(
            "{share_text}, more than {} (brakes.most); allow it with --most {moved}",
            limits.most
        ));
    }
    let percent = usize::try_from(limits.percent).unwrap_or(100);
    let share = (moved * 100).div_ceil(all.max(1));
    (moved * 100 > percent * all).then(|| {
        format!(
            "{share_text}, more than {percent} % (brakes.percent); allow it with --percent {share}"
        )
    })
}

/// Returns the AMIs that carry the tags of this catalog but are not its own. They are copies made
/// by hand and are not changed.
#[must_use]
pub fn foreign_images<'w>(settings: &Settings, inventory: &'w Inventory) -> Vec<&'w Ami> {
    let named = |ami: &&Ami| {
        ami.tags
            .get(tags::CATALOG)
            .is_some_and(|c| *c == settings.name.0)
    };
    inventory
        .images
        .iter()
        .filter(named)
        .filter(|a| Record::read(a, settings).is_none())
        .collect()
}

fn plan_of(inventory: &Inventory, run: RunId, steps: Vec<Step>) -> Plan {
    Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at: inventory.captured_at,
        decisions: Vec::new(),
        steps,
    }
}

fn ami_step(
    ami: &AmiId,
    (region, owner): (&Region, &str),
    inventory: &Inventory,
    (name, reason, action): (StepName, String, Action),
) -> Step {
    let scope = Scope::of_ami(ami);
    Step {
        id: StepId::new(scope.clone(), name),
        scope,
        region: region.clone(),
        account: (owner != inventory.account).then(|| owner.to_owned()),
        needs: Vec::new(),
        reason,
        action,
    }
}

/// Returns the steps of one AMI: the stages that are due, in order.
fn stage_steps(decision: &RetentionDecision, inventory: &Inventory, shared_ok: bool) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::new();
    for stage in &decision.due_stages {
        let ami = decision.ami.clone();
        let action = match stage {
            RetirementStage::Deprecate => Action::Deprecate {
                ami,
                was: decision.state,
            },
            RetirementStage::Disable => Action::Disable { ami, shared_ok },
            RetirementStage::Deregister => Action::Deregister { ami, shared_ok },
        };
        let mut step = ami_step(
            &decision.ami,
            (&decision.region, &decision.owner),
            inventory,
            (StepName::from(*stage), decision.reason(), action),
        );
        step.needs.extend(out.last().map(|s| s.id.clone()));
        out.push(step);
    }
    out
}

/// Returns the step that removes the current tag and the pointers of an AMI.
fn clear_pointers(catalog: &Catalog, inventory: &Inventory, record: &Record<'_>) -> Step {
    let settings = &catalog.settings;
    let pointers = record
        .current
        .keys()
        .map(|env| pointer_name(&settings.name, &record.image, env, record.arch))
        .collect();
    let (ami, current) = (record.ami.id.clone(), record.tag(tags::CURRENT).to_owned());
    let reason = format!("`{}` is retired", record.image);
    let location = (&record.ami.region, record.ami.owner.as_str());
    ami_step(
        &ami,
        location,
        inventory,
        (
            StepName::ClearPointers,
            reason,
            Action::ClearPointers {
                ami: ami.clone(),
                current,
                pointers,
            },
        ),
    )
}

/// Returns the steps that delete the pointers to an AMI in the accounts that launch shared AMIs.
fn clear_shared_pointers(
    catalog: &Catalog,
    inventory: &Inventory,
    record: &Record<'_>,
) -> Vec<Step> {
    let settings = &catalog.settings;
    let shared = settings.environments.iter().flat_map(|env| {
        let pointer = pointer_name(&settings.name, &record.image, &env.name, record.arch);
        let receiving = locations::receiving(env, &inventory.account);
        receiving
            .into_iter()
            .map(move |location| (location, pointer.clone()))
    });
    let names_it = |(location, pointer): &(Location, String)| {
        let mut all = inventory.parameters.iter();
        all.any(|p| {
            p.location == *location && p.name == *pointer && p.value == record.ami.id.as_str()
        })
    };
    let reason = format!("`{}` is retired", record.image);
    shared
        .filter(names_it)
        .flat_map(|(location, pointer)| {
            let scope = Scope::of_pointer(&pointer).at(&location);
            let action = Action::Unpublish { pointer };
            step_chain(
                &scope,
                &reason,
                Vec::new(),
                vec![(StepName::Unpublish, location, action)],
            )
        })
        .collect()
}

/// Returns the reason why an image must not be retired.
#[must_use]
pub fn retire_objection(catalog: &Catalog, image: &ImageName) -> Option<String> {
    if let Some(existing) = catalog.images.get(image) {
        return Some(format!(
            "`{image}` is in the catalog; remove {} first",
            existing.file
        ));
    }
    let child = catalog.images.values().find(|i| i.parent() == Some(image));
    child.map(|c| format!("`{image}` is the parent of `{}` in {}", c.name, c.file))
}

/// Returns the state of an AMI after a restore.
#[must_use]
pub fn state_before(marks: &crate::lifecycle::retirement::RetirementMarks) -> State {
    marks.was.unwrap_or(State::Released)
}
