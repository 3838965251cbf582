//! Plans a check of an AMI: boot it, collect facts and terminate the instance. Nothing is locked or
//! kept.

use crate::model::{AmiId, ImageName, Region, RunId, Timestamp};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Plan, Step, StepId};

/// Lifetime of the instance, its key pair and its security group. No collection takes longer than
/// an hour.
pub const EXPIRES: jiff::SignedDuration = jiff::SignedDuration::from_hours(2);

/// Plans the inspection of an AMI. `image` provides the controls and names the scope.
#[must_use]
pub fn plan_inspection(
    image: &ImageName,
    ami: &AmiId,
    region: &Region,
    run: RunId,
    decided_at: Timestamp,
) -> Plan {
    let id = |verb: &str| StepId(format!("{image}/{verb}"));
    let temporary = format!("bakeline-{run}-{image}");
    let actions = [
        (
            "key",
            Action::CreateKeyPair {
                name: temporary.clone(),
            },
        ),
        (
            "group",
            Action::CreateGroup {
                name: temporary.clone(),
            },
        ),
        (
            "boot",
            Action::Boot {
                image: image.clone(),
                ami: AmiRef::Known(ami.clone()),
            },
        ),
        (
            "collect",
            Action::Inspect {
                image: image.clone(),
                instance: id("boot"),
            },
        ),
        (
            "terminate",
            Action::Terminate {
                instance: id("boot"),
            },
        ),
        (
            "drop-group",
            Action::DeleteGroup {
                name: temporary.clone(),
            },
        ),
        ("drop-key", Action::DeleteKeyPair { name: temporary }),
    ];
    let mut previous = None;
    let step = |(verb, action): (&str, Action)| {
        let needs = previous.take().into_iter().collect();
        previous = Some(id(verb));
        let (id, scope, region) = (id(verb), image.to_string(), region.clone());
        Step {
            id,
            scope,
            region,
            account: None,
            needs,
            reason: format!("check of {ami} requested"),
            action,
        }
    };
    let steps = actions.into_iter().map(step).collect();
    Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at,
        decisions: Vec::new(),
        steps,
    }
}
