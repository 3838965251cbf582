//! Decides a rollback: the version that an environment goes back to, in all of its locations.

use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, current, level, locations, lookup, tags};
use crate::model::{EnvName, Inventory, Location, State, Version};

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
    /// Newest version that is no longer current.
    pub from: Version,
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

/// Decides a rollback of `image` in `env`. The target is `wanted`, or the newest released version
/// before the current one that reached `env` and exists at every location. A repeated rollback
/// never goes further back: it completes an interrupted one, and changes nothing after a complete
/// one.
///
/// # Errors
/// The reason why the rollback has no target version.
pub fn decide_rollback<'a>(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'a>],
    (image, env): (&Image, &EnvName),
    wanted: Option<Version>,
) -> Result<RollbackDecision<'a>, String> {
    let settings = &catalog.settings;
    let Some((level, at)) = settings
        .environment_level(env)
        .zip(settings.environments.iter().find(|e| e.name == *env))
    else {
        return Err(format!("unknown environment `{env}`"));
    };
    let everywhere = locations::in_environment(settings, at, &inventory.account);
    let everywhere: Vec<Location> = everywhere
        .into_iter()
        .filter(|p| locations::unreachable_reason(inventory, p).is_none())
        .collect();
    let mut own: Vec<Record<'a>> = records
        .iter()
        .filter(|r| r.image == image.name && r.arch == image.arch)
        .cloned()
        .collect();
    own.sort_by_key(|r| r.version);
    let here = |location: &Location| locations::records_at(&own, location, &inventory.account);
    let now: Vec<Version> = everywhere
        .iter()
        .filter_map(|p| {
            lookup::find_current(&here(p), &image.name, env, image.arch).map(|r| r.version)
        })
        .collect();
    let Some((&newest, &oldest)) = now.iter().max().zip(now.iter().min()) else {
        return Err(format!("nothing of `{}` is current in `{env}`", image.name));
    };
    let reached_env =
        |r: &&Record<'_>| level::reached_level(settings, r).is_some_and(|reached| reached >= level);
    let everywhere_is = |v: Version| {
        everywhere.iter().all(|p| {
            here(p)
                .iter()
                .filter(reached_env)
                .any(|r| r.version == v && r.is_usable())
        })
    };
    let to = match wanted {
        Some(version) => check_requested(&own, image, env, version, everywhere_is(version))?,
        None if (oldest != newest || is_interrupted(&own, env, oldest))
            && everywhere_is(oldest) =>
        {
            oldest
        }
        None => {
            let home = locations::records_at(&own, &locations::home(settings), &inventory.account);
            if let Some(from) = rolled_back_from(&home, env, oldest) {
                let why = format!(
                    "`{env}` was rolled back from {from} already; name an earlier version with --to"
                );
                return Ok(RollbackDecision::Keep(oldest, why));
            }
            let before = home
                .iter()
                .filter(|r| r.version < newest && r.state == State::Released)
                .filter(reached_env);
            let found = before
                .map(|r| r.version)
                .filter(|v| everywhere_is(*v))
                .max();
            found.ok_or_else(|| {
                format!(
                    "no released version of `{}` before {newest} reached `{env}` at all its locations",
                    image.name
                )
            })?
        }
    };
    let returns: Vec<LocationRollback<'a>> = everywhere
        .iter()
        .filter_map(|location| {
            let here = here(location);
            let target = here
                .iter()
                .find(|r| r.version == to && r.is_usable())?
                .clone();
            let from: Vec<Record<'a>> = here
                .into_iter()
                .filter(|r| r.version != to && r.current.contains_key(env))
                .collect();
            let done = from.is_empty() && target.current.contains_key(env);
            (!done).then(|| LocationRollback {
                location: location.clone(),
                to: target,
                from,
            })
        })
        .collect();
    let from = returns
        .iter()
        .flat_map(|r| &r.from)
        .map(|r| r.version)
        .max()
        .unwrap_or(newest);
    Ok(match returns.is_empty() {
        true => RollbackDecision::Keep(to, format!("already current in `{env}`")),
        false => RollbackDecision::Move(RollbackMove {
            to,
            from,
            locations: returns,
        }),
    })
}

/// Returns whether a rollback to `version` was interrupted: a newer version is still tagged as
/// current.
fn is_interrupted(own: &[Record<'_>], env: &EnvName, version: Version) -> bool {
    own.iter()
        .any(|r| r.version > version && r.current.contains_key(env))
}

/// Returns the version that `env` was rolled back from when `version` became current.
fn rolled_back_from(home: &[Record<'_>], env: &EnvName, version: Version) -> Option<Version> {
    let since = home
        .iter()
        .find(|r| r.version == version)?
        .current
        .get(env)?;
    let left = |r: &&Record<'_>| current::parse(r.tag(tags::ROLLED_BACK)).get(env) == Some(since);
    home.iter().filter(left).map(|r| r.version).max()
}

fn check_requested(
    own: &[Record<'_>],
    image: &Image,
    env: &EnvName,
    version: Version,
    ok: bool,
) -> Result<Version, String> {
    let Some(record) = own.iter().find(|r| r.version == version) else {
        return Err(format!("`{}` has no version {version}", image.name));
    };
    match record.state {
        State::Released if ok => Ok(version),
        State::Released => Err(format!(
            "version {version} of `{}` has not reached `{env}` at all its locations",
            image.name
        )),
        state => Err(format!(
            "version {version} of `{}` is {}",
            image.name,
            state.as_str()
        )),
    }
}
