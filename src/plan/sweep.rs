//! Plans a sweep: one scope for each leftover, instances before the resources that they use.

use crate::lifecycle::sweep::Leftover;
use crate::model::{RunId, TemporaryKind, Timestamp};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Plan, Step};
use crate::plan::{Scope, StepId, StepName};

/// Returns the steps that remove leftovers, in the order of removal.
#[must_use]
pub fn plan_sweep(leftovers: &[Leftover], run: RunId, decided_at: Timestamp) -> Plan {
    let removed = || leftovers.iter().filter(|l| l.remove);
    let id = |l: &Leftover| StepId::new(Scope::of_leftover(&l.resource), StepName::Sweep);
    let steps = removed()
        .map(|leftover| {
            let resource = &leftover.resource;
            // An instance at the same location may use the group, volume or snapshot.
            let may_use = |l: &&Leftover| {
                l.resource.kind == TemporaryKind::Instance
                    && (&l.resource.region, &l.resource.account)
                        == (&resource.region, &resource.account)
            };
            let waits = matches!(
                resource.kind,
                TemporaryKind::SecurityGroup | TemporaryKind::Volume
            );
            Step {
                id: id(leftover),
                scope: Scope::of_leftover(resource),
                region: resource.region.clone(),
                account: resource.account.clone(),
                needs: if waits {
                    removed().filter(may_use).map(id).collect()
                } else {
                    Vec::new()
                },
                reason: leftover.reason.clone(),
                action: Action::Sweep {
                    resource: resource.clone(),
                },
            }
        })
        .collect();
    Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at,
        decisions: Vec::new(),
        steps,
    }
}
