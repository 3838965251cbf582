//! Owns the `command` resource: what a shell command of the image's author answers inside the image.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::collect::{hex, sh_quote};
use super::facts::Facts;
use super::frames::Frame;
use super::matcher::Value;
use super::verdict::Observed;
use super::{Control, Property, Resource};

/// A command to run; it runs in the image only, never where bakeline runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// For `sh -c`.
    pub run: String,
    /// Seconds after which it is ended.
    pub timeout: u32,
}

pub(crate) fn requests(due: &[&Control], out: &mut String) {
    let mut wanted: BTreeMap<&str, u32> = BTreeMap::new();
    for control in due {
        if let Resource::Command(command) = &control.resource {
            let seconds = wanted.entry(&command.run).or_default();
            *seconds = command.timeout.max(*seconds);
        }
    }
    for (run, seconds) in wanted {
        let _ = writeln!(out, "command_ {} {seconds} {}", hex(run.as_bytes()), sh_quote(run));
    }
}

pub(crate) fn absorb(facts: &mut Facts, frame: &Frame) {
    let fact = facts.commands.entry(frame.key.clone()).or_default();
    match frame.kind.as_str() {
        "exit" => {
            fact.timed_out = frame.flags.contains('T');
            fact.exit_status = (frame.flags == "-").then_some(frame.rc);
        }
        "out" => fact.stdout = Some(frame.blob(false)),
        _ => fact.stderr = Some(frame.blob(false)),
    }
}

impl Command {
    pub(crate) fn observe(&self, property: Property, facts: &Facts) -> Observed {
        if facts.identity.directory {
            return Observed::Skipped("commands can't be run in a directory".to_owned());
        }
        let Some(fact) = facts.commands.get(&self.run) else { return Observed::uncollected() };
        let Some(status) = fact.exit_status else {
            return Observed::Unknown(if fact.timed_out {
                format!("it was ended after {} s", self.timeout)
            } else {
                "it did not end by itself".to_owned()
            });
        };
        let blob = match property {
            Property::ExitStatus => return Observed::Value(Value::Number(i64::from(status))),
            Property::Stdout => &fact.stdout,
            Property::Stderr => &fact.stderr,
            _ => return Observed::Unknown("it is not a property of a command".to_owned()),
        };
        blob.as_ref().map_or_else(Observed::uncollected, Observed::blob)
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
