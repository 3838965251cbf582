//! Plans an update probe: boot the current version, look for pending updates, terminate the
//! instance.

use crate::catalog::{Catalog, Image};
use crate::model::{ImageName, Inventory, RunId};
use crate::plan::release::{PLAN_SCHEMA, ReleasedVersions};
use crate::plan::step::{Action, Decision, Plan, PlanVerdict};
use crate::plan::{Scope, StepId, StepName};

/// Plans a probe of these images. An image without a version is `Blocked`.
#[must_use]
pub fn plan_probe(
    catalog: &Catalog,
    inventory: &Inventory,
    images: &[ImageName],
    run: RunId,
) -> Plan {
    let released = ReleasedVersions::new(catalog, inventory);
    let (mut decisions, mut steps) = (Vec::new(), Vec::new());
    for image in images.iter().filter_map(|name| catalog.images.get(name)) {
        let reason = "update probe requested".to_owned();
        let decision = |verdict, reason: String| Decision {
            image: image.name.clone(),
            verdict,
            reasons: vec![reason],
            version: None,
            base: None,
            base_because: None,
            ami: None,
        };
        let Some(last) = released.last_good(image) else {
            decisions.push(decision(PlanVerdict::Blocked, no_version_reason(image)));
            continue;
        };
        let (version, ami) = (last.version, last.ami.id.clone());
        let instance = StepId::new(Scope::of_image(&image.name), StepName::Boot);
        let action = Action::Probe {
            image: image.name.clone(),
            version,
            ami: ami.clone(),
            instance,
        };
        steps.extend(crate::plan::release::recheck::boot_steps(
            catalog,
            last,
            &run,
            (StepName::Probe, action),
            &reason,
        ));
        let decision = decision(PlanVerdict::Probe, reason);
        decisions.push(Decision {
            version: Some(version),
            ami: Some(ami),
            ..decision
        });
    }
    Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at: inventory.captured_at,
        decisions,
        steps,
    }
}

fn no_version_reason(image: &Image) -> String {
    format!("`{}` has no released version", image.name)
}
