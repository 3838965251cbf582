//! Owns the plan of a check by hand of an AMI: boot it, collect, end the instance; nothing of it stays and nothing is locked.

use crate::model::{AmiId, ImageName, Region, RunId, Timestamp};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Plan, Step, StepId};

/// How long an instance of it, its key and its group may be there: no collection takes longer than an hour.
pub const EXPIRES: jiff::SignedDuration = jiff::SignedDuration::from_hours(2);

/// The plan; `image` says whose controls are collected for, and names the scope.
#[must_use]
pub fn plan(image: &ImageName, ami: &AmiId, region: &Region, run: RunId, made: Timestamp) -> Plan {
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
    let mut before = None;
    let step = |(verb, action): (&str, Action)| {
        let needs = before.take().into_iter().collect();
        before = Some(id(verb));
        let (id, scope, region) = (id(verb), image.to_string(), region.clone());
        Step {
            id,
            scope,
            region,
            account: None,
            needs,
            reason: format!("a check of {ami} was asked for"),
            action,
        }
    };
    let steps = actions.into_iter().map(step).collect();
    Plan {
        schema: PLAN_SCHEMA,
        run,
        made,
        decisions: Vec::new(),
        steps,
    }
}
