//! Decides a rollback: the version that an environment goes back to, in all of its locations.

use crate::catalog::{Catalog, Image, Settings};
use crate::lifecycle::{Record, current, level, locations, lookup, tags};
use crate::model::{Arch, EnvName, ImageName, Inventory, Location, State, Version};

/// Rollback at one location.
#[derive(Debug, Clone)]
pub struct LocationRollback<'a> {
    /// Location of the AMIs.
    pub location: Location,
    /// The version that becomes current again.
    pub to: Record<'a>,
    /// Versions that are no longer current.
    pub from: Vec<Record<'a>>,
}

/// Rollback of one environment.
#[derive(Debug, Clone)]
pub struct RollbackMove<'a> {
    /// The version that becomes current.
    pub to: Version,
    /// Newest version that was current before; none if no version was current.
    pub from: Option<Version>,
    /// Changes by location, without locations that are already at the target version.
    pub locations: Vec<LocationRollback<'a>>,
}

/// Decision about a rollback.
#[derive(Debug, Clone)]
pub enum RollbackDecision<'a> {
    /// Locations move to another version.
    Move(RollbackMove<'a>),
    /// This version is and stays current, with the reason.
    Keep(Version, String),
}

/// Reason why a rollback has no target version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// Environment that the catalog does not define.
    #[error("unknown environment `{0}`")]
    UnknownEnvironment(EnvName),
    /// Environment without a current version, and without a version to return to.
    #[error(
        "no version of `{image}` is current in `{env}`, and no released version reached it in all its locations"
    )]
    NotCurrent {
        /// Name of the image.
        image: ImageName,
        /// Name of the environment.
        env: EnvName,
    },
    /// No earlier version that is usable everywhere.
    #[error(
        "no released version of `{image}` before {before} reached `{env}` in all its locations"
    )]
    NoEarlierVersion {
        /// Name of the image.
        image: ImageName,
        /// Name of the environment.
        env: EnvName,
        /// Newest current version.
        before: Version,
    },
    /// Requested version that does not exist.
    #[error("`{image}` has no version {version}")]
    UnknownVersion {
        /// Name of the image.
        image: ImageName,
        /// Requested version.
        version: Version,
    },
    /// Requested version that did not reach the environment.
    #[error("version {version} of `{image}` has not reached `{env}` in all its locations")]
    NotReached {
        /// Name of the image.
        image: ImageName,
        /// Name of the environment.
        env: EnvName,
        /// Requested version.
        version: Version,
    },
    /// Requested version that is not released.
    #[error("version {version} of `{image}` is {}", .state.as_str())]
    NotReleased {
        /// Name of the image.
        image: ImageName,
        /// Requested version.
        version: Version,
        /// State of the version.
        state: State,
    },
}

/// Decides a rollback of `image` in `env`. The target is `wanted`, or the newest released version
/// before the current one that reached `env` and exists at every location. If no version is current,
/// for example because its AMI was deregistered by hand, the target is the newest such version. A
/// repeated rollback never goes further back: it completes an interrupted one, and changes nothing
/// after a complete one.
///
/// # Errors
/// The reason why the rollback has no target version.
pub fn decide_rollback<'a>(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'a>],
    (image, env): (&Image, &EnvName),
    wanted: Option<Version>,
) -> Result<RollbackDecision<'a>, RollbackError> {
    let asked = (&image.name, image.arch);
    let versions = VersionsInEnvironment::new(&catalog.settings, inventory, records, asked, env)?;
    let current = versions.current_versions();
    let range = current
        .iter()
        .max()
        .copied()
        .zip(current.iter().min().copied());
    let to = match (wanted, range) {
        (Some(version), _) => versions.check_requested(version)?,
        (None, None) => versions
            .newest_reached(None)
            .ok_or_else(|| RollbackError::NotCurrent {
                image: image.name.clone(),
                env: env.clone(),
            })?,
        (None, Some((newest, oldest)))
            if (oldest != newest || versions.is_interrupted(oldest))
                && versions.is_everywhere(oldest) =>
        {
            oldest
        }
        (None, Some((newest, oldest))) => {
            if let Some(from) = versions.rolled_back_from(oldest) {
                let done = if from == oldest {
                    format!("`{env}` returned to {from}")
                } else {
                    format!("`{env}` was rolled back from {from}")
                };
                let why = format!("{done} already; name an earlier version with --to");
                return Ok(RollbackDecision::Keep(oldest, why));
            }
            versions.newest_reached(Some(newest)).ok_or_else(|| {
                RollbackError::NoEarlierVersion {
                    image: image.name.clone(),
                    env: env.clone(),
                    before: newest,
                }
            })?
        }
    };
    let locations = versions.location_rollbacks(to);
    if locations.is_empty() {
        let why = format!("already current in `{env}`");
        return Ok(RollbackDecision::Keep(to, why));
    }
    let from = locations.iter().flat_map(|r| &r.from).map(|r| r.version);
    Ok(RollbackDecision::Move(RollbackMove {
        to,
        from: from.max().or(range.map(|(newest, _)| newest)),
        locations,
    }))
}

/// Returns whether a rollback of an environment without a current version has a target.
#[must_use]
pub fn has_target(
    settings: &Settings,
    inventory: &Inventory,
    records: &[Record<'_>],
    asked: (&ImageName, Arch),
    env: &EnvName,
) -> bool {
    VersionsInEnvironment::new(settings, inventory, records, asked, env).is_ok_and(|versions| {
        versions.current_versions().is_empty() && versions.newest_reached(None).is_some()
    })
}

/// Versions of an image at the reachable locations of an environment.
struct VersionsInEnvironment<'r, 'a> {
    settings: &'r Settings,
    account: &'r str,
    image: &'r ImageName,
    arch: Arch,
    env: &'r EnvName,
    /// Level of the environment.
    level: usize,
    /// Reachable locations of the environment, home first.
    locations: Vec<Location>,
    /// Records of the image and its architecture, oldest first.
    records: Vec<Record<'a>>,
}

impl<'r, 'a> VersionsInEnvironment<'r, 'a> {
    fn new(
        settings: &'r Settings,
        inventory: &'r Inventory,
        records: &[Record<'a>],
        (image, arch): (&'r ImageName, Arch),
        env: &'r EnvName,
    ) -> Result<Self, RollbackError> {
        let (level, environment) = settings
            .environment_level(env)
            .zip(settings.environment(env))
            .ok_or_else(|| RollbackError::UnknownEnvironment(env.clone()))?;
        let mut locations = locations::in_environment(settings, environment, &inventory.account);
        locations.retain(|p| locations::unreachable_reason(inventory, p).is_none());
        let mut records: Vec<Record<'a>> = records
            .iter()
            .filter(|r| r.image == *image && r.arch == arch)
            .cloned()
            .collect();
        records.sort_by_key(|r| r.version);
        Ok(Self {
            settings,
            account: &inventory.account,
            image,
            arch,
            env,
            level,
            locations,
            records,
        })
    }

    fn records_at(&self, location: &Location) -> Vec<Record<'a>> {
        locations::records_at(&self.records, location, self.account)
    }

    /// Returns the current version of each location that has one.
    fn current_versions(&self) -> Vec<Version> {
        let current = |location| {
            let here = self.records_at(location);
            lookup::find_current(&here, self.image, self.env, self.arch).map(|r| r.version)
        };
        self.locations.iter().filter_map(current).collect()
    }

    fn has_reached(&self, record: &Record<'_>) -> bool {
        level::reached_level(self.settings, record).is_some_and(|reached| reached >= self.level)
    }

    /// Returns whether a version is usable at every location and reached the environment there.
    fn is_everywhere(&self, version: Version) -> bool {
        self.locations.iter().all(|location| {
            self.records_at(location)
                .iter()
                .any(|r| r.version == version && self.has_reached(r) && r.is_usable())
        })
    }

    /// Returns whether a rollback to `version` was interrupted: a newer version is still tagged as
    /// current.
    fn is_interrupted(&self, version: Version) -> bool {
        self.records
            .iter()
            .any(|r| r.version > version && r.current.contains_key(self.env))
    }

    /// Returns the version that the environment was rolled back from when `version` became current:
    /// `version` itself if the environment had no current version.
    fn rolled_back_from(&self, version: Version) -> Option<Version> {
        let home = self.records_at(&locations::home(self.settings));
        let since = home
            .iter()
            .find(|r| r.version == version)?
            .current
            .get(self.env)?;
        let left =
            |r: &&Record<'_>| current::parse(r.tag(tags::ROLLED_BACK)).get(self.env) == Some(since);
        home.iter().filter(left).map(|r| r.version).max()
    }

    /// Returns the newest released version that reached the environment and exists at every
    /// location; with `before` only an earlier one.
    fn newest_reached(&self, before: Option<Version>) -> Option<Version> {
        let home = self.records_at(&locations::home(self.settings));
        home.iter()
            .filter(|r| before.is_none_or(|before| r.version < before))
            .filter(|r| r.state == State::Released && self.has_reached(r))
            .map(|r| r.version)
            .filter(|v| self.is_everywhere(*v))
            .max()
    }

    /// Returns the requested version if it is released and usable at every location.
    fn check_requested(&self, version: Version) -> Result<Version, RollbackError> {
        let image = self.image.clone();
        match self.records.iter().find(|r| r.version == version) {
            None => Err(RollbackError::UnknownVersion { image, version }),
            Some(record) if record.state != State::Released => Err(RollbackError::NotReleased {
                image,
                version,
                state: record.state,
            }),
            Some(_) if self.is_everywhere(version) => Ok(version),
            Some(_) => Err(RollbackError::NotReached {
                image,
                env: self.env.clone(),
                version,
            }),
        }
    }

    /// Returns the changes that make `to` current, without locations that need none.
    fn location_rollbacks(&self, to: Version) -> Vec<LocationRollback<'a>> {
        let rollback = |location: &Location| {
            let here = self.records_at(location);
            let target = here
                .iter()
                .find(|r| r.version == to && r.is_usable())?
                .clone();
            let from: Vec<Record<'a>> = here
                .into_iter()
                .filter(|r| r.version != to && r.current.contains_key(self.env))
                .collect();
            let done = from.is_empty() && target.current.contains_key(self.env);
            (!done).then(|| LocationRollback {
                location: location.clone(),
                to: target,
                from,
            })
        };
        self.locations.iter().filter_map(rollback).collect()
    }
}
