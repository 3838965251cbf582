//! Owns the row of steps that brings one version into an environment at one location: copy, try a launch, move.

use crate::catalog::{Catalog, Environment, Image};
use crate::lifecycle::{Record, current, locations, rung, tags};
use crate::model::{EnvName, Inventory, Location, State, Tags, Timestamp, Version, pointer_name};
use crate::plan::step::{self, Action, AmiRef, Holder, Move, Step, StepId};

/// One version on its way into an environment.
pub(super) struct Publication<'p> {
    pub(super) catalog: &'p Catalog,
    pub(super) inventory: &'p Inventory,
    /// The records of all locations.
    pub(super) records: &'p [Record<'p>],
    pub(super) image: &'p Image,
    pub(super) version: Version,
    pub(super) env: &'p Environment,
    /// The AMI at home that copies are made from, and its name.
    pub(super) source: AmiRef,
    pub(super) name: String,
    pub(super) reason: String,
}

impl Publication<'_> {
    /// The steps at a location; none when it is there already.
    ///
    /// # Errors
    /// The copy at this location is in a state that a publication can't mend.
    pub(super) fn at(&self, location: &Location, needs: Vec<StepId>) -> Result<Vec<Step>, String> {
        let scope = scope(&self.image.name.0, location, self.catalog);
        let own = &self.inventory.account;
        if let Some(why) = locations::unread(self.inventory, location) {
            let action = Action::Unread {
                why: why.to_owned(),
            };
            return Ok(self.row(
                &scope,
                location,
                needs,
                vec![("read", location.clone(), action)],
            ));
        }
        let here = locations::at(self.records, location, own);
        let same = |r: &&Record<'_>| r.image == self.image.name && r.arch == self.image.arch;
        let found = here
            .iter()
            .filter(same)
            .find(|r| r.version == self.version && r.state != State::Candidate);
        let mut actions = Vec::new();
        let to = match found {
            Some(found) if !found.usable() || found.state != State::Released => {
                let (state, status) = (found.state.as_str(), &found.ami.status);
                return Err(format!(
                    "its AMI {} in {location} is {state} and {status}: run `bakeline doctor`",
                    found.ami.id
                ));
            }
            Some(found) => {
                let others = here
                    .iter()
                    .filter(same)
                    .any(|r| r.ami.id != found.ami.id && r.current.contains_key(&self.env.name));
                if found.current.contains_key(&self.env.name) && !others {
                    return Ok(Vec::new());
                }
                AmiRef::Known(found.ami.id.clone())
            }
            None => {
                self.copy(location, &mut actions);
                AmiRef::MadeBy(StepId(format!("{scope}/copy")))
            }
        };
        let holders: Vec<&Record<'_>> = here
            .iter()
            .filter(same)
            .filter(|r| r.version != self.version && r.current.contains_key(&self.env.name))
            .collect();
        actions.push((
            "launchable",
            location.clone(),
            Action::Launchable { ami: to.clone() },
        ));
        let moves = vec![self.movement(found, to, &holders)];
        actions.push(("promote", location.clone(), Action::MoveCurrent { moves }));
        Ok(self.row(&scope, location, needs, actions))
    }

    fn copy(&self, location: &Location, actions: &mut Vec<(&'static str, Location, Action)>) {
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
                .map(|a| ("share", home.clone(), share(a))),
        );
        let (source, from) = (self.source.clone(), home.region.clone());
        actions.push((
            "copy",
            location.clone(),
            Action::Copy {
                source,
                from,
                name: self.name.clone(),
            },
        ));
        actions.extend(
            location
                .account
                .as_ref()
                .map(|a| ("unshare", home.clone(), unshare(a))),
        );
    }

    fn movement(&self, found: Option<&Record<'_>>, to: AmiRef, holders: &[&Record<'_>]) -> Move {
        let settings = &self.catalog.settings;
        let env = &self.env.name;
        let holders_now = holders.iter().filter_map(|r| r.current.get(env).copied());
        let mut now = found.map(|r| r.current.clone()).unwrap_or_default();
        now.insert(env.clone(), later(self.inventory.taken, holders_now));
        let climbed = found
            .and_then(|r| rung::reached(settings, r))
            .max(settings.rung(env));
        let mut tags = Tags::from([
            (tags::CURRENT.to_owned(), current::format(&now)),
            (
                settings.environment_key.clone(),
                rung::value(settings, climbed),
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
            from: holders.iter().map(|r| step::holder(r, env)).collect(),
            before: found.map_or_else(candidate, |r| before(r, &settings.environment_key)),
            tags,
            untag: found
                .is_none()
                .then(|| tags::EXPIRES.to_owned())
                .into_iter()
                .collect(),
        }
    }

    fn row(
        &self,
        scope: &str,
        location: &Location,
        needs: Vec<StepId>,
        actions: Vec<(&'static str, Location, Action)>,
    ) -> Vec<Step> {
        let home = *location == locations::home(&self.catalog.settings);
        let reason = if home {
            self.reason.clone()
        } else {
            format!("{} in {location}", self.reason)
        };
        row(scope, &reason, needs, actions)
    }
}

/// The scope of an image at a location: at home the image's name alone.
pub(super) fn scope(image: &str, location: &Location, catalog: &Catalog) -> String {
    if *location == locations::home(&catalog.settings) {
        image.to_owned()
    } else {
        format!("{image}@{location}")
    }
}

/// Steps one after the other in one scope.
pub(super) fn row(
    scope: &str,
    reason: &str,
    needs: Vec<StepId>,
    actions: Vec<(&'static str, Location, Action)>,
) -> Vec<Step> {
    let mut before = needs;
    actions
        .into_iter()
        .map(|(verb, Location { account, region }, action)| {
            let id = StepId(format!("{scope}/{verb}"));
            let needs = std::mem::replace(&mut before, vec![id.clone()]);
            Step {
                id,
                scope: scope.to_owned(),
                region,
                account,
                needs,
                reason: reason.to_owned(),
                action,
            }
        })
        .collect()
}

/// A time later than all of these: of two that say they are current, readers take the later.
pub(super) fn later(now: Timestamp, since: impl Iterator<Item = Timestamp>) -> Timestamp {
    let second = jiff::SignedDuration::from_secs(1);
    since
        .map(|s| s + second)
        .max()
        .map_or(now, |after| after.max(now))
}

/// The tags that a decision about a record rests on; none is an empty value.
pub(super) fn before(record: &Record<'_>, environment_key: &str) -> Tags {
    let keys = [tags::STATE, tags::CURRENT, environment_key];
    keys.into_iter()
        .map(|key| (key.to_owned(), record.tag(key).to_owned()))
        .collect()
}

/// Returns the tags of a version after `env` was rolled back from it: held, not current there, and lowered to the
/// environment below. A version that is neither released nor held keeps its state, which is stricter. `since` is the time
/// at which the version before became current: a repeated rollback recognizes itself by it.
pub(super) fn rolled_back(
    catalog: &Catalog,
    record: &Record<'_>,
    env: &EnvName,
    since: Timestamp,
) -> Holder {
    let settings = &catalog.settings;
    let mut marks = current::parse(record.tag(tags::ROLLED_BACK));
    marks.insert(env.clone(), since);
    let mut left = record.current.clone();
    left.remove(env);
    let good = matches!(record.state, State::Released | State::Held);
    let fallen = settings
        .rung(env)
        .filter(|_| good)
        .and_then(|r| rung::fallen(settings, record, r));
    let mut before = before(record, &settings.environment_key);
    before.insert(
        tags::ROLLED_BACK.to_owned(),
        record.tag(tags::ROLLED_BACK).to_owned(),
    );
    let mut after = Tags::from([
        (tags::ROLLED_BACK.to_owned(), current::format(&marks)),
        (tags::CURRENT.to_owned(), current::format(&left)),
        (
            settings.environment_key.clone(),
            rung::value(settings, fallen),
        ),
    ]);
    if good {
        after.insert(tags::STATE.to_owned(), State::Held.as_str().to_owned());
    }
    Holder {
        ami: record.ami.id.clone(),
        before,
        after,
    }
}
