//! Plans the repairs of shared environments: launch permissions before the pointers that depend on
//! them.

use super::RepairPlanner;
use crate::lifecycle::doctor::{Receivers, Repair};
use crate::model::{AmiId, Location};
use crate::plan::publish::{allow_launch, step_chain};
use crate::plan::step::{Action, AmiRef, LaunchGrant, Step};
use crate::plan::{Scope, StepName};

impl RepairPlanner {
    /// Returns the steps of a repair of launch permissions or of a pointer to a shared AMI.
    pub(super) fn sharing_steps(&mut self, repair: Repair) -> Vec<Step> {
        match repair {
            Repair::AllowLaunch {
                location,
                ami,
                receivers,
            } => {
                let reason = format!("launch permissions of {ami} in {location} are missing");
                let action = allow_launch(&location, launch_grants(&ami, receivers));
                let steps = launch_steps(&ami, &reason, action);
                let id = steps.last().map(|step| step.id.clone());
                self.launch_steps.extend(id.map(|id| (ami, id)));
                steps
            }
            Repair::DisallowLaunch {
                location,
                ami,
                receivers,
            } => {
                let reason = format!("launch permissions of {ami} in {location} are left over");
                let grants = launch_grants(&ami, receivers);
                let action = Action::DisallowLaunch { grants };
                launch_steps(&ami, &reason, (StepName::DisallowLaunch, location, action))
            }
            Repair::PublishShared {
                location,
                image,
                env,
                pointer,
                ami,
                previous,
            } => {
                let source = Location {
                    account: None,
                    region: location.region.clone(),
                };
                let tag_steps = self.tag_steps.get(&(source, image)).into_iter().flatten();
                let needs = tag_steps.chain(self.launch_steps.get(&ami)).cloned();
                let reason = format!("{pointer} in {location} does not match the tags");
                let scope = Scope::of_pointer(&pointer).at(&location);
                let action = Action::PublishShared {
                    env,
                    pointer,
                    ami: AmiRef::Known(ami),
                    previous,
                    launch: false,
                };
                let actions = vec![(StepName::PublishShared, location, action)];
                step_chain(&scope, &reason, needs.collect(), actions)
            }
            _ => Vec::new(),
        }
    }
}

fn launch_grants(ami: &AmiId, receivers: Receivers) -> Vec<LaunchGrant> {
    let grant = |(env, to)| LaunchGrant {
        ami: AmiRef::Known(ami.clone()),
        env,
        to,
    };
    receivers.into_iter().map(grant).collect()
}

/// Returns the step that changes the launch permissions of an AMI.
fn launch_steps(
    ami: &AmiId,
    reason: &str,
    (name, location, action): (StepName, Location, Action),
) -> Vec<Step> {
    let scope = Scope::of_ami(ami).at(&location);
    step_chain(&scope, reason, Vec::new(), vec![(name, location, action)])
}
