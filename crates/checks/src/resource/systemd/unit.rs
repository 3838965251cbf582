//! The `unit` resource: the properties of a systemd unit.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{RequestedResource, ResourceRef, ResourceType, Subject, ValueType};
use crate::text::sh_quote;
use crate::text::truncate_for_display;

use super::service;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "unit",
    "Properties of a systemd unit, by their names in `systemctl show`, such as `ProtectSystem: \
     strict`. Values are those of systemd (yes, no). Multiple values form a list. Environment \
     variables, and text in command lines that looks like a password, are not collected.",
    Subject::new(
        "name",
        "Name of the unit. `.service` is added to a name without a suffix.",
        service::check_name,
    ),
    observe,
)
.with_open_property(
    ValueType::Setting,
    "Property of systemd, in its exact spelling.",
)
.without_directories("a directory has no service manager")
.with_collection(
    concat!(
        include_str!("../process/redact.sh"),
        include_str!("unit.sh")
    ),
    requests,
);

/// Returns true for properties that contain secrets.
fn is_secret_property(property: &str) -> bool {
    property.starts_with("Environment") && property != "EnvironmentFiles"
        || property.contains("Credential")
}

/// Returns true for a valid property name: letters and digits.
fn is_valid_property(property: &str) -> bool {
    !property.is_empty() && property.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let units: BTreeSet<String> = asked
        .iter()
        .map(|one| service::unit_name(&one.target.subject))
        .collect();
    let properties: BTreeSet<&str> = asked
        .iter()
        .flat_map(|one| one.properties.iter().map(String::as_str))
        .filter(|property| is_valid_property(property) && !is_secret_property(property))
        .collect();
    let names = properties
        .into_iter()
        .fold(String::from("Id,LoadState"), |all, name| {
            format!("{all},{name}")
        });
    let words: Vec<String> = units.iter().map(|unit| sh_quote(unit)).collect();
    vec![format!("unit_properties {names} {}", words.join(" "))]
}

/// Properties of a unit. A repeated property has several values.
type UnitProperties = BTreeMap<String, Vec<String>>;

/// Parses the answer: the requested names, an empty line, then blocks of `Name=value` lines in the
/// same order.
fn parse_units(text: &str) -> Result<BTreeMap<String, UnitProperties>, ReadError> {
    let (asked, answer) = text.split_once("\n\n").unwrap_or((text, ""));
    let asked: Vec<&str> = asked.lines().filter(|line| !line.is_empty()).collect();
    let blocks: Vec<&str> = answer
        .split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .collect();
    if blocks.len() != asked.len() {
        let line = answer.lines().next().unwrap_or_default();
        return Err(ReadError::MissingUnits {
            printed: blocks.len(),
            requested: asked.len(),
            line: truncate_for_display(line.as_bytes()),
        });
    }
    let block = |text: &&str| {
        let mut unit = UnitProperties::new();
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

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if !is_valid_property(property) {
        return Observation::Unknown(format!(
            "`{}` is not a valid name of a unit property",
            property.escape_default()
        ));
    }
    if is_secret_property(property) {
        return Observation::Unknown(
            "properties that can contain secrets are not collected".to_owned(),
        );
    }
    if !view.identity().service_manager {
        return Observation::Skipped("no service manager is running".to_owned());
    }
    view.parse_reading("unit_properties", "", parse_units)
        .observe("has no service manager", |units| {
            let Some(unit) = units.get(&service::unit_name(&target.subject)) else {
                return Observation::not_collected();
            };
            if unit
                .get("LoadState")
                .is_some_and(|state| state == &["not-found"])
                && property != "LoadState"
            {
                return Observation::Missing("does not exist".to_owned());
            }
            match unit.get(property) {
                Some(values) => {
                    Observation::Value(crate::matcher::value::Value::Setting(values.clone()))
                }
                None => Observation::Missing(format!(
                    "has no property {property} in this version of systemd"
                )),
            }
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn one_answer_has_properties_of_several_units() {
        let text = "a.service\nb.timer\nc.service\n\nId=a.service\nLoadState=loaded\n\
            ProtectSystem=strict\nExecStart=one\nExecStart=two\n\nId=b.timer\nLoadState=loaded\n\
            ProtectSystem=\n\nId=c.service\nLoadState=not-found\nProtectSystem=no\n";
        let judge_check = |yaml: &str, text: &str| {
            lines(
                &format!("- {{unit: {yaml}}}"),
                &[IDENTITY, ("unit_properties", "", 0, "-", text)],
            )
            .join("")
        };
        assert_eq!(
            judge_check("a, ProtectSystem: strict", text),
            "passed  unit:a"
        );
        assert_eq!(
            judge_check("a, ExecStart: {superset_of: [one, two]}", text),
            "passed  unit:a"
        );
        assert_eq!(
            judge_check("b.timer, ProtectSystem: strict", text),
            "failed  unit:b.timer  ProtectSystem: expected \"strict\", actual \"\""
        );
        assert!(
            judge_check("c, ProtectSystem: \"no\"", text).starts_with("failed"),
            "the unit does not exist"
        );
        assert!(judge_check("a, Protect: x", text).contains("has no property Protect"));
        assert!(judge_check("a, Environment: x", text).starts_with("error"));
        assert!(
            judge_check(
                "a, ProtectSystem: strict",
                "a.service\n\nFailed to connect to bus"
            )
            .starts_with("failed")
                || judge_check("a, X: y", "a.service\n\n").starts_with("error")
        );
        assert!(
            judge_check(
                "a, ProtectSystem: strict",
                "a.service\nb.service\n\nFailed\n"
            )
            .starts_with("error")
        );
        let off = [("identity", "", 0, "-", "uid=0\nservice_manager=no\n")];
        assert!(lines("- {unit: a, ProtectSystem: strict}", &off)[0].starts_with("skipped"));
    }
}
