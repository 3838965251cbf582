//! Owns the plan of a hold and of its release: one tag at every location where the version exists.

use super::publish::{row, scope};
use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, locations, tags};
use crate::model::{AmiId, Inventory, RunId, State, Tags, Version};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, Decision, Plan, Verdict};

/// Decides that a version may not be promoted any more, or (`release`) that it may again.
#[must_use]
pub fn plan(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &Image,
    version: Version,
    release: bool,
    run: RunId,
) -> Plan {
    let all = Record::all(&inventory.images, &catalog.settings.name);
    let own: Vec<&Record<'_>> = all
        .iter()
        .filter(|r| r.image == image.name && r.arch == image.arch && r.version == version)
        .collect();
    let (from, to) = if release {
        (State::Held, State::Released)
    } else {
        (State::Released, State::Held)
    };
    let mut steps = Vec::new();
    let (verdict, reason) = if own.is_empty() {
        (
            Verdict::Blocked,
            format!("there is no version {version} of `{}`", image.name),
        )
    } else if let Some(other) = own.iter().find(|r| r.state != from && r.state != to) {
        (
            Verdict::Blocked,
            format!(
                "version {version} is {} in {}",
                other.state.as_str(),
                other.ami.region
            ),
        )
    } else if own.iter().all(|r| r.state == to) && inventory.unread.is_empty() {
        (
            Verdict::Keep,
            format!("version {version} is {} already", to.as_str()),
        )
    } else {
        let reason = if release {
            "may be promoted again"
        } else {
            "may not be promoted any more"
        };
        let reason = format!("version {version} {reason}");
        for location in locations::all(&catalog.settings, &inventory.account) {
            let name = scope(image.name.as_str(), &location, catalog);
            let here = own.iter().filter(|r| {
                r.state == from && locations::of_ami(r.ami, &inventory.account) == location
            });
            let here: Vec<AmiId> = here.map(|r| r.ami.id.clone()).collect();
            let action = match locations::unread(inventory, &location) {
                Some(why) => (
                    "read",
                    Action::Unread {
                        why: why.to_owned(),
                    },
                ),
                None if here.is_empty() => continue,
                None => ("hold", mark(here, from, to)),
            };
            steps.extend(row(
                &name,
                &reason,
                Vec::new(),
                vec![(action.0, location, action.1)],
            ));
        }
        (Verdict::Hold, reason)
    };
    let ami = own.iter().find(|r| {
        locations::of_ami(r.ami, &inventory.account) == locations::home(&catalog.settings)
    });
    let decision = Decision {
        image: image.name.clone(),
        verdict,
        reasons: vec![reason],
        version: Some(version),
        base: None,
        base_because: None,
        ami: ami.map(|r| r.ami.id.clone()),
    };
    Plan {
        schema: PLAN_SCHEMA,
        run,
        made: inventory.taken,
        decisions: vec![decision],
        steps,
    }
}

/// One call that moves AMIs from one state to another.
pub(super) fn mark(amis: Vec<AmiId>, from: State, to: State) -> Action {
    let state = |s: State| Tags::from([(tags::STATE.to_owned(), s.as_str().to_owned())]);
    Action::Mark {
        amis,
        before: state(from),
        tags: state(to),
    }
}
