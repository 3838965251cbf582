//! Owns the `service` resource: a systemd unit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::collect::sh_quote;
use super::facts::{Facts, Read, Unit};
use super::frames::{Frame, asked_and_answer};
use super::matcher::Value;
use super::verdict::Observed;
use super::{Control, Property, Resource};

/// A unit to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// As written; without a suffix it is a `.service`.
    pub name: String,
}

/// The unit states for which `systemctl is-enabled` answers yes (exit status 0), from the table in systemctl(1).
const ENABLED: &[&str] = &["enabled", "enabled-runtime", "static", "alias", "indirect", "generated"];

/// The active states that `systemctl is-active` takes for running, and a reload in progress.
const RUNNING: &[&str] = &["active", "reloading", "refreshing"];

const SUFFIXES: &[&str] =
    &[".service", ".socket", ".timer", ".target", ".mount", ".path", ".slice", ".automount", ".swap"];

/// systemd.unit(5): what a unit name is made of. A glob is none, and a leading `-` would be an option.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 255 || name.starts_with('-') {
        return Err("a unit's name has 1 to 255 characters and can't start with `-`".to_owned());
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || ":-_.\\@".contains(*c))) {
        Some(c) => Err(format!("`{}` can't be in a unit's name", c.escape_default())),
        None => Ok(()),
    }
}

impl Service {
    fn unit(&self) -> String {
        if SUFFIXES.iter().any(|s| self.name.ends_with(s)) {
            self.name.clone()
        } else {
            format!("{}.service", self.name)
        }
    }

    pub(crate) fn observe(&self, property: Property, facts: &Facts) -> Observed {
        if facts.identity.directory {
            return Observed::Skipped("a directory has no service manager".to_owned());
        }
        if property == Property::Running && !facts.identity.service_manager {
            return Observed::Skipped("no service manager is running".to_owned());
        }
        let unit = match &facts.services {
            Some(Read::Present(map)) => map.get(&self.unit()),
            Some(Read::Unreadable(why)) => return Observed::Unknown(why.clone()),
            Some(Read::Absent) | None => None,
        };
        let Some(unit) = unit else { return Observed::uncollected() };
        if let Some(why) = &unit.problem {
            return Observed::Unknown(why.clone());
        }
        let missing = unit.file == "not-found" || unit.load == "not-found";
        let (yes, how) = match property {
            Property::Enabled => (ENABLED.contains(&unit.file.as_str()), &unit.file),
            Property::Running => (RUNNING.contains(&unit.active.as_str()), &unit.active),
            _ => return Observed::Unknown("it is not a property of a service".to_owned()),
        };
        if how.is_empty() && !missing {
            return Observed::Unknown("systemctl told no state".to_owned());
        }
        Observed::Value(Value::Bool(yes, if missing { "there is no such unit".to_owned() } else { how.clone() }))
    }
}

pub(crate) fn requests(due: &[&Control], out: &mut String) {
    let units: BTreeSet<String> = due
        .iter()
        .filter_map(|c| if let Resource::Service(service) = &c.resource { Some(service.unit()) } else { None })
        .collect();
    if !units.is_empty() {
        let words: Vec<String> = units.iter().map(|unit| sh_quote(unit)).collect();
        let _ = writeln!(out, "services {}", words.join(" "));
    }
}

/// Blocks of `Name=value` lines in the order of the units asked for, with an empty line between two.
pub(crate) fn absorb(frame: &Frame) -> Read<BTreeMap<String, Unit>> {
    frame.read(|frame| {
        let text = frame.text();
        let (asked, answer) = asked_and_answer(&text);
        let blocks: Vec<Unit> = answer.split("\n\n").filter(|b| !b.trim().is_empty()).map(block).collect();
        if blocks.len() != asked.len() {
            let said = answer.lines().next().unwrap_or_default();
            return Err(format!(
                "systemctl answered for {} of {} units: {}",
                blocks.len(),
                asked.len(),
                super::facts::brief(said.as_bytes())
            ));
        }
        Ok(asked.into_iter().map(str::to_owned).zip(blocks).collect())
    })
}

fn block(text: &str) -> Unit {
    let mut unit = Unit::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match name {
            "LoadState" => value.clone_into(&mut unit.load),
            "ActiveState" => value.clone_into(&mut unit.active),
            "UnitFileState" => value.clone_into(&mut unit.file),
            "Problem" => unit.problem = Some(super::facts::brief(value.as_bytes())),
            _ => {}
        }
    }
    unit
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
