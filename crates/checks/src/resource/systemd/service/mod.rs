//! The `service` resource: a systemd unit.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use crate::text::truncate_for_display;
use crate::text::{last_lines, sh_quote};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "service",
    "systemd unit. By default, it must be enabled and running. Judged in phase boot unless \
     `phase` is set.",
    Subject::new(
        "name",
        "Name of the unit. `.service` is added to a name without a suffix.",
        check_name,
    ),
    observe,
)
.with_properties(&[
    Property::new("exists", ValueType::Bool, "True if the unit exists.")
        .or(&["installed", "be_installed"]),
    Property::new("enabled", ValueType::Bool, "True if it starts at boot.").or(&["be_enabled"]),
    Property::new("masked", ValueType::Bool, "True if it is masked.").or(&["be_masked"]),
    Property::new("running", ValueType::Bool, "True if it is running.").or(&["be_running"]),
])
.with_defaults(&["enabled", "running"])
.with_presence("exists")
.with_phases(&[Phase::Boot])
.without_directories("a directory has no service manager")
.with_details(details)
.with_collection(
    concat!(
        include_str!("../../process/redact.sh"),
        include_str!("../service.sh")
    ),
    requests,
);

/// Unit file states for which `systemctl is-enabled` exits with status 0 (table in systemctl(1)).
const ENABLED: &[&str] = &[
    "enabled",
    "enabled-runtime",
    "static",
    "alias",
    "indirect",
    "generated",
];

/// Active states for which `systemctl is-active` exits with status 0, and a reload in progress.
const RUNNING: &[&str] = &["active", "reloading", "refreshing"];

const SUFFIXES: &[&str] = &[
    ".service",
    ".socket",
    ".timer",
    ".target",
    ".mount",
    ".path",
    ".slice",
    ".automount",
    ".swap",
];

/// Checks a unit name (systemd.unit(5)). A glob is not a unit name, and a leading `-` would be an
/// option.
pub(super) fn check_name(name: &str) -> Result<(), InvalidValue> {
    let help = "use a unit's name, such as `nginx` or `apt-daily.timer`";
    if name.is_empty() || name.len() > 255 || name.starts_with('-') {
        return Err(InvalidValue::new(
            "a unit's name has 1 to 255 characters and can't start with `-`",
            help,
        ));
    }
    match name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || ":-_.\\@".contains(*c)))
    {
        Some(c) => Err(InvalidValue::new(
            format!("`{}` can't be in a unit's name", c.escape_default()),
            help,
        )),
        None => Ok(()),
    }
}

pub(super) fn unit_name(name: &str) -> String {
    if SUFFIXES.iter().any(|s| name.ends_with(s)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let units: BTreeSet<String> = asked
        .iter()
        .map(|one| unit_name(&one.target.subject))
        .collect();
    let words: Vec<String> = units.iter().map(|unit| sh_quote(unit)).collect();
    vec![format!("services {}", words.join(" "))]
}

/// State of a unit in systemd.
#[derive(Debug, Clone, Default)]
struct Unit {
    /// `LoadState`; empty without a service manager.
    load: String,
    /// `ActiveState`; empty without a service manager.
    active: String,
    /// `UnitFileState`, or `not-found`.
    file: String,
    /// Reason why the state is unknown.
    problem: Option<String>,
}

/// Parses the answer: the requested names, an empty line, then blocks of `Name=value` lines in the
/// same order.
fn parse_units(text: &str) -> Result<BTreeMap<String, Unit>, ReadError> {
    let (asked, answer) = text.split_once("\n\n").unwrap_or((text, ""));
    let asked: Vec<&str> = asked.lines().filter(|line| !line.is_empty()).collect();
    let blocks: Vec<Unit> = answer
        .split("\n\n")
        .filter(|b| !b.trim().is_empty())
        .map(parse_block)
        .collect();
    if blocks.len() != asked.len() {
        let line = answer.lines().next().unwrap_or_default();
        return Err(ReadError::MissingUnits {
            printed: blocks.len(),
            requested: asked.len(),
            line: truncate_for_display(line.as_bytes()),
        });
    }
    Ok(asked.into_iter().map(str::to_owned).zip(blocks).collect())
}

fn parse_block(text: &str) -> Unit {
    let mut unit = Unit::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match name {
            "LoadState" => value.clone_into(&mut unit.load),
            "ActiveState" => value.clone_into(&mut unit.active),
            "UnitFileState" => value.clone_into(&mut unit.file),
            "Problem" => unit.problem = Some(truncate_for_display(value.as_bytes())),
            _ => {}
        }
    }
    unit
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if property == "running" && !view.identity().service_manager {
        return Observation::Skipped("no service manager is running".to_owned());
    }
    view.parse_reading("services", "", parse_units)
        .observe("has no service manager", |units| {
            let Some(unit) = units.get(&unit_name(&target.subject)) else {
                return Observation::not_collected();
            };
            if let Some(why) = &unit.problem {
                return Observation::Unknown(why.clone());
            }
            let missing = unit.file == "not-found" || unit.load == "not-found";
            let (yes, how) = match property {
                "exists" => (!missing, &unit.load),
                "enabled" => (ENABLED.contains(&unit.file.as_str()), &unit.file),
                "masked" => (
                    unit.file.starts_with("masked") || unit.load == "masked",
                    &unit.file,
                ),
                _ => (RUNNING.contains(&unit.active.as_str()), &unit.active),
            };
            if how.is_empty() && !missing && property != "exists" {
                return Observation::Unknown("systemctl printed no state".to_owned());
            }
            Observation::Value(Value::Bool(
                yes,
                if missing {
                    "the unit does not exist".to_owned()
                } else {
                    how.clone()
                },
            ))
        })
}

/// Returns the last lines in the journal of a unit that does not run.
fn details(target: &ResourceRef, property: &str, view: &View<'_>) -> Option<String> {
    let unit = unit_name(&target.subject);
    let journal = view.reading("journal", &unit)?;
    if property != "running" || journal.body.is_secret() {
        return None;
    }
    last_lines(journal.body.bytes()).map(|lines| format!("journal: {lines}"))
}

#[cfg(test)]
mod tests;
