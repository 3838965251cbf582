//! The `unit` resource: what systemd says of a unit's settings.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::phase::Phase;
use crate::text::brief;
use crate::text::sh_quote;

use super::service;

pub(crate) static KIND: Kind = Kind {
    name: "unit",
    doc: "A systemd unit's properties by the names that `systemctl show` gives them, such as `ProtectSystem: strict`; values \
          are systemd's own words (yes, no), several are a list. Environments stay on the target, and what looks like a \
          password in a command line.",
    subject: Subject {
        name: "name",
        doc: "Its name; `.service` is added where there is no suffix.",
        words: &[],
        check: service::check_name,
    },
    parameters: &[],
    properties: &[],
    open: Some(Property::new(
        "",
        Of::Setting,
        "A property of systemd's, in its own spelling.",
    )),
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: Some("a directory has no service manager"),
    shell: concat!(
        include_str!("../process/redact.sh"),
        include_str!("unit.sh")
    ),
    requests,
    observe,
};

/// Properties that hold secrets by their nature.
fn withheld(property: &str) -> bool {
    property.starts_with("Environment") && property != "EnvironmentFiles"
        || property.contains("Credential")
}

/// systemd's property names are letters and digits.
fn plain(property: &str) -> bool {
    !property.is_empty() && property.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let units: BTreeSet<String> = asked
        .iter()
        .map(|one| service::unit(&one.target.subject))
        .collect();
    let properties: BTreeSet<&str> = asked
        .iter()
        .flat_map(|one| one.properties.iter().map(String::as_str))
        .filter(|property| plain(property) && !withheld(property))
        .collect();
    let names = properties
        .into_iter()
        .fold(String::from("Id,LoadState"), |all, name| {
            format!("{all},{name}")
        });
    let words: Vec<String> = units.iter().map(|unit| sh_quote(unit)).collect();
    vec![format!("unit_properties {names} {}", words.join(" "))]
}

/// The properties of one unit; one that is told several times has several values.
type Unit = BTreeMap<String, Vec<String>>;

/// The names asked for, an empty line, then blocks of `Name=value` lines in the same order with an empty line between.
fn units(text: &str) -> Result<BTreeMap<String, Unit>, String> {
    let (asked, answer) = text.split_once("\n\n").unwrap_or((text, ""));
    let asked: Vec<&str> = asked.lines().filter(|line| !line.is_empty()).collect();
    let blocks: Vec<&str> = answer
        .split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .collect();
    if blocks.len() != asked.len() {
        let said = brief(answer.lines().next().unwrap_or_default().as_bytes());
        return Err(format!(
            "systemctl answered for {} of {} units: {said}",
            blocks.len(),
            asked.len()
        ));
    }
    let block = |text: &&str| {
        let mut unit = Unit::new();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            unit.entry(name.to_owned())
                .or_default()
                .push(value.to_owned());
        }
        unit
    };
    Ok(asked
        .into_iter()
        .map(str::to_owned)
        .zip(blocks.iter().map(block))
        .collect())
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    if !plain(property) {
        return Observed::Unknown(format!(
            "`{}` can't be a property of a unit",
            property.escape_default()
        ));
    }
    if withheld(property) {
        return Observed::Unknown("what may hold secrets is not collected".to_owned());
    }
    if !view.identity().service_manager {
        return Observed::Skipped("no service manager is running".to_owned());
    }
    view.parsed("unit_properties", "", units)
        .observe("has no service manager", |units| {
            let Some(unit) = units.get(&service::unit(&target.subject)) else {
                return Observed::uncollected();
            };
            if unit
                .get("LoadState")
                .is_some_and(|state| state == &["not-found"])
                && property != "LoadState"
            {
                return Observed::Missing("does not exist".to_owned());
            }
            match unit.get(property) {
                Some(values) => {
                    Observed::Value(crate::matcher::value::Value::Setting(values.clone()))
                }
                None => Observed::Missing(format!(
                    "has no property {property}: this systemd knows none of that name"
                )),
            }
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn properties_of_several_units_come_in_one_answer() {
        let text = "a.service\nb.timer\nc.service\n\nId=a.service\nLoadState=loaded\nProtectSystem=strict\nExecStart=one\nExecStart=two\n\n\
            Id=b.timer\nLoadState=loaded\nProtectSystem=\n\nId=c.service\nLoadState=not-found\nProtectSystem=no\n";
        let told = |yaml: &str, text: &str| {
            lines(
                &format!("- {{unit: {yaml}}}"),
                &[IDENTITY, ("unit_properties", "", 0, "-", text)],
            )
            .join("")
        };
        assert_eq!(told("a, ProtectSystem: strict", text), "passed  unit:a");
        assert_eq!(
            told("a, ExecStart: {superset_of: [one, two]}", text),
            "passed  unit:a"
        );
        assert_eq!(
            told("b.timer, ProtectSystem: strict", text),
            "failed  unit:b.timer  ProtectSystem: expected \"strict\", actual \"\""
        );
        assert!(
            told("c, ProtectSystem: \"no\"", text).starts_with("failed"),
            "there is no such unit"
        );
        assert!(told("a, Protect: x", text).contains("has no property Protect"));
        assert!(told("a, Environment: x", text).starts_with("error"));
        assert!(
            told(
                "a, ProtectSystem: strict",
                "a.service\n\nFailed to connect to bus"
            )
            .starts_with("failed")
                || told("a, X: y", "a.service\n\n").starts_with("error")
        );
        assert!(
            told(
                "a, ProtectSystem: strict",
                "a.service\nb.service\n\nFailed\n"
            )
            .starts_with("error")
        );
        let off = [("identity", "", 0, "-", "uid=0\nservice_manager=no\n")];
        assert!(lines("- {unit: a, ProtectSystem: strict}", &off)[0].starts_with("skipped"));
    }
}
