//! Owns the text of the `bakeline:current` tag: `Test=2026-11-22T12:00:00Z Prod=…`, ordered by environment.

use std::collections::BTreeMap;

use crate::model::{EnvName, Timestamp};

/// The environments where an AMI is current, with since when.
pub type Current = BTreeMap<EnvName, Timestamp>;

/// Reads the tag; entries that are not understood are left out.
#[must_use]
pub fn parse(text: &str) -> Current {
    text.split_whitespace()
        .filter_map(|entry| entry.split_once('='))
        .filter_map(|(env, since)| Some((EnvName::from(env), since.parse().ok()?)))
        .collect()
}

/// Writes the tag.
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
    fn round_trips_and_skips_what_it_does_not_know() {
        let text = "Prod=2026-11-22T12:00:00Z Test=2026-11-23T12:00:00Z";
        assert_eq!(format(&parse(text)), text);
        assert_eq!(
            format(&parse("Prod rubbish=yes  Test=2026-11-23T12:00:00Z")),
            "Test=2026-11-23T12:00:00Z"
        );
        assert_eq!(format(&parse("")), "");
    }
}
