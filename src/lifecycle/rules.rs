//! Owns prune's rules, one function each; README.md states them for people, and a reference is written from that text.

use std::collections::{BTreeMap, BTreeSet};

use super::retain::{Answer, Location, Rules, location};
use crate::lifecycle::{Record, tags};
use crate::model::{Arch, ImageName, Reference, State, Timestamp, Version};

/// An AMI launched within this many days by somebody stays.
const LATELY_DAYS: i64 = 7;
/// Launches this soon after creation are our own boot check and the builds of children (EC2 reports launches about a
/// day late, so this can't be told more exactly).
const OWN_LAUNCH_HOURS: i64 = 1;

/// An image in a location, and the rung it is counted on.
type Group<'r> = (Location<'r>, &'r ImageName, Arch, Option<usize>);

/// The versions that counting keeps.
pub(super) struct Counted<'r> {
    newest: BTreeMap<Group<'r>, BTreeSet<Version>>,
    reserve: BTreeMap<Group<'r>, BTreeSet<Version>>,
}

impl<'r> Counted<'r> {
    /// Counts the versions of each image, location, architecture and rung.
    pub(super) fn of(records: &'r [Record<'_>], rules: &Rules<'_>) -> Self {
        let (mut newest, mut reserve) = (BTreeMap::new(), BTreeMap::new());
        for record in records.iter().filter(|r| r.usable()) {
            let rung = rules.rung(record);
            insert(&mut newest, group(record, rung), record.version);
            if record.state == State::Released {
                (1..=rung.unwrap_or(0))
                    .for_each(|at| insert(&mut reserve, group(record, Some(at)), record.version));
            }
        }
        let retention =
            |rung: Option<usize>| rung.map_or(&rules.otherwise, |at| &rules.ladder[at].1);
        newest
            .iter_mut()
            .for_each(|(g, versions)| cut(versions, retention(g.3).keep));
        reserve
            .iter_mut()
            .for_each(|(g, versions)| cut(versions, retention(g.3).reserve));
        Self { newest, reserve }
    }
}

fn group<'r>(record: &'r Record<'_>, rung: Option<usize>) -> Group<'r> {
    (location(record), &record.image, record.arch, rung)
}

fn insert<'r>(
    counted: &mut BTreeMap<Group<'r>, BTreeSet<Version>>,
    group: Group<'r>,
    version: Version,
) {
    counted.entry(group).or_default().insert(version);
}

/// Leaves the newest `keep`.
fn cut(versions: &mut BTreeSet<Version>, keep: u32) {
    while versions.len() > usize::try_from(keep).unwrap_or(usize::MAX) {
        versions.pop_first();
    }
}

/// Asks every rule that looks at one AMI.
pub(super) fn ask(
    record: &Record<'_>,
    rules: &Rules<'_>,
    counted: &Counted<'_>,
    refs: &[&Reference],
) -> Vec<Answer> {
    let mut out = Vec::new();
    if rules.leaving != Some(&record.image) {
        out.extend([
            current(record),
            newest(record, rules, counted),
            young(record, rules),
            reserve(record, rules, counted),
            known(record, rules),
        ]);
    }
    out.extend([
        finished(record),
        referenced(record, rules, refs),
        launched(record, rules),
        protected(record),
    ]);
    out
}

fn answer(rule: &str, keeps: bool, yes: impl FnOnce() -> String, no: impl Into<String>) -> Answer {
    Answer {
        rule: rule.to_owned(),
        keeps,
        because: if keeps { yes() } else { no.into() },
    }
}

fn current(record: &Record<'_>) -> Answer {
    // What can't be read protects: it may say that the AMI is current.
    let tag = record.tag(tags::CURRENT).trim();
    if !tag.is_empty() && tag.split_whitespace().count() != record.current.len() {
        return answer(
            "current",
            true,
            || format!("`{}` can't be read: {tag:?}", tags::CURRENT),
            "",
        );
    }
    let envs: Vec<&str> = record.current.keys().map(|e| e.as_str()).collect();
    answer(
        "current",
        !envs.is_empty(),
        || format!("current in {}", envs.join(", ")),
        "current nowhere",
    )
}

fn newest(record: &Record<'_>, rules: &Rules<'_>, counted: &Counted<'_>) -> Answer {
    let rung = rules.rung(record);
    let keep = rules.retention(record).keep;
    let location = rung.map_or("no environment", |at| rules.ladder[at].0);
    let keeps = record.usable()
        && counted
            .newest
            .get(&group(record, rung))
            .is_some_and(|versions| versions.contains(&record.version));
    let no = match (record.usable(), keep) {
        (false, _) => format!(
            "not counted: {}, {}",
            record.state.as_str(),
            record.ami.status
        ),
        (true, 0) => format!("only the reserve counts in {location}"),
        (true, _) => format!("not among the newest {keep} in {location}"),
    };
    answer(
        "newest",
        keeps,
        || format!("among the newest {keep} in {location}"),
        no,
    )
}

fn young(record: &Record<'_>, rules: &Rules<'_>) -> Answer {
    let days = i64::from(rules.retention(record).days);
    let age = age(record.version, rules.now);
    let keeps = days > 0 && record.usable() && age.is_some_and(|age| age < days);
    let no = if days == 0 {
        "age does not count".to_owned()
    } else {
        format!("not younger than {days} days")
    };
    answer("young", keeps, || format!("younger than {days} days"), no)
}

/// Days from a version's day to today, both UTC; none where the version's day is no date.
fn age(version: Version, now: Timestamp) -> Option<i64> {
    let part = |value: u32| i8::try_from(value).ok();
    let year = i16::try_from(version.day / 10_000).ok()?;
    let day = jiff::civil::Date::new(
        year,
        part(version.day / 100 % 100)?,
        part(version.day % 100)?,
    )
    .ok()?;
    Some(
        now.to_zoned(jiff::tz::TimeZone::UTC)
            .date()
            .duration_since(day)
            .as_hours()
            / 24,
    )
}

fn reserve(record: &Record<'_>, rules: &Rules<'_>, counted: &Counted<'_>) -> Answer {
    let kept = (1..rules.ladder.len()).rev().find(|at| {
        let reached = rules.rung(record).is_some_and(|rung| rung >= *at);
        let versions = counted.reserve.get(&group(record, Some(*at)));
        reached
            && record.usable()
            && record.state == State::Released
            && versions.is_some_and(|v| v.contains(&record.version))
    });
    let yes = || {
        let (name, retention) = &rules.ladder[kept.unwrap_or(0)];
        format!(
            "among the newest {} that reached {name} (rollback reserve)",
            retention.reserve
        )
    };
    answer(
        "reserve",
        kept.is_some(),
        yes,
        "not in the rollback reserve",
    )
}

fn known(record: &Record<'_>, rules: &Rules<'_>) -> Answer {
    let keeps = !rules.images.contains(&record.image) && record.state != State::Retiring;
    answer(
        "orphaned",
        keeps,
        || format!("not in the catalog: bakeline retire {}", record.image),
        "its image is wanted",
    )
}

fn finished(record: &Record<'_>) -> Answer {
    let (state, status) = (record.state, record.ami.status.as_str());
    let yes = match (state, status) {
        (State::Candidate, _) => Some("a candidate: not prune's business".to_owned()),
        (State::Retiring, "available") if record.tag(tags::RETIRING).contains("disable=") => {
            Some(format!(
                "enabled again by somebody: bakeline restore {}",
                record.ami.id
            ))
        }
        (State::Retiring, "disabled") | (_, "available") => None,
        (_, "disabled") => Some("disabled by somebody else than bakeline".to_owned()),
        (_, other) => Some(format!("{other}: not prune's business")),
    };
    answer(
        "finished",
        yes.is_some(),
        || yes.clone().unwrap_or_default(),
        "finished",
    )
}

fn referenced(record: &Record<'_>, rules: &Rules<'_>, references: &[&Reference]) -> Answer {
    let leaving = rules.leaving.filter(|image| **image == record.image);
    let pointers = leaving.map(|image| format!("/bakeline/{}/{image}/", rules.catalog));
    let own = |r: &Reference| {
        r.kind == "parameter" && pointers.as_ref().is_some_and(|p| r.by.starts_with(p))
    };
    let by: Vec<String> = references
        .iter()
        .filter(|r| r.kind != SHARED && !own(r))
        .map(|r| format!("{} {}", r.kind, r.by))
        .collect();
    answer(
        "referenced",
        !by.is_empty(),
        || format!("used by {}", by.join(", ")),
        "nothing refers to it",
    )
}

/// The kind of reference that is a launch permission.
pub const SHARED: &str = "shared-with";

fn launched(record: &Record<'_>, rules: &Rules<'_>) -> Answer {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let created = time(&record.ami.created);
    let last = record.ami.last_launched.as_deref().and_then(time);
    // What can't be read protects.
    if let (Some(text), None) = (&record.ami.last_launched, last) {
        return answer(
            "launched",
            true,
            || format!("launched at a time that can't be read: {text:?}"),
            "",
        );
    }
    let keeps = last.is_some_and(|last| {
        let ours =
            created.is_some_and(|c| last.as_second() - c.as_second() <= OWN_LAUNCH_HOURS * 3600);
        !ours && rules.now.as_second() - last.as_second() < LATELY_DAYS * 86_400
    });
    let yes = || {
        format!(
            "launched {}",
            last.map_or_else(String::new, |l| l.to_string())
        )
    };
    answer(
        "launched",
        keeps,
        yes,
        format!("not launched in the last {LATELY_DAYS} days"),
    )
}

fn protected(record: &Record<'_>) -> Answer {
    answer(
        "protected",
        record.ami.protected,
        || "protected from deregistration".to_owned(),
        "not protected",
    )
}

/// With whom an AMI is shared, if with anybody.
pub(super) fn shared(record: &Record<'_>, references: &[&Reference]) -> Option<String> {
    let mut with: Vec<&str> = references
        .iter()
        .filter(|r| r.kind == SHARED)
        .map(|r| r.by.as_str())
        .collect();
    if record.ami.public && !with.contains(&"all") {
        with.insert(0, "all");
    }
    (!with.is_empty()).then(|| with.join(", "))
}
