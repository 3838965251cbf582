//! Decides promotions and reports every reason that blocks one.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Environment, Image, format_duration};
use crate::lifecycle::{Record, level, lookup};
use crate::model::{EnvName, ImageName, State, Timestamp, Version};

/// Target and circumstances of a promotion.
#[derive(Debug, Clone)]
pub struct PromotionRequest<'w> {
    /// Environment to promote to.
    pub to: &'w EnvName,
    /// Time of the decision.
    pub now: Timestamp,
    /// Versions that the same command promotes. Parents are decided before their children.
    pub also_promoted: &'w BTreeSet<(ImageName, Version)>,
}

/// Decision about the promotion of one image.
#[derive(Debug, Clone)]
pub enum Promotion<'r, 'a> {
    /// The version becomes current, and the AMIs in `from` are no longer current.
    Move {
        /// Version to promote.
        record: &'r Record<'a>,
        /// AMIs that are current in the environment now.
        from: Vec<&'r Record<'a>>,
    },
    /// The version is current there already.
    AlreadyCurrent(&'r Record<'a>),
    /// The promotion is blocked, with every reason.
    Refused(Vec<String>),
}

/// Decides the promotion of the version that is current in the environment below, from the records
/// at home.
///
/// # Errors
/// The promotion is `Refused` if the environment is unknown, is the lowest one, or is above the
/// limit of the image. It is also refused if no version is current below, or if the version is not
/// released, has not soaked long enough, or has a parent that is not there.
#[must_use]
pub fn decide_promotion<'r, 'a>(
    catalog: &Catalog,
    records: &'r [Record<'a>],
    image: &Image,
    request: &PromotionRequest<'_>,
) -> Promotion<'r, 'a> {
    let settings = &catalog.settings;
    let to = request.to;
    let refused = |why: String| Promotion::Refused(vec![why]);
    let Some(level) = settings.environment_level(to) else {
        return refused(format!("unknown environment `{to}`"));
    };
    if level == 0 {
        return refused(format!(
            "`{to}` is the lowest environment: `bakeline release` publishes to it"
        ));
    }
    if settings
        .environment_level(&image.environment)
        .is_some_and(|top| level > top)
    {
        return refused(format!(
            "`{}` may not be promoted above `{}` (see {})",
            image.name, image.environment, image.file
        ));
    }
    let below = &settings.environments[level - 1];
    let Some(record) = lookup::find_current(records, &image.name, &below.name, image.arch) else {
        return refused(format!(
            "no version of `{}` is current in `{}`; release it first",
            image.name, below.name
        ));
    };
    if record.current.contains_key(to)
        && lookup::find_current(records, &image.name, to, image.arch)
            .is_some_and(|c| c.ami.id == record.ami.id)
    {
        return Promotion::AlreadyCurrent(record);
    }
    let reasons: Vec<String> = [
        state_objection(record),
        soak_objection(record, &settings.environments[level], below, request),
        parent_objection(catalog, records, record, level, request),
    ]
    .into_iter()
    .flatten()
    .collect();
    if reasons.is_empty() {
        Promotion::Move {
            record,
            from: other_current_records(records, record, to),
        }
    } else {
        Promotion::Refused(reasons)
    }
}

fn state_objection(record: &Record<'_>) -> Option<String> {
    let (version, image) = (record.version, &record.image);
    match record.state {
        State::Released => None,
        State::Held => Some(format!(
            "version {version} of `{image}` is held; if it may be promoted, run \
             `bakeline hold {image} {version} --release-hold`, otherwise build another version with \
             `bakeline release {image} --force`"
        )),
        other => Some(format!(
            "version {version} of `{image}` is {}",
            other.as_str()
        )),
    }
}

fn soak_objection(
    record: &Record<'_>,
    to: &Environment,
    below: &Environment,
    request: &PromotionRequest<'_>,
) -> Option<String> {
    let since = record.current.get(&below.name)?;
    let ready = *since + to.gates.soak;
    // Without a soak, the clock of the machine that released the version does not matter.
    (!to.gates.soak.is_zero() && request.now < ready).then(|| {
        format!(
            "version {} has been current in `{}` since {since}, and `{}` requires a soak of {}: not before {ready}",
            record.version, below.name, to.name, format_duration(to.gates.soak)
        )
    })
}

/// Checks that the parent version reached the environment, or is promoted by the same command.
fn parent_objection(
    catalog: &Catalog,
    records: &[Record<'_>],
    record: &Record<'_>,
    level: usize,
    request: &PromotionRequest<'_>,
) -> Option<String> {
    let settings = &catalog.settings;
    let (image, version) = record.parent.as_ref()?;
    let there = |r: &&Record<'_>| {
        r.image == *image
            && r.version == *version
            && r.state == State::Released
            && level::reached_level(settings, r).is_some_and(|reached| reached >= level)
    };
    let allowed = !settings.environments[level].gates.parent
        || records.iter().any(|r| there(&r))
        || request.also_promoted.contains(&(image.clone(), *version));
    (!allowed).then(|| {
        format!(
            "version {} is layered on {image}@{version}, which is not in `{}`; promote `{image}` first or together",
            record.version, request.to
        )
    })
}

/// Returns the other AMIs of the image that are tagged as current in `env`.
#[must_use]
pub fn other_current_records<'r, 'a>(
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
