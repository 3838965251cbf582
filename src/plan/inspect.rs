//! Plans a check of an AMI: boot it, collect facts and terminate the instance. Nothing is locked or
//! kept.

use crate::model::{AmiId, ImageName, Region, RunId, Timestamp};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Plan, Step};
use crate::plan::{Scope, StepId, StepName};

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
    let id = |name: StepName| StepId::new(Scope::of_image(image), name);
    let temporary = format!("bakeline-{run}-{image}");
    let actions = [
        (
            StepName::Key,
            Action::CreateKeyPair {
                name: temporary.clone(),
            },
        ),
        (
            StepName::Group,
            Action::CreateGroup {
                name: temporary.clone(),
            },
        ),
        (
            StepName::Boot,
            Action::Boot {
                image: image.clone(),
                ami: AmiRef::Known(ami.clone()),
            },
        ),
        (
            StepName::Collect,
            Action::Inspect {
                image: image.clone(),
                instance: id(StepName::Boot),
            },
        ),
        (
            StepName::Terminate,
            Action::Terminate {
                instance: id(StepName::Boot),
            },
        ),
        (
            StepName::DropGroup,
            Action::DeleteGroup {
                name: temporary.clone(),
            },
        ),
        (StepName::DropKey, Action::DeleteKeyPair { name: temporary }),
    ];
    let mut previous = None;
    let step = |(verb, action): (StepName, Action)| {
        let needs = previous.take().into_iter().collect();
        previous = Some(id(verb));
        let (id, scope, region) = (id(verb), Scope::of_image(image), region.clone());
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
