//! Plans the steps that boot a released version without building: rechecks and update probes.

use super::planner::ReleasePlanner;
use super::steps::step_id;
use crate::catalog::Image;
use crate::lifecycle::{Record, tags};
use crate::model::{Inventory, RunId};
use crate::plan::step::{Action, AmiRef, Step};
use crate::plan::{Scope, StepName};

impl ReleasePlanner<'_> {
    /// Returns the steps that boot the version, judge it by the present controls, and record the
    /// result on it and its copies.
    pub(super) fn recheck_steps(
        &self,
        image: &Image,
        last: &Record<'_>,
        checks: &str,
        reason: &str,
    ) -> Vec<Step> {
        let name = &image.name;
        let check = Action::Recheck {
            image: name.clone(),
            version: last.version,
            instance: step_id(name, StepName::Boot),
        };
        let mut out = boot_steps(
            self.catalog,
            last,
            &self.request.run,
            (StepName::Check, check),
            reason,
        );
        let last_boot_step = out.last().map(|s| s.id.clone());
        for (number, record) in std::iter::once(last)
            .chain(self.index.copies(last))
            .enumerate()
        {
            let away = record.ami.owner != last.ami.owner;
            out.push(Step {
                id: step_id(
                    name,
                    if number == 0 {
                        StepName::Retag
                    } else {
                        StepName::RetagCopy(number + 1)
                    },
                ),
                scope: Scope::of_image(name),
                region: record.ami.region.clone(),
                account: away.then(|| record.ami.owner.clone()),
                needs: last_boot_step.iter().cloned().collect(),
                reason: reason.to_owned(),
                action: Action::Retag {
                    image: name.clone(),
                    version: record.version,
                    ami: record.ami.id.clone(),
                    before: record.tag(tags::CHECKS).to_owned(),
                    after: checks.to_owned(),
                    checked: capture_second(self.inventory),
                },
            });
        }
        out
    }
}

/// Returns the steps that boot a released version, run one step, and terminate the instance.
pub(crate) fn boot_steps(
    catalog: &crate::catalog::Catalog,
    record: &Record<'_>,
    run: &RunId,
    (verb, action): (StepName, Action),
    reason: &str,
) -> Vec<Step> {
    let image = &record.image;
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
                ami: AmiRef::Known(record.ami.id.clone()),
            },
        ),
        (verb, action),
        (
            StepName::Terminate,
            Action::Terminate {
                instance: step_id(image, StepName::Boot),
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
    let mut before = None;
    let step = |(verb, action): (StepName, Action)| {
        let needs = before.take().into_iter().collect();
        before = Some(step_id(image, verb));
        let region = catalog.settings.home().clone();
        let (id, scope, reason) = (
            step_id(image, verb),
            Scope::of_image(image),
            reason.to_owned(),
        );
        Step {
            id,
            scope,
            region,
            account: None,
            needs,
            reason,
            action,
        }
    };
    actions.into_iter().map(step).collect()
}

/// Returns the capture time of the facts in seconds, the precision of tags.
fn capture_second(inventory: &Inventory) -> crate::model::Timestamp {
    crate::model::Timestamp::from_second(inventory.captured_at.as_second())
        .unwrap_or(inventory.captured_at)
}
