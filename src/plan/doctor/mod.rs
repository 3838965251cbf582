//! Plans the repairs of the doctor: each in its own scope, tags before the pointers that depend on
//! them.

mod shared;
mod store;

use std::collections::BTreeMap;

use super::publish::step_chain;
use crate::catalog::Catalog;
use crate::lifecycle::doctor::{Discrepancy, Repair, diagnose};
use crate::model::{AmiId, ImageName, Inventory, Location, RunId, TemporaryResource};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Plan, Step};
use crate::plan::{Scope, StepId, StepName};

/// Returns the discrepancies, and the plan that repairs them.
#[must_use]
pub fn plan_repairs(
    catalog: &Catalog,
    inventory: &Inventory,
    run: RunId,
) -> (Vec<Discrepancy>, Plan) {
    let mut diagnosis = diagnose(
        &catalog.settings,
        &|image| catalog.images.contains_key(image),
        inventory,
    );
    let mut planner = RepairPlanner::default();
    let mut steps = Vec::new();
    for repair in diagnosis.repairs {
        steps.extend(planner.repair_steps(repair));
    }
    let (findings, mut store_steps) = store::audit_store(catalog, inventory);
    diagnosis.discrepancies.extend(findings);
    steps.append(&mut store_steps);
    (
        diagnosis.discrepancies,
        Plan {
            schema: PLAN_SCHEMA,
            run,
            decided_at: inventory.captured_at,
            decisions: Vec::new(),
            steps,
        },
    )
}

/// Plans the steps of repairs, tags first.
#[derive(Default)]
struct RepairPlanner {
    /// Planned changes of tags, by location and image. Pointers wait for them.
    tag_steps: BTreeMap<(Location, ImageName), Vec<StepId>>,
    /// Planned launch permissions, by AMI. Pointers to shared AMIs wait for them.
    launch_steps: BTreeMap<AmiId, StepId>,
}

impl RepairPlanner {
    /// Returns the steps of a repair.
    fn repair_steps(&mut self, repair: Repair) -> Vec<Step> {
        match repair {
            Repair::SetTags {
                location,
                ami,
                image,
                before,
                tags,
            } => {
                let scope = Scope::of_ami(&ami).at(&location);
                let reason = format!("tags of {ami} in {location} are wrong");
                let action = Action::SetTags {
                    amis: vec![ami],
                    before,
                    tags,
                };
                let repair_steps = step_chain(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![(StepName::RepairTags, location.clone(), action)],
                );
                let ids = repair_steps.iter().map(|s| s.id.clone());
                self.tag_steps
                    .entry((location, image))
                    .or_default()
                    .extend(ids);
                repair_steps
            }
            Repair::Publish {
                location,
                image,
                pointer,
                ami,
            } => {
                let needs = self
                    .tag_steps
                    .get(&(location.clone(), image))
                    .cloned()
                    .unwrap_or_default();
                let reason = format!("{pointer} in {location} does not match the tags");
                let scope = Scope::of_pointer(&pointer).at(&location);
                step_chain(
                    &scope,
                    &reason,
                    needs,
                    vec![(
                        StepName::Publish,
                        location,
                        Action::Publish { pointer, ami },
                    )],
                )
            }
            Repair::PublishShared { .. }
            | Repair::AllowLaunch { .. }
            | Repair::DisallowLaunch { .. } => self.sharing_steps(repair),
            Repair::Unshare {
                location,
                permission,
            } => unshare_steps(location, permission),
            Repair::Unpublish { location, pointer } => {
                let reason = format!("{pointer} in {location} is obsolete: no version is current");
                let scope = Scope::of_pointer(&pointer).at(&location);
                step_chain(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![(StepName::Unpublish, location, Action::Unpublish { pointer })],
                )
            }
        }
    }
}

/// Returns the steps that remove a permission to copy an AMI.
fn unshare_steps(location: Location, permission: TemporaryResource) -> Vec<Step> {
    let reason = format!(
        "account {} may still copy {}",
        permission.name, permission.id
    );
    let scope = Scope::of_leftover(&permission).at(&location);
    let action = Action::Sweep {
        resource: permission,
    };
    step_chain(
        &scope,
        &reason,
        Vec::new(),
        vec![(StepName::Unshare, location, action)],
    )
}
