//! Owns the plan of a probe: boot what is current, ask for pending updates, end the instance.

use crate::catalog::{Catalog, Image};
use crate::model::{ImageName, Inventory, RunId};
use crate::plan::release::{PLAN_SCHEMA, Released};
use crate::plan::step::{Action, Decision, Plan, StepId, Verdict};

/// Decides a probe of these images; what has no version yet is `Blocked`.
#[must_use]
pub fn plan(catalog: &Catalog, inventory: &Inventory, images: &[ImageName], run: RunId) -> Plan {
    let released = Released::new(catalog, inventory);
    let (mut decisions, mut steps) = (Vec::new(), Vec::new());
    for image in images.iter().filter_map(|name| catalog.images.get(name)) {
        let reason = "asked for pending updates".to_owned();
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
            decisions.push(decision(Verdict::Blocked, missing(image)));
            continue;
        };
        let (version, ami) = (last.version, last.ami.id.clone());
        let instance = StepId(format!("{}/boot", image.name));
        let action = Action::Probe {
            image: image.name.clone(),
            version,
            ami: ami.clone(),
            instance,
        };
        steps.extend(crate::plan::release::recheck::visit(
            catalog,
            last,
            &run,
            ("probe", action),
            &reason,
        ));
        let decision = decision(Verdict::Probe, reason);
        decisions.push(Decision {
            version: Some(version),
            ami: Some(ami),
            ..decision
        });
    }
    Plan {
        schema: PLAN_SCHEMA,
        run,
        made: inventory.taken,
        decisions,
        steps,
    }
}

fn missing(image: &Image) -> String {
    format!("`{}` has no released version", image.name)
}
