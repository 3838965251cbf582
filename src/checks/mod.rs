//! Owns the control language: what a control says, what to collect for it, and how to judge what came back.

mod blob;
mod collect;
mod control;
mod draft;
mod draft_expect;
mod expression;
mod facts;
mod finding;
mod frames;
mod gate;
mod given;
mod grammar;
mod input;
mod inventory;
mod judge;
mod kind;
mod matcher;
mod observed;
mod open;
mod pattern;
mod pointed;
mod problem;
mod reference;
mod resource;
mod schema;
mod seal;
mod system;
mod taken;
mod tree;
mod value;
mod verdict;
mod view;
mod wording;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use blob::Blob;
pub use collect::{CollectOptions, collector, sh_quote};
pub use control::{Control, Expectation, Expected, Group, IfAbsent, Input, Item, Mode, Origin};
pub use draft::{Around, read};
pub use facts::{Facts, Identity, Read, Reading};
pub use frames::{CollectError, parse};
pub use gate::{Counts, Gate, Status, Waiver};
pub use given::{Given, collected, given};
pub use input::{InputRules, WrittenInput, inputs, no_input};
pub use inventory::Inventory;
pub use judge::judge;
pub use kind::Target;
pub use matcher::Matcher;
pub use problem::{Part, Problem};
pub use reference::reference;
pub use resource::file::{FileFact, Stat};
pub use schema::{WrittenCheck, WrittenOverride, WrittenUse};
pub use seal::unsealed;
pub use system::{Installed, System};
pub use taken::Taken;
pub use tree::Tree;
pub use verdict::{Finding, Outcome, Summary, Verdict, summary};

/// Doors for fuzzing.
#[doc(hidden)]
pub mod fuzz {
    /// Reads any text as a configuration of the SSH server that every `Include` of it includes again.
    pub fn sshd_config(text: &str) {
        super::resource::sshd_config_fuzz(text);
    }
}

/// What facts say about the file at a path that was asked for.
#[must_use]
pub fn file_fact(facts: &Facts, path: &str) -> Option<FileFact> {
    resource::file::fact(facts, path)
}

/// The paths that facts say something about.
pub fn file_paths(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.asked("file")
}

/// When a control is judged.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
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

/// The SHA-256, in hex, of the controls: of each one's id and digest, ordered by id.
///
/// It changes when any control changes, and neither with the order of keys in YAML nor with the order of controls.
#[must_use]
pub fn digest(controls: &[&Control]) -> String {
    combined(
        &controls
            .iter()
            .map(|c| (c.id.clone(), digest_of(c)))
            .collect(),
    )
}

/// Each control's id with its own digest.
#[must_use]
pub fn digests<'a>(controls: impl IntoIterator<Item = &'a Control>) -> BTreeMap<String, String> {
    controls
        .into_iter()
        .map(|c| (c.id.clone(), digest_of(c)))
        .collect()
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
    let mut value =
        serde_json::to_value(control).unwrap_or_else(|e| serde_json::Value::String(e.to_string()));
    // A control that moved in its file, or whose failure somebody answers for, is the same control.
    value
        .as_object_mut()
        .map(|map| (map.remove("origin"), map.remove("waiver")));
    // Nor is a secret to be guessed from a digest.
    for (name, input) in control.inputs.iter().filter(|(_, input)| input.sensitive) {
        value["inputs"][name] =
            serde_json::json!({"sensitive": true, "choices": input.choices.len()});
    }
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
