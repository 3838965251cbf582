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

/// Returns the tag with the time `new` for all environments that have the time `old`.
#[must_use]
pub fn replace_time(text: &str, old: Timestamp, new: Timestamp) -> String {
    let mut all = parse(text);
    for since in all.values_mut().filter(|since| **since == old) {
        *since = new;
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
    fn time_is_replaced_in_all_environments_that_have_it() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let (old, new) = (time("2026-11-22T12:00:00Z"), time("2026-11-22T12:05:00Z"));
        let before = "A=2026-11-22T12:00:00Z B=2026-11-01T00:00:00Z C=2026-11-22T12:00:00Z";
        let after = replace_time(before, old, new);
        assert_eq!(
            after,
            "A=2026-11-22T12:05:00Z B=2026-11-01T00:00:00Z C=2026-11-22T12:05:00Z"
        );
        assert!(has_same_environments(before, &after));
        assert!(!has_same_environments(before, "A=2026-11-22T12:00:00Z"));
    }
}
