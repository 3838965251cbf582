//! Owns the plan of a doctor's repairs: each a scope of its own, tags before the pointers that say the same.

mod store;

use std::collections::BTreeMap;

use super::publish::row;
use crate::catalog::Catalog;
use crate::lifecycle::doctor::{Finding, Repair, examine};
use crate::model::{ImageName, Inventory, Location, RunId};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Plan, StepId};

/// What is wrong, and the plan that mends what can be mended.
#[must_use]
pub fn plan(catalog: &Catalog, inventory: &Inventory, run: RunId) -> (Vec<Finding>, Plan) {
    let mut diagnosis = examine(&catalog.settings, inventory);
    let mut marked: BTreeMap<(Location, ImageName), Vec<StepId>> = BTreeMap::new();
    let mut steps = Vec::new();
    for repair in diagnosis.repairs {
        let made = match repair {
            Repair::Mark {
                location,
                ami,
                image,
                before,
                tags,
            } => {
                let scope = format!("{ami}@{location}");
                let reason = format!("tags of {ami} in {location} are not what they should be");
                let action = Action::Mark {
                    amis: vec![ami],
                    before,
                    tags,
                };
                let made = row(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![("mend", location.clone(), action)],
                );
                let ids = made.iter().map(|s| s.id.clone());
                marked.entry((location, image)).or_default().extend(ids);
                made
            }
            Repair::Publish {
                location,
                image,
                pointer,
                ami,
            } => {
                let needs = marked
                    .get(&(location.clone(), image))
                    .cloned()
                    .unwrap_or_default();
                let reason = format!("{pointer} in {location} does not say what the tags say");
                let scope = format!("{}@{location}", scope(&pointer));
                row(
                    &scope,
                    &reason,
                    needs,
                    vec![("publish", location, Action::Publish { pointer, ami })],
                )
            }
            Repair::Unshare {
                location,
                permission,
            } => {
                let reason = format!(
                    "account {} may still copy {}",
                    permission.name, permission.id
                );
                let scope = format!("{}@{location}", permission.unique_name());
                row(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![("unshare", location, Action::Sweep { thing: permission })],
                )
            }
            Repair::Unpublish { location, pointer } => {
                let reason = format!("{pointer} in {location} has nothing to point at");
                let scope = format!("{}@{location}", scope(&pointer));
                row(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![("unpublish", location, Action::Unpublish { pointer })],
                )
            }
        };
        steps.extend(made);
    }
    let (findings, mut mended) = store::compare(catalog, inventory);
    diagnosis.findings.extend(findings);
    steps.append(&mut mended);
    (
        diagnosis.findings,
        Plan {
            schema: PLAN_SCHEMA,
            run,
            made: inventory.taken,
            decisions: Vec::new(),
            steps,
        },
    )
}

/// A pointer's name as the name of a scope.
fn scope(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
