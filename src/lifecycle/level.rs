//! Determines the environment level that a version has reached.

use crate::catalog::Settings;
use crate::lifecycle::Record;
use crate::lifecycle::current::Current;

/// Position of an environment in the order of the catalog, lowest first.
pub type EnvironmentLevel = usize;

/// Returns the level that an AMI has reached, or none if its tag names no environment.
#[must_use]
pub fn reached_level(settings: &Settings, record: &Record<'_>) -> Option<EnvironmentLevel> {
    let value = record.tag(&settings.environment_key);
    settings
        .environments
        .iter()
        .position(|e| e.tag_value == value)
}

/// Returns the value of the environment tag for a level, or an empty text for none.
#[must_use]
pub fn tag_value(settings: &Settings, level: Option<EnvironmentLevel>) -> String {
    level
        .and_then(|r| settings.environments.get(r))
        .map_or_else(String::new, |e| e.tag_value.clone())
}

/// Returns the highest level at which an AMI is current.
#[must_use]
pub fn highest_current(settings: &Settings, current: &Current) -> Option<EnvironmentLevel> {
    current
        .keys()
        .filter_map(|env| settings.environment_level(env))
        .max()
}

/// Returns the level of a version after a rollback from `level`: the level below, unless it is
/// current at a higher one.
#[must_use]
pub fn level_after_rollback(
    settings: &Settings,
    record: &Record<'_>,
    level: EnvironmentLevel,
) -> Option<EnvironmentLevel> {
    let mut left = record.current.clone();
    if let Some(env) = settings.environments.get(level) {
        left.remove(&env.name);
    }
    let below = level
        .checked_sub(1)
        .and_then(|below| reached_level(settings, record).map(|r| r.min(below)));
    highest_current(settings, &left).max(below)
}
