//! Owns what promotion means: may this version move up, and if not, every reason why.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Environment, Image};
use crate::lifecycle::{Record, lookup, rung};
use crate::model::{EnvName, ImageName, State, Timestamp, Version};

/// What is asked for, beside the image.
#[derive(Debug, Clone)]
pub struct Wish<'w> {
    /// The environment to move to.
    pub to: &'w EnvName,
    /// Now.
    pub now: Timestamp,
    /// What moves there in the same command; parents are decided before their children.
    pub moving: &'w BTreeSet<(ImageName, Version)>,
}

/// The decision about one image.
#[derive(Debug, Clone)]
pub enum Promotion<'r, 'a> {
    /// This version moves; the AMIs in `from` stop being current.
    Move {
        /// The version.
        record: &'r Record<'a>,
        /// What is current there now.
        from: Vec<&'r Record<'a>>,
    },
    /// It is there already.
    Already(&'r Record<'a>),
    /// It may not, and every reason why.
    Refused(Vec<String>),
}

/// Decides a promotion of what is current on the rung below, from the records at home.
///
/// # Errors
/// `Refused` for: unknown environments, the lowest rung, above the image's ceiling, nothing current below, not released,
/// not long enough below, a layer parent that is not there.
#[must_use]
pub fn promote<'r, 'a>(
    catalog: &Catalog,
    records: &'r [Record<'a>],
    image: &Image,
    wish: &Wish<'_>,
) -> Promotion<'r, 'a> {
    let settings = &catalog.settings;
    let to = wish.to;
    let refused = |why: String| Promotion::Refused(vec![why]);
    let Some(rung) = settings.rung(to) else {
        return refused(format!("there is no environment `{to}`"));
    };
    if rung == 0 {
        return refused(format!(
            "`{to}` is the lowest rung: a release gets there by itself"
        ));
    }
    if settings
        .rung(&image.environment)
        .is_some_and(|top| rung > top)
    {
        return refused(format!(
            "`{}` may not go above `{}` (see {})",
            image.name, image.environment, image.file
        ));
    }
    let below = &settings.environments[rung - 1];
    let Some(record) = lookup::current(records, &image.name, &below.name, image.arch) else {
        return refused(format!(
            "nothing of `{}` is current in `{}`; release it first",
            image.name, below.name
        ));
    };
    if record.current.contains_key(to)
        && lookup::current(records, &image.name, to, image.arch)
            .is_some_and(|c| c.ami.id == record.ami.id)
    {
        return Promotion::Already(record);
    }
    let reasons: Vec<String> = [
        state(record),
        soak(record, &settings.environments[rung], below, wish),
        parent(catalog, records, record, rung, wish),
    ]
    .into_iter()
    .flatten()
    .collect();
    if reasons.is_empty() {
        Promotion::Move {
            record,
            from: holders(records, record, to),
        }
    } else {
        Promotion::Refused(reasons)
    }
}

fn state(record: &Record<'_>) -> Option<String> {
    let (version, image) = (record.version, &record.image);
    match record.state {
        State::Released => None,
        State::Held => Some(format!(
            "version {version} of `{image}` is held (bakeline hold {image} {version} --release-hold)"
        )),
        other => Some(format!(
            "version {version} of `{image}` is {}",
            other.as_str()
        )),
    }
}

fn soak(
    record: &Record<'_>,
    to: &Environment,
    below: &Environment,
    wish: &Wish<'_>,
) -> Option<String> {
    let since = record.current.get(&below.name)?;
    let ready = *since + to.gates.soak;
    (wish.now < ready).then(|| {
        format!(
            "version {} has been current in `{}` since {since}, and `{}` asks for {:#}: not before {ready}",
            record.version, below.name, to.name, to.gates.soak
        )
    })
}

/// The exact version it is layered on must have got there, or be on its way in the same command.
fn parent(
    catalog: &Catalog,
    records: &[Record<'_>],
    record: &Record<'_>,
    rung: usize,
    wish: &Wish<'_>,
) -> Option<String> {
    let settings = &catalog.settings;
    let (image, version) = record.parent.as_ref()?;
    let there = |r: &&Record<'_>| {
        r.image == *image
            && r.version == *version
            && r.state == State::Released
            && rung::reached(settings, r).is_some_and(|reached| reached >= rung)
    };
    let open = !settings.environments[rung].gates.parent
        || records.iter().any(|r| there(&r))
        || wish.moving.contains(&(image.clone(), *version));
    (!open).then(|| {
        format!(
            "version {} is layered on {image}@{version}, which is not in `{}`; promote `{image}` first or together",
            record.version, wish.to
        )
    })
}

/// Every other AMI of the image that says it is current in `env`.
#[must_use]
pub fn holders<'r, 'a>(
    records: &'r [Record<'a>],
    to: &Record<'_>,
    env: &EnvName,
) -> Vec<&'r Record<'a>> {
    let same = |r: &&Record<'_>| r.image == to.image && r.arch == to.arch && r.ami.id != to.ami.id;
    records
        .iter()
        .filter(same)
        .filter(|r| r.current.contains_key(env))
        .collect()
}
