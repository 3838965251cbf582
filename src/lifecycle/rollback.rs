//! Decides a rollback: the version that an environment goes back to, in all of its locations.

use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, current, locations, lookup, rung, tags};
use crate::model::{EnvName, Inventory, Location, State, Version};

/// What happens at one location.
#[derive(Debug, Clone)]
pub struct Return<'a> {
    /// Where.
    pub location: Location,
    /// The version that becomes current again.
    pub to: Record<'a>,
    /// The versions that are taken back.
    pub from: Vec<Record<'a>>,
}

/// The decision about one environment.
#[derive(Debug, Clone)]
pub struct Rollback<'a> {
    /// The version that becomes current.
    pub to: Version,
    /// The newest version that is taken back.
    pub from: Version,
    /// What happens where; locations that are there already are left out.
    pub returns: Vec<Return<'a>>,
}

/// What a rollback does.
#[derive(Debug, Clone)]
pub enum Choice<'a> {
    /// Locations move to another version.
    Move(Rollback<'a>),
    /// This version is and stays current, with the reason.
    Keep(Version, String),
}

/// Decides a rollback of `image` in `env`: to `wanted`, or to the newest released version before the current one that
/// reached `env` and exists in every location. A repeated rollback never goes further back: if an earlier one was
/// interrupted, it is completed, and if it was completed, nothing changes.
///
/// # Errors
/// The reason why there is no version to go back to.
pub fn rollback<'a>(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'a>],
    (image, env): (&Image, &EnvName),
    wanted: Option<Version>,
) -> Result<Choice<'a>, String> {
    let settings = &catalog.settings;
    let Some((rung, at)) = settings
        .rung(env)
        .zip(settings.environments.iter().find(|e| e.name == *env))
    else {
        return Err(format!("there is no environment `{env}`"));
    };
    let everywhere = locations::of(settings, at, &inventory.account);
    let everywhere: Vec<Location> = everywhere
        .into_iter()
        .filter(|p| locations::unread(inventory, p).is_none())
        .collect();
    let mut own: Vec<Record<'a>> = records
        .iter()
        .filter(|r| r.image == image.name && r.arch == image.arch)
        .cloned()
        .collect();
    own.sort_by_key(|r| r.version);
    let here = |location: &Location| locations::at(&own, location, &inventory.account);
    let now: Vec<Version> = everywhere
        .iter()
        .filter_map(|p| lookup::current(&here(p), &image.name, env, image.arch).map(|r| r.version))
        .collect();
    let Some((&newest, &oldest)) = now.iter().max().zip(now.iter().min()) else {
        return Err(format!("nothing of `{}` is current in `{env}`", image.name));
    };
    let got_there =
        |r: &&Record<'_>| rung::reached(settings, r).is_some_and(|reached| reached >= rung);
    let everywhere_is = |v: Version| {
        everywhere.iter().all(|p| {
            here(p)
                .iter()
                .filter(got_there)
                .any(|r| r.version == v && r.usable())
        })
    };
    let to = match wanted {
        Some(version) => asked(&own, image, env, version, everywhere_is(version))?,
        None if (oldest != newest || is_interrupted(&own, env, oldest))
            && everywhere_is(oldest) =>
        {
            oldest
        }
        None => {
            let home = locations::at(&own, &locations::home(settings), &inventory.account);
            if let Some(from) = rolled_back_from(&home, env, oldest) {
                let why = format!(
                    "`{env}` was rolled back from {from} already; name an earlier version with --to"
                );
                return Ok(Choice::Keep(oldest, why));
            }
            let before = home
                .iter()
                .filter(|r| r.version < newest && r.state == State::Released)
                .filter(got_there);
            let found = before
                .map(|r| r.version)
                .filter(|v| everywhere_is(*v))
                .max();
            found.ok_or_else(|| {
                format!(
                    "no released version of `{}` before {newest} reached `{env}` at all its places",
                    image.name
                )
            })?
        }
    };
    let returns: Vec<Return<'a>> = everywhere
        .iter()
        .filter_map(|location| {
            let here = here(location);
            let target = here.iter().find(|r| r.version == to && r.usable())?.clone();
            let from: Vec<Record<'a>> = here
                .into_iter()
                .filter(|r| r.version != to && r.current.contains_key(env))
                .collect();
            let done = from.is_empty() && target.current.contains_key(env);
            (!done).then(|| Return {
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
        true => Choice::Keep(to, format!("already current in `{env}`")),
        false => Choice::Move(Rollback { to, from, returns }),
    })
}

/// Returns whether a newer version is still tagged as current: a rollback to `version` was interrupted.
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

fn asked(
    own: &[Record<'_>],
    image: &Image,
    env: &EnvName,
    version: Version,
    ok: bool,
) -> Result<Version, String> {
    let Some(record) = own.iter().find(|r| r.version == version) else {
        return Err(format!("there is no version {version} of `{}`", image.name));
    };
    match record.state {
        State::Released if ok => Ok(version),
        State::Released => Err(format!(
            "version {version} of `{}` has not reached `{env}` at all its places",
            image.name
        )),
        state => Err(format!(
            "version {version} of `{}` is {}",
            image.name,
            state.as_str()
        )),
    }
}
