//! Owns the control language: what a control says, what to collect for it, and how to judge what came back.

mod blob;
mod collect;
mod command;
mod draft;
mod facts;
mod file;
mod frames;
mod inventory;
mod matcher;
mod package;
mod property;
mod raw;
mod raw_expect;
mod service;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use blob::Blob;
pub use collect::{CollectOptions, collector, sh_quote};
pub use command::Command;
pub use facts::{CommandFact, Facts, FileFact, Identity, PackageRow, Read, Stat, Unit};
pub use file::File;
pub use frames::{CollectError, parse};
pub use inventory::Inventory;
pub use matcher::Matcher;
pub use package::Package;
pub use property::Property;
pub use raw::{Problem, RawCheck, RawCommand, RawFile, RawPackage, RawService};
pub use raw_expect::{RawExpect, RawMatcher, RawScalar};
pub use service::Service;
pub use verdict::{Finding, Outcome, Summary, Verdict, judge, summary};

/// When a control is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Inside the Packer build, before the AMI exists.
    Build,
    /// On a fresh instance of the finished AMI.
    Boot,
}

impl Phase {
    /// The word in YAML.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Boot => "boot",
        }
    }
}

/// One control: what is expected of one resource.
///
/// Its JSON is handed to other processes and digested, so it is part of the recorded shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Unique within an image's controls.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How bad it is when it fails, 0.0 to 1.0.
    pub impact: f64,
    /// When it is judged; never empty.
    pub phases: BTreeSet<Phase>,
    /// What is looked at.
    pub resource: Resource,
    /// What is expected of it; never empty.
    pub expect: BTreeMap<Property, Matcher>,
}

/// What a control looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Anything at a path.
    File(File),
    /// A package of the platform's package manager.
    Package(Package),
    /// A unit of the service manager.
    Service(Service),
    /// What a shell command answers.
    Command(Command),
}

/// The SHA-256, in hex, of the controls: of each one's id and digest, ordered by id.
///
/// It changes when any control changes, and neither with the order of keys in YAML nor with the order of controls.
#[must_use]
pub fn digest(controls: &[&Control]) -> String {
    combined(&controls.iter().map(|c| (c.id.clone(), digest_of(c))).collect())
}

/// Each control's id with its own digest.
#[must_use]
pub fn digests(controls: &[Control]) -> BTreeMap<String, String> {
    controls.iter().map(|c| (c.id.clone(), digest_of(c))).collect()
}

/// One digest out of those of [`digests`].
#[must_use]
pub fn combined(digests: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (id, digest) in digests {
        for text in [id, digest] {
            hasher.update(text.len().to_be_bytes());
            hasher.update(text.as_bytes());
        }
    }
    format!("{:x}", hasher.finalize())
}

/// The SHA-256 of a control's canonical JSON: keys sorted, no white space.
fn digest_of(control: &Control) -> String {
    // A control has no map with keys other than text and no number that JSON can't hold (impact is 0.0 to 1.0).
    let value = serde_json::to_value(control).unwrap_or_else(|e| serde_json::Value::String(e.to_string()));
    let mut text = String::new();
    canonical(&value, &mut text);
    format!("{:x}", Sha256::digest(text))
}

fn canonical(value: &serde_json::Value, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests;
