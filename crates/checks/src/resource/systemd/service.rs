//! The `service` resource: a systemd unit.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::text::brief;
use crate::text::sh_quote;

pub(crate) static KIND: Kind = Kind {
    name: "service",
    doc: "A systemd unit; with nothing else: it must be enabled and running. Judged in phase boot unless `phase` says more.",
    subject: Subject {
        name: "name",
        doc: "Its name; `.service` is added where there is no suffix.",
        words: &[],
        check: check_name,
    },
    parameters: &[],
    properties: &[
        Property::new("exists", Of::Bool, "Whether there is such a unit.")
            .or(&["installed", "be_installed"]),
        Property::new("enabled", Of::Bool, "Whether it starts by itself.").or(&["be_enabled"]),
        Property::new("masked", Of::Bool, "Whether it is kept from starting.").or(&["be_masked"]),
        Property::new("running", Of::Bool, "Whether it runs now.").or(&["be_running"]),
    ],
    open: None,
    by_default: &["enabled", "running"],
    implied: &[],
    presence: Some("exists"),
    phases: &[Phase::Boot],
    not_in_directory: Some("a directory has no service manager"),
    shell: include_str!("service.sh"),
    requests,
    observe,
};

/// The unit states for which `systemctl is-enabled` answers yes (exit status 0), from the table in systemctl(1).
const ENABLED: &[&str] = &[
    "enabled",
    "enabled-runtime",
    "static",
    "alias",
    "indirect",
    "generated",
];

/// The active states that `systemctl is-active` takes for running, and a reload in progress.
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

/// systemd.unit(5): what a unit name is made of. A glob is none, and a leading `-` would be an option.
pub(super) fn check_name(name: &str) -> Result<(), (String, &'static str)> {
    let help = "use a unit's name, such as `nginx` or `apt-daily.timer`";
    if name.is_empty() || name.len() > 255 || name.starts_with('-') {
        return Err((
            "a unit's name has 1 to 255 characters and can't start with `-`".to_owned(),
            help,
        ));
    }
    match name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || ":-_.\\@".contains(*c)))
    {
        Some(c) => Err((
            format!("`{}` can't be in a unit's name", c.escape_default()),
            help,
        )),
        None => Ok(()),
    }
}

pub(super) fn unit(name: &str) -> String {
    if SUFFIXES.iter().any(|s| name.ends_with(s)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let units: BTreeSet<String> = asked.iter().map(|one| unit(&one.target.subject)).collect();
    let words: Vec<String> = units.iter().map(|unit| sh_quote(unit)).collect();
    vec![format!("services {}", words.join(" "))]
}

/// One unit as systemd describes it.
#[derive(Debug, Clone, Default)]
struct Unit {
    /// `LoadState`; empty when no service manager is up.
    load: String,
    /// `ActiveState`; empty when no service manager is up.
    active: String,
    /// `UnitFileState`, or `not-found`.
    file: String,
    /// Why it could not be told.
    problem: Option<String>,
}

/// The names asked for, an empty line, then blocks of `Name=value` lines in the same order with an empty line between.
fn units(text: &str) -> Result<BTreeMap<String, Unit>, String> {
    let (asked, answer) = text.split_once("\n\n").unwrap_or((text, ""));
    let asked: Vec<&str> = asked.lines().filter(|line| !line.is_empty()).collect();
    let blocks: Vec<Unit> = answer
        .split("\n\n")
        .filter(|b| !b.trim().is_empty())
        .map(block)
        .collect();
    if blocks.len() != asked.len() {
        let said = brief(answer.lines().next().unwrap_or_default().as_bytes());
        return Err(format!(
            "systemctl answered for {} of {} units: {said}",
            blocks.len(),
            asked.len()
        ));
    }
    Ok(asked.into_iter().map(str::to_owned).zip(blocks).collect())
}

fn block(text: &str) -> Unit {
    let mut unit = Unit::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match name {
            "LoadState" => value.clone_into(&mut unit.load),
            "ActiveState" => value.clone_into(&mut unit.active),
            "UnitFileState" => value.clone_into(&mut unit.file),
            "Problem" => unit.problem = Some(brief(value.as_bytes())),
            _ => {}
        }
    }
    unit
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    if property == "running" && !view.identity().service_manager {
        return Observed::Skipped("no service manager is running".to_owned());
    }
    view.parsed("services", "", units)
        .observe("has no service manager", |units| {
            let Some(unit) = units.get(&unit(&target.subject)) else {
                return Observed::uncollected();
            };
            if let Some(why) = &unit.problem {
                return Observed::Unknown(why.clone());
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
                return Observed::Unknown("systemctl told no state".to_owned());
            }
            Observed::Value(Value::Bool(
                yes,
                if missing {
                    "there is no such unit".to_owned()
                } else {
                    how.clone()
                },
            ))
        })
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
