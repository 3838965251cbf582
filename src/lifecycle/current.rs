//! Parses and formats the `bakeline:current` tag: `Test=2026-11-22T12:00:00Z Prod=…`.

use std::collections::BTreeMap;

use crate::model::{EnvName, Timestamp};

/// Environments in which an AMI is current, with the time since when.
pub type Current = BTreeMap<EnvName, Timestamp>;

/// Parses the tag. Entries that are not valid are skipped.
#[must_use]
pub fn parse(text: &str) -> Current {
    text.split_whitespace()
        .filter_map(|entry| entry.split_once('='))
        .filter_map(|(env, since)| Some((EnvName::from(env), since.parse().ok()?)))
        .collect()
}

/// Formats the tag, ordered by environment.
#[must_use]
pub fn format(current: &Current) -> String {
    current
        .iter()
        .map(|(env, since)| format!("{env}={since}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the tag with `time` for all environments that `before` has not with the same time, unless
/// their time is later.
#[must_use]
pub fn raise_new_times(text: &str, before: &str, time: Timestamp) -> String {
    let (mut all, before) = (parse(text), parse(before));
    for (env, since) in &mut all {
        if before.get(env) != Some(since) {
            *since = time.max(*since);
        }
    }
    format(&all)
}

/// Returns whether two tags contain the same environments, at any times.
#[must_use]
pub fn has_same_environments(one: &str, other: &str) -> bool {
    parse(one).into_keys().eq(parse(other).into_keys())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_tag_round_trips_and_skips_invalid_entries() {
        let text = "Prod=2026-11-22T12:00:00Z Test=2026-11-23T12:00:00Z";
        assert_eq!(format(&parse(text)), text);
        assert_eq!(
            format(&parse("Prod rubbish=yes  Test=2026-11-23T12:00:00Z")),
            "Test=2026-11-23T12:00:00Z"
        );
        assert_eq!(format(&parse("")), "");
    }

    #[test]
    fn only_new_and_earlier_times_are_raised() {
        let time = "2026-11-22T12:05:00Z".parse::<Timestamp>().expect("a time");
        let before = "B=2026-11-01T00:00:00Z";
        let planned = "A=2026-11-22T12:00:00Z B=2026-11-01T00:00:00Z C=2026-11-22T12:09:00Z";
        let actual = raise_new_times(planned, before, time);
        assert_eq!(
            actual,
            "A=2026-11-22T12:05:00Z B=2026-11-01T00:00:00Z C=2026-11-22T12:09:00Z"
        );
        assert!(has_same_environments(planned, &actual));
        assert!(!has_same_environments(planned, before));
    }
}
