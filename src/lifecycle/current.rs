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
}
