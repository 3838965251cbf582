//! Owns the plan of a sweep: one scope for each leftover, instances before what they hold.

use crate::lifecycle::sweep::Leftover;
use crate::model::{RunId, TemporaryKind, Timestamp};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Plan, Step, StepId};

/// The steps that remove what `leftovers` lets go; they are in the order of removal.
#[must_use]
pub fn plan(leftovers: &[Leftover], run: RunId, made: Timestamp) -> Plan {
    let going = || leftovers.iter().filter(|l| l.remove);
    let id = |l: &Leftover| StepId(format!("{}/sweep", l.thing.unique_name()));
    let steps = going()
        .map(|leftover| {
            let thing = &leftover.thing;
            // An instance in the same location may hold the group, the volume or the snapshot.
            let holds = |l: &&Leftover| {
                l.thing.kind == TemporaryKind::Instance
                    && (&l.thing.region, &l.thing.account) == (&thing.region, &thing.account)
            };
            let waits = matches!(
                thing.kind,
                TemporaryKind::SecurityGroup | TemporaryKind::Volume
            );
            Step {
                id: id(leftover),
                scope: thing.unique_name(),
                region: thing.region.clone(),
                account: thing.account.clone(),
                needs: if waits {
                    going().filter(holds).map(id).collect()
                } else {
                    Vec::new()
                },
                reason: leftover.because.clone(),
                action: Action::Sweep {
                    thing: thing.clone(),
                },
            }
        })
        .collect();
    Plan {
        schema: PLAN_SCHEMA,
        run,
        made,
        decisions: Vec::new(),
        steps,
    }
}
