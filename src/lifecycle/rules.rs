//! Implements the retention rules, one function for each. The documentation states the same rules
//! for users.

use std::collections::{BTreeMap, BTreeSet};

use super::retention::{LocationKey, RetentionRules, RuleResult, location_key};
use crate::lifecycle::{Record, tags};
use crate::model::{Arch, ImageName, Reference, State, Timestamp, Version, count};

/// Number of days for which a launch keeps an AMI.
const RECENT_DAYS: i64 = 7;
/// Launches within this time after creation are our own boot checks and builds of children. EC2
/// reports launches about a day late, so the source of a launch is not known more exactly.
const OWN_LAUNCH_HOURS: i64 = 1;

/// Versions that are counted together: location, image, architecture and environment level.
type VersionGroup<'r> = (LocationKey<'r>, &'r ImageName, Arch, Option<usize>);

/// Versions that the `newest` and `reserve` rules keep.
pub(super) struct CountedVersions<'r> {
    newest: BTreeMap<VersionGroup<'r>, BTreeSet<Version>>,
    reserve: BTreeMap<VersionGroup<'r>, BTreeSet<Version>>,
}

impl<'r> CountedVersions<'r> {
    /// Counts the versions of each image, location, architecture and environment level.
    pub(super) fn count(records: &'r [Record<'_>], rules: &RetentionRules<'_>) -> Self {
        let (mut newest, mut reserve) = (BTreeMap::new(), BTreeMap::new());
        for record in records.iter().filter(|r| r.is_usable()) {
            let level = rules.level(record);
            add_version(&mut newest, version_group(record, level), record.version);
            if record.state == State::Released {
                (1..=level.unwrap_or(0)).for_each(|at| {
                    add_version(
                        &mut reserve,
                        version_group(record, Some(at)),
                        record.version,
                    )
                });
            }
        }
        let retention = |level: Option<usize>| {
            level.map_or(&rules.default_retention, |at| &rules.environments[at].1)
        };
        newest
            .iter_mut()
            .for_each(|(g, versions)| keep_newest(versions, retention(g.3).keep));
        reserve
            .iter_mut()
            .for_each(|(g, versions)| keep_newest(versions, retention(g.3).reserve));
        Self { newest, reserve }
    }
}

fn version_group<'r>(record: &'r Record<'_>, level: Option<usize>) -> VersionGroup<'r> {
    (location_key(record), &record.image, record.arch, level)
}

fn add_version<'r>(
    counted: &mut BTreeMap<VersionGroup<'r>, BTreeSet<Version>>,
    group: VersionGroup<'r>,
    version: Version,
) {
    counted.entry(group).or_default().insert(version);
}

/// Removes all but the newest `keep` versions.
fn keep_newest(versions: &mut BTreeSet<Version>, keep: u32) {
    while versions.len() > usize::try_from(keep).unwrap_or(usize::MAX) {
        versions.pop_first();
    }
}

/// Applies every rule that considers a single AMI.
pub(super) fn apply_rules(
    record: &Record<'_>,
    rules: &RetentionRules<'_>,
    counted: &CountedVersions<'_>,
    references: &[&Reference],
) -> Vec<RuleResult> {
    let mut out = Vec::new();
    if !is_retired(record, rules) {
        out.extend([
            current_rule(record),
            newest_rule(record, rules, counted),
            age_rule(record, rules),
            reserve_rule(record, rules, counted),
            orphan_rule(record, rules),
        ]);
    }
    out.extend([
        state_rule(record),
        reference_rule(record, rules, references),
        launch_rule(record, rules),
        protection_rule(record),
    ]);
    out
}

/// Returns the result of a rule that keeps an AMI.
pub(super) fn kept(rule: &str, reason: String) -> RuleResult {
    RuleResult {
        rule: rule.to_owned(),
        keep: true,
        reason,
    }
}

/// Returns the result of a rule that does not keep an AMI.
pub(super) fn not_kept(rule: &str, reason: impl Into<String>) -> RuleResult {
    RuleResult {
        rule: rule.to_owned(),
        keep: false,
        reason: reason.into(),
    }
}

fn current_rule(record: &Record<'_>) -> RuleResult {
    // An invalid tag keeps the AMI, because the AMI may be current.
    let tag = record.tag(tags::CURRENT).trim();
    if !tag.is_empty() && tag.split_whitespace().count() != record.current.len() {
        return kept(
            "current",
            format!("invalid tag `{}`: {tag:?}", tags::CURRENT),
        );
    }
    if record.current.is_empty() {
        return not_kept("current", "not current");
    }
    let envs: Vec<&str> = record.current.keys().map(|e| e.as_str()).collect();
    kept("current", format!("current in {}", envs.join(", ")))
}

fn newest_rule(
    record: &Record<'_>,
    rules: &RetentionRules<'_>,
    counted: &CountedVersions<'_>,
) -> RuleResult {
    let level = rules.level(record);
    let keep = rules.retention(record).keep;
    let env = level.map_or("none", |at| rules.environments[at].0);
    let group = version_group(record, level);
    let is_newest = counted
        .newest
        .get(&group)
        .is_some_and(|versions| versions.contains(&record.version));
    let reason = match (record.state, keep) {
        _ if record.is_usable() && is_newest => {
            return kept("newest", format!("among the newest {keep} of level {env}"));
        }
        (State::Retiring, _) => "already retiring".to_owned(),
        (state, _) if !record.is_usable() => state.as_str().to_owned(),
        (_, 0) if level.unwrap_or(0) > 0 => format!("not in the rollback reserve of {env}"),
        (_, 0) => format!("no version of level {env} is kept"),
        _ => format!("not among the newest {keep} of level {env}"),
    };
    not_kept("newest", reason)
}

/// Reason of the age rule if the retention settings have no minimum age.
pub(super) const NO_MINIMUM_AGE: &str = "no minimum age";

fn age_rule(record: &Record<'_>, rules: &RetentionRules<'_>) -> RuleResult {
    let days = i64::from(rules.retention(record).days);
    let text = count(usize::try_from(days).unwrap_or(0), "day");
    let age = age_in_days(record.version, rules.now);
    if days == 0 {
        not_kept("young", NO_MINIMUM_AGE)
    } else if record.is_usable() && age.is_some_and(|age| age < days) {
        kept("young", format!("younger than {text}"))
    } else {
        not_kept("young", format!("at least {text} old"))
    }
}

/// Returns the days from the day of a version to today, both in UTC. Returns none if the version
/// has no valid date.
fn age_in_days(version: Version, now: Timestamp) -> Option<i64> {
    let part = |value: u32| i8::try_from(value).ok();
    let year = i16::try_from(version.day / 10_000).ok()?;
    let month = part(version.day / 100 % 100)?;
    let day = jiff::civil::Date::new(year, month, part(version.day % 100)?).ok()?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    Some(today.duration_since(day).as_hours() / 24)
}

fn reserve_rule(
    record: &Record<'_>,
    rules: &RetentionRules<'_>,
    counted: &CountedVersions<'_>,
) -> RuleResult {
    let reserved_at = (1..rules.environments.len()).rev().find(|at| {
        let reached = rules.level(record).is_some_and(|level| level >= *at);
        let versions = counted.reserve.get(&version_group(record, Some(*at)));
        reached
            && record.is_usable()
            && record.state == State::Released
            && versions.is_some_and(|v| v.contains(&record.version))
    });
    let Some(level) = reserved_at else {
        return not_kept("reserve", "not in the rollback reserve");
    };
    let (env, retention) = &rules.environments[level];
    let reason = format!(
        "among the newest {} that reached {env} (rollback reserve)",
        retention.reserve
    );
    kept("reserve", reason)
}

/// Returns whether the AMI belongs to an image that is being retired.
fn is_retired(record: &Record<'_>, rules: &RetentionRules<'_>) -> bool {
    let retired = rules.retired_images;
    retired.is_some_and(|images| images.contains(&record.image))
}

fn orphan_rule(record: &Record<'_>, rules: &RetentionRules<'_>) -> RuleResult {
    let image = &record.image;
    if rules.images.contains(image) || record.state == State::Retiring {
        return not_kept("orphaned", "in the catalog");
    }
    kept(
        "orphaned",
        format!("not in the catalog (run `bakeline retire {image}`)"),
    )
}

fn state_rule(record: &Record<'_>) -> RuleResult {
    let (state, status) = (record.state, record.ami.status.as_str());
    let enabled_again = || record.tag(tags::RETIRING).contains("disable=");
    let reason = match (state, status) {
        (State::Candidate, _) => "candidate AMI (handled by sweep)".to_owned(),
        (State::Retiring, "available") if enabled_again() => {
            format!(
                "enabled again, but not by bakeline (run `bakeline restore {}`)",
                record.ami.id
            )
        }
        (State::Retiring, "disabled") | (_, "available") => {
            return not_kept("unfinished", "ready to use");
        }
        (_, "disabled") => "disabled, but not by bakeline".to_owned(),
        (_, other) => format!("AMI state is {other}"),
    };
    kept("unfinished", reason)
}

fn reference_rule(
    record: &Record<'_>,
    rules: &RetentionRules<'_>,
    references: &[&Reference],
) -> RuleResult {
    let pointers = format!("/bakeline/{}/{}/", rules.catalog, record.image.published());
    let is_own_pointer = |r: &Reference| {
        is_retired(record, rules)
            && r.kind == "parameter"
            && r.referrer.starts_with(&pointers)
            && r.referrer.contains(&format!("/{}", record.arch))
    };
    let referrers: Vec<String> = references
        .iter()
        .filter(|r| r.kind != SHARED && !is_own_pointer(r))
        .map(|r| format!("{} {}", r.kind, r.referrer))
        .collect();
    if referrers.is_empty()
        && let Some(account) = rules.unread_account(record)
    {
        let region = &record.ami.region;
        let reason = format!("references in account {account}, {region}, could not be read");
        return kept("referenced", reason);
    }
    if referrers.is_empty() {
        return not_kept("referenced", "not referenced");
    }
    kept("referenced", format!("used by {}", referrers.join(", ")))
}

/// Kind of reference for a launch permission.
pub const SHARED: &str = "shared-with";

fn launch_rule(record: &Record<'_>, rules: &RetentionRules<'_>) -> RuleResult {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let not_launched = || {
        not_kept(
            "launched",
            format!("not launched in the last {RECENT_DAYS} days"),
        )
    };
    let Some(text) = record.ami.last_launched.as_deref() else {
        return not_launched();
    };
    // An invalid time keeps the AMI.
    let Some(last) = time(text) else {
        return kept(
            "launched",
            format!("invalid time of the last launch: {text:?}"),
        );
    };
    let is_own_launch = time(&record.ami.created)
        .is_some_and(|created| last.as_second() - created.as_second() <= OWN_LAUNCH_HOURS * 3600);
    if is_own_launch || rules.now.as_second() - last.as_second() >= RECENT_DAYS * 86_400 {
        return not_launched();
    }
    kept("launched", format!("launched {last}"))
}

fn protection_rule(record: &Record<'_>) -> RuleResult {
    if record.ami.protected {
        kept("protected", "protected from deregistration".to_owned())
    } else {
        not_kept("protected", "not protected")
    }
}

/// Returns the accounts with which an AMI is shared, or `all`. Excludes those whose use of the AMI is
/// among the references.
pub(super) fn shared_accounts(
    record: &Record<'_>,
    rules: &RetentionRules<'_>,
    references: &[&Reference],
) -> Option<String> {
    let mut accounts: Vec<&str> = references
        .iter()
        .filter(|r| r.kind == SHARED && !rules.is_read(record, &r.referrer))
        .map(|r| r.referrer.as_str())
        .collect();
    if record.ami.public && !accounts.contains(&"all") {
        accounts.insert(0, "all");
    }
    (!accounts.is_empty()).then(|| accounts.join(", "))
}
