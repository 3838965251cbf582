//! Plans the steps that publish a version to an environment at one location: copy, test launch,
//! move.

use super::shared::{self, SharedPointers};
use super::unusable_copy::UnusableCopyError;
use crate::catalog::{Catalog, Environment, Image};
use crate::lifecycle::{Record, current, grants, level, locations, tags};
use crate::model::{
    EnvName, ImageName, Inventory, Location, State, Tags, Timestamp, Version, pointer_name,
};
use crate::plan::step::{self, Action, AmiRef, LaunchGrant, Move, PreviousCurrent, Step};
use crate::plan::{Scope, StepId, StepName};

/// Publication of one version to an environment.
pub(super) struct Publication<'p> {
    pub(super) catalog: &'p Catalog,
    pub(super) inventory: &'p Inventory,
    /// Records of all locations.
    pub(super) records: &'p [Record<'p>],
    pub(super) image: &'p Image,
    pub(super) version: Version,
    pub(super) env: &'p Environment,
    /// AMI at home that copies are made from, and its name.
    pub(super) source: AmiRef,
    pub(super) name: String,
    pub(super) reason: String,
}

impl Publication<'_> {
    /// Returns the steps at a location. Empty if the version is current there.
    ///
    /// # Errors
    /// The copy at this location is not usable, and a publication cannot repair it.
    pub(super) fn steps_at(
        &self,
        location: &Location,
        needs: Vec<StepId>,
    ) -> Result<Vec<Step>, UnusableCopyError> {
        let scope = image_scope(&self.image.name, location, self.catalog);
        let own = &self.inventory.account;
        if let Some(why) = locations::unreachable_reason(self.inventory, location) {
            let action = Action::Unreachable {
                why: why.to_owned(),
            };
            return Ok(self.location_chain(
                &scope,
                location,
                needs,
                vec![(StepName::Read, location.clone(), action)],
            ));
        }
        let here = locations::records_at(self.records, location, own);
        let same = |r: &&Record<'_>| r.image == self.image.name && r.arch == self.image.arch;
        let found = here
            .iter()
            .filter(same)
            .find(|r| r.version == self.version && r.state != State::Candidate);
        let mut actions = Vec::new();
        let to = match found {
            Some(found) => {
                let others = here
                    .iter()
                    .filter(same)
                    .any(|r| r.ami.id != found.ami.id && r.current.contains_key(&self.env.name));
                let ami = AmiRef::Known(found.ami.id.clone());
                let is_current = found.current.contains_key(&self.env.name) && !others;
                if is_current && found.is_usable() && found.state == State::Held {
                    return Ok(Vec::new());
                }
                UnusableCopyError::require_usable(found, location)?;
                if is_current {
                    let actions = self.missing_grant(found, location, &ami);
                    return Ok(self.location_chain(&scope, location, needs, actions));
                }
                ami
            }
            None => {
                self.copy_actions(location, &mut actions);
                AmiRef::MadeBy(StepId::new(scope.clone(), StepName::Copy))
            }
        };
        let previous: Vec<&Record<'_>> = here
            .iter()
            .filter(same)
            .filter(|r| r.version != self.version && r.current.contains_key(&self.env.name))
            .collect();
        if let Some(grant) = shared::launch_grant(self.env, location, own, &to) {
            actions.push(allow_launch(location, vec![grant]));
        }
        // The accounts that launch a shared AMI test it themselves.
        if self.env.launch.is_some() && !self.env.is_shared() {
            actions.push((
                StepName::Launchable,
                location.clone(),
                Action::Launchable {
                    ami: to.clone(),
                    env: Some(self.env.name.clone()),
                },
            ));
        }
        let moves = vec![self.pointer_move(found, to, &previous)];
        actions.push((
            StepName::Promote,
            location.clone(),
            Action::MoveCurrent { moves },
        ));
        Ok(self.location_chain(&scope, location, needs, actions))
    }

    /// Returns the grant of launch permissions that a current version does not have.
    fn missing_grant(
        &self,
        found: &Record<'_>,
        location: &Location,
        ami: &AmiRef,
    ) -> Vec<(StepName, Location, Action)> {
        let grant = shared::launch_grant(self.env, location, &self.inventory.account, ami);
        let missing = grant.filter(|g| !grants::is_granted(found, &self.env.name, &g.to));
        let step = missing.map(|grant| allow_launch(location, vec![grant]));
        step.into_iter().collect()
    }

    /// Returns the steps that publish the version in the accounts that launch the AMIs of a shared
    /// environment, after the steps `planned`.
    pub(super) fn shared_pointers(&self, planned: &[Step]) -> Vec<Step> {
        let pointers = SharedPointers {
            settings: &self.catalog.settings,
            inventory: self.inventory,
            records: self.records,
            image: &self.image.name,
            arch: self.image.arch,
            env: self.env,
            reason: &self.reason,
            launch: true,
            withdrawn: &[],
        };
        pointers.steps(planned, &|location| {
            image_scope(&self.image.name, location, self.catalog)
        })
    }

    fn copy_actions(&self, location: &Location, actions: &mut Vec<(StepName, Location, Action)>) {
        let home = locations::home(&self.catalog.settings);
        let share = |account: &String| Action::Share {
            ami: self.source.clone(),
            account: account.clone(),
        };
        let unshare = |account: &String| Action::Unshare {
            ami: self.source.clone(),
            account: account.clone(),
        };
        actions.extend(
            location
                .account
                .as_ref()
                .map(|a| (StepName::Share, home.clone(), share(a))),
        );
        let (source, from) = (self.source.clone(), home.region.clone());
        actions.push((
            StepName::Copy,
            location.clone(),
            Action::Copy {
                source,
                from,
                name: self.name.clone(),
                kms_key: self
                    .catalog
                    .settings
                    .copy_key(self.env, location)
                    .map(str::to_owned),
            },
        ));
        actions.extend(
            location
                .account
                .as_ref()
                .map(|a| (StepName::Unshare, home.clone(), unshare(a))),
        );
    }

    fn pointer_move(
        &self,
        found: Option<&Record<'_>>,
        to: AmiRef,
        previous: &[&Record<'_>],
    ) -> Move {
        let settings = &self.catalog.settings;
        let env = &self.env.name;
        let holders_now = previous.iter().filter_map(|r| r.current.get(env).copied());
        let mut now = found.map(|r| r.current.clone()).unwrap_or_default();
        now.insert(
            env.clone(),
            later_than(self.inventory.captured_at, holders_now),
        );
        let reached = found
            .and_then(|r| level::reached_level(settings, r))
            .max(settings.environment_level(env));
        let mut tags = Tags::from([
            (tags::CURRENT.to_owned(), current::format(&now)),
            (
                settings.environment_key.clone(),
                level::tag_value(settings, reached),
            ),
        ]);
        let candidate =
            || Tags::from([(tags::STATE.to_owned(), State::Candidate.as_str().to_owned())]);
        if found.is_none() {
            tags.insert(tags::STATE.to_owned(), State::Released.as_str().to_owned());
        }
        Move {
            env: env.clone(),
            pointer: pointer_name(&settings.name, &self.image.name, env, self.image.arch),
            to,
            from: previous
                .iter()
                .map(|r| step::previous_current(r, env))
                .collect(),
            before: found.map_or_else(candidate, |r| decision_tags(r, &settings.environment_key)),
            tags,
            untag: found
                .is_none()
                .then(|| tags::EXPIRES.to_owned())
                .into_iter()
                .collect(),
        }
    }

    fn location_chain(
        &self,
        scope: &Scope,
        location: &Location,
        needs: Vec<StepId>,
        actions: Vec<(StepName, Location, Action)>,
    ) -> Vec<Step> {
        let home = *location == locations::home(&self.catalog.settings);
        let reason = if home {
            self.reason.clone()
        } else {
            format!("{} in {location}", self.reason)
        };
        step_chain(scope, &reason, needs, actions)
    }
}

/// Returns the step that grants launch permissions at a location.
pub(super) fn allow_launch(
    location: &Location,
    grants: Vec<LaunchGrant>,
) -> (StepName, Location, Action) {
    let action = Action::AllowLaunch { grants };
    (StepName::AllowLaunch, location.clone(), action)
}

/// Returns the scope of an image at a location. At home the scope names no location.
pub(super) fn image_scope(image: &ImageName, location: &Location, catalog: &Catalog) -> Scope {
    let scope = Scope::of_image(image);
    if *location == locations::home(&catalog.settings) {
        scope
    } else {
        scope.at(location)
    }
}

/// Returns steps of one scope that run one after the other.
pub(super) fn step_chain(
    scope: &Scope,
    reason: &str,
    needs: Vec<StepId>,
    actions: Vec<(StepName, Location, Action)>,
) -> Vec<Step> {
    let mut before = needs;
    actions
        .into_iter()
        .map(|(name, Location { account, region }, action)| {
            let id = StepId::new(scope.clone(), name);
            let needs = std::mem::replace(&mut before, vec![id.clone()]);
            Step {
                id,
                scope: scope.clone(),
                region,
                account,
                needs,
                reason: reason.to_owned(),
                action,
            }
        })
        .collect()
}

/// Returns a time later than all of these. If two AMIs are tagged as current, the later time wins.
pub(super) fn later_than(now: Timestamp, since: impl Iterator<Item = Timestamp>) -> Timestamp {
    let second = jiff::SignedDuration::from_secs(1);
    since
        .map(|s| s + second)
        .max()
        .map_or(now, |after| after.max(now))
}

/// Returns the tags that a decision about a record depends on. A missing tag has an empty value.
pub(super) fn decision_tags(record: &Record<'_>, environment_key: &str) -> Tags {
    let keys = [tags::STATE, tags::CURRENT, environment_key];
    keys.into_iter()
        .map(|key| (key.to_owned(), record.tag(key).to_owned()))
        .collect()
}

/// Returns the tags of a version before and after `env` is rolled back from it: held, not current
/// there, and lowered to the environment below. A revoked or retiring version keeps its stricter
/// state. `since` is the time at which the earlier version became current. A repeated rollback
/// recognizes itself by this time.
pub(super) fn rollback_tags(
    catalog: &Catalog,
    record: &Record<'_>,
    env: &EnvName,
    since: Timestamp,
) -> PreviousCurrent {
    let settings = &catalog.settings;
    let mut marks = current::parse(record.tag(tags::ROLLED_BACK));
    marks.insert(env.clone(), since);
    let mut remaining = record.current.clone();
    remaining.remove(env);
    let is_released = matches!(record.state, State::Released | State::Held);
    let lowered = settings
        .environment_level(env)
        .filter(|_| is_released)
        .and_then(|r| level::level_after_rollback(settings, record, r));
    let mut before = decision_tags(record, &settings.environment_key);
    before.insert(
        tags::ROLLED_BACK.to_owned(),
        record.tag(tags::ROLLED_BACK).to_owned(),
    );
    let mut after = Tags::from([
        (tags::ROLLED_BACK.to_owned(), current::format(&marks)),
        (tags::CURRENT.to_owned(), current::format(&remaining)),
        (
            settings.environment_key.clone(),
            level::tag_value(settings, lowered),
        ),
    ]);
    if is_released {
        after.insert(tags::STATE.to_owned(), State::Held.as_str().to_owned());
    }
    PreviousCurrent {
        ami: record.ami.id.clone(),
        before,
        after,
    }
}
