//! Describes a run in the store: its command, its machine, its options and the catalog that it read.
//! `bakeline runs` shows it, and a run continues only with the same options and catalog.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::EnvName;

/// Version of this format.
pub const RUN_SCHEMA: u32 = 1;

/// Description of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDescription {
    /// Version of this format.
    pub schema: u32,
    /// Command, such as `release`.
    pub command: String,
    /// Version of bakeline.
    pub version: String,
    /// Environments whose locks the run holds, lowest first.
    pub locks: Vec<EnvName>,
    /// Maximum number of parallel scopes, except those of further locations.
    pub jobs: usize,
    /// Maximum number of parallel scopes of further locations.
    pub location_jobs: usize,
    /// True if a failed scope stops the others.
    pub stop_on_failure: bool,
    /// True if failed resources are kept for inspection.
    pub keep_failed: bool,
    /// Host of the run.
    pub host: String,
    /// URL of the CI job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Digest of each part of the catalog that the plan depends on.
    pub catalog: BTreeMap<String, String>,
}

impl RunDescription {
    /// Returns the parts of the catalog that differ from `now`.
    #[must_use]
    pub fn changed_parts(&self, now: &BTreeMap<String, String>) -> Vec<String> {
        let all = self.catalog.keys().chain(now.keys());
        let mut parts: Vec<String> = all
            .filter(|part| self.catalog.get(*part) != now.get(*part))
            .cloned()
            .collect();
        parts.sort();
        parts.dedup();
        parts
    }
}

/// Formats a description as JSON.
#[must_use]
pub fn format_description(description: &RunDescription) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(description).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Parses a description. Returns none for another format.
#[must_use]
pub fn parse_description(bytes: &[u8]) -> Option<RunDescription> {
    let description: RunDescription = serde_json::from_slice(bytes).ok()?;
    (description.schema == RUN_SCHEMA).then_some(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(catalog: &[(&str, &str)]) -> RunDescription {
        RunDescription {
            schema: RUN_SCHEMA,
            command: "promote".to_owned(),
            version: "0.1.0".to_owned(),
            locks: vec!["Test".into(), "Prod".into()],
            jobs: 16,
            location_jobs: 256,
            stop_on_failure: false,
            keep_failed: false,
            host: "builder".to_owned(),
            job: None,
            catalog: digests(catalog),
        }
    }

    fn digests(catalog: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(part, digest): &(&str, &str)| ((*part).to_owned(), (*digest).to_owned());
        catalog.iter().map(own).collect()
    }

    #[test]
    fn description_survives_a_round_trip_and_other_schemas_are_ignored() {
        let mut described = description(&[("web", "1")]);
        let text = format_description(&described);
        assert_eq!(parse_description(&text), Some(described.clone()));
        described.schema = RUN_SCHEMA + 1;
        assert_eq!(parse_description(&format_description(&described)), None);
        assert_eq!(parse_description(b"{"), None);
    }

    #[test]
    fn changed_new_and_removed_parts_are_named() {
        let before = description(&[("web", "1"), ("jdk", "1"), ("old", "1")]);
        let now = digests(&[("web", "2"), ("jdk", "1"), ("new", "1")]);
        assert_eq!(before.changed_parts(&now), ["new", "old", "web"]);
        assert!(before.changed_parts(&before.catalog).is_empty());
    }
}
