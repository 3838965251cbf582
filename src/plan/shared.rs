//! Plans the launch permissions of shared environments, and the pointers of the accounts that launch
//! their AMIs.

use super::publish::step_chain;
use crate::catalog::{Environment, Settings};
use crate::lifecycle::{Record, grants, locations, lookup};
use crate::model::{AmiId, Arch, ImageName, Inventory, Location, pointer_name};
use crate::plan::step::{Action, AmiRef, LaunchGrant, Move, Step};
use crate::plan::{Scope, StepId, StepName};

/// Returns the launch permissions that a version needs in an environment at a location, or `None` if it
/// needs none there. `record` is the AMI, if it exists already.
pub(super) fn launch_grant(
    env: &Environment,
    location: &Location,
    own: &str,
    ami: &AmiRef,
) -> Option<LaunchGrant> {
    let to = grants::receivers_at(env, location, own);
    (!to.is_empty()).then(|| LaunchGrant {
        ami: ami.clone(),
        env: env.name.clone(),
        to,
    })
}

/// Returns the launch permissions that moves of existing AMIs need and that these do not have.
pub(super) fn missing_grants(
    settings: &Settings,
    location: &Location,
    own: &str,
    moves: &[Move],
    here: &[Record<'_>],
) -> Vec<LaunchGrant> {
    let missing = |one: &Move| {
        let env = settings.environment(&one.env)?;
        let grant = launch_grant(env, location, own, &one.to)?;
        let AmiRef::Known(id) = &one.to else {
            return Some(grant);
        };
        let record = here.iter().find(|record| record.ami.id == *id);
        let has_grant = record.is_some_and(|r| grants::is_granted(r, &one.env, &grant.to));
        (!has_grant).then_some(grant)
    };
    moves.iter().filter_map(missing).collect()
}

/// Pointers of one image in the accounts that launch the AMIs of a shared environment.
pub(super) struct SharedPointers<'p> {
    pub(super) settings: &'p Settings,
    pub(super) inventory: &'p Inventory,
    /// Records of all locations.
    pub(super) records: &'p [Record<'p>],
    pub(super) image: &'p ImageName,
    pub(super) arch: Arch,
    pub(super) env: &'p Environment,
    pub(super) reason: &'p str,
    /// True if a dry run of a launch comes first.
    pub(super) launch: bool,
    /// AMIs that no pointer may name. Without a current version, their pointers are deleted.
    pub(super) withdrawn: &'p [AmiId],
}

/// Value of a pointer after the other steps of a plan.
enum Target {
    Ami(AmiRef, Option<StepId>),
    Deleted(Option<StepId>),
}

impl SharedPointers<'_> {
    /// Returns the steps that make the pointers name the AMIs of the builder's account after the steps
    /// `planned`. Each account and Region is a scope of its own, so that its failure does not stop
    /// others.
    pub(super) fn steps(
        &self,
        planned: &[Step],
        scope_at: &dyn Fn(&Location) -> Scope,
    ) -> Vec<Step> {
        let mut out = Vec::new();
        for location in locations::receiving(self.env, &self.inventory.account) {
            let scope = scope_at(&location);
            let Some((name, needs, action)) = self.action(planned, &location) else {
                continue;
            };
            let reason = format!("{} in {location}", self.reason);
            out.extend(step_chain(
                &scope,
                &reason,
                needs,
                vec![(name, location, action)],
            ));
        }
        out
    }

    fn action(
        &self,
        planned: &[Step],
        location: &Location,
    ) -> Option<(StepName, Vec<StepId>, Action)> {
        let (name, env) = (&self.settings.name, &self.env.name);
        let pointer = pointer_name(name, self.image, env, self.arch);
        let source = Location {
            account: None,
            region: location.region.clone(),
        };
        let value = self.value(location, &pointer);
        let target = self.target(planned, &source, &pointer).or_else(|| {
            let is_withdrawn = value.as_ref().is_some_and(|id| self.withdrawn.contains(id));
            is_withdrawn.then_some(Target::Deleted(None))
        })?;
        if let Some(why) = locations::unreachable_reason(self.inventory, location) {
            let why = why.to_owned();
            return Some((StepName::Read, Vec::new(), Action::Unreachable { why }));
        }
        match target {
            Target::Ami(AmiRef::Known(id), _) if value.as_ref() == Some(&id) => None,
            Target::Ami(ami, needs) => {
                let action = Action::PublishShared {
                    env: env.clone(),
                    pointer,
                    ami,
                    previous: value,
                    launch: self.launch && self.env.launch.is_some(),
                };
                Some((StepName::PublishShared, needs.into_iter().collect(), action))
            }
            Target::Deleted(_) if value.is_none() => None,
            Target::Deleted(needs) => {
                let needs = needs.into_iter().collect();
                Some((StepName::Unpublish, needs, Action::Unpublish { pointer }))
            }
        }
    }

    /// Returns the AMI that is current at a location after the steps `planned`.
    fn target(&self, planned: &[Step], location: &Location, pointer: &str) -> Option<Target> {
        let here = |step: &&Step| step.account.is_none() && step.region == location.region;
        for step in planned.iter().filter(here) {
            let (moves, deleted): (&[Move], &[String]) = match &step.action {
                Action::MoveCurrent { moves } => (moves, &[]),
                Action::Withdraw {
                    moves, unpublish, ..
                } => (moves, unpublish),
                _ => continue,
            };
            if let Some(found) = moves.iter().find(|one| one.pointer == pointer) {
                return Some(Target::Ami(found.to.clone(), Some(step.id.clone())));
            }
            if deleted.iter().any(|name| name == pointer) {
                return Some(Target::Deleted(Some(step.id.clone())));
            }
        }
        let here = locations::records_at(self.records, location, &self.inventory.account);
        let current = lookup::find_current(&here, self.image, &self.env.name, self.arch)?;
        // Launch permissions may be granted by a step of this plan.
        let needs = planned.iter().find(|step| {
            matches!(&step.action, Action::AllowLaunch { grants }
                if grants.iter().any(|grant| grant.ami == AmiRef::Known(current.ami.id.clone())))
        });
        let needs = needs.map(|step| step.id.clone());
        Some(Target::Ami(AmiRef::Known(current.ami.id.clone()), needs))
    }

    fn value(&self, location: &Location, pointer: &str) -> Option<AmiId> {
        let mut parameters = self.inventory.parameters.iter();
        let found = parameters.find(|p| p.location == *location && p.name == pointer);
        found.map(|p| AmiId(p.value.clone()))
    }
}
