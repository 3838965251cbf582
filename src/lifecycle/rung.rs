//! Owns how high a version has climbed: the rung that its environment tag names.

use crate::catalog::Settings;
use crate::lifecycle::Record;
use crate::lifecycle::current::Current;

/// The rung that an AMI has reached and still holds; none below the lowest.
#[must_use]
pub fn reached(settings: &Settings, record: &Record<'_>) -> Option<usize> {
    let value = record.tag(&settings.environment_key);
    settings
        .environments
        .iter()
        .position(|e| e.tag_value == value)
}

/// The tag's value for a rung; empty below the lowest.
#[must_use]
pub fn value(settings: &Settings, rung: Option<usize>) -> String {
    rung.and_then(|r| settings.environments.get(r))
        .map_or_else(String::new, |e| e.tag_value.clone())
}

/// The highest rung among the environments where an AMI is current.
#[must_use]
pub fn highest(settings: &Settings, current: &Current) -> Option<usize> {
    current.keys().filter_map(|env| settings.rung(env)).max()
}

/// The rung a version keeps when it is taken back from `rung`: the one below, unless it is current on a higher one.
#[must_use]
pub fn fallen(settings: &Settings, record: &Record<'_>, rung: usize) -> Option<usize> {
    let mut left = record.current.clone();
    if let Some(env) = settings.environments.get(rung) {
        left.remove(&env.name);
    }
    let below = rung
        .checked_sub(1)
        .and_then(|below| reached(settings, record).map(|r| r.min(below)));
    highest(settings, &left).max(below)
}
