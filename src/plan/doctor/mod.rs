//! Owns the plan of a doctor's repairs: each a scope of its own, tags before the pointers that say the same.

mod store;

use std::collections::BTreeMap;

use super::publish::row;
use crate::catalog::Catalog;
use crate::lifecycle::doctor::{Finding, Repair, examine};
use crate::model::{ImageName, Place, RunId, World};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Plan, StepId};

/// What is wrong, and the plan that mends what can be mended.
#[must_use]
pub fn plan(catalog: &Catalog, world: &World, run: RunId) -> (Vec<Finding>, Plan) {
    let mut diagnosis = examine(&catalog.settings, world);
    let mut marked: BTreeMap<(Place, ImageName), Vec<StepId>> = BTreeMap::new();
    let mut steps = Vec::new();
    for repair in diagnosis.repairs {
        let made = match repair {
            Repair::Mark {
                place,
                ami,
                image,
                before,
                tags,
            } => {
                let scope = format!("{ami}@{place}");
                let reason = format!("tags of {ami} in {place} are not what they should be");
                let action = Action::Mark {
                    amis: vec![ami],
                    before,
                    tags,
                };
                let made = row(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![("mend", place.clone(), action)],
                );
                let ids = made.iter().map(|s| s.id.clone());
                marked.entry((place, image)).or_default().extend(ids);
                made
            }
            Repair::Publish {
                place,
                image,
                pointer,
                ami,
            } => {
                let needs = marked
                    .get(&(place.clone(), image))
                    .cloned()
                    .unwrap_or_default();
                let reason = format!("{pointer} in {place} does not say what the tags say");
                let scope = format!("{}@{place}", scope(&pointer));
                row(
                    &scope,
                    &reason,
                    needs,
                    vec![("publish", place, Action::Publish { pointer, ami })],
                )
            }
            Repair::Unshare { place, permission } => {
                let reason = format!(
                    "account {} may still copy {}",
                    permission.name, permission.id
                );
                let scope = format!("{}@{place}", permission.unique_name());
                row(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![("unshare", place, Action::Sweep { thing: permission })],
                )
            }
            Repair::Unpublish { place, pointer } => {
                let reason = format!("{pointer} in {place} has nothing to point at");
                let scope = format!("{}@{place}", scope(&pointer));
                row(
                    &scope,
                    &reason,
                    Vec::new(),
                    vec![("unpublish", place, Action::Unpublish { pointer })],
                )
            }
        };
        steps.extend(made);
    }
    let (findings, mut mended) = store::compare(catalog, world);
    diagnosis.findings.extend(findings);
    steps.append(&mut mended);
    (
        diagnosis.findings,
        Plan {
            schema: PLAN_SCHEMA,
            run,
            made: world.taken,
            decisions: Vec::new(),
            steps,
        },
    )
}

/// A pointer's name as the name of a scope.
fn scope(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
