//! The `failed_units` resource: systemd units that failed.

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::phase::Phase;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use crate::text::truncate_for_display;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "failed_units",
    "Failed systemd units. By default, there must be none. Judged in phase boot unless \
     `phase` is set.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[Property::new("names", ValueType::List, "Their names.")])
.with_defaults(&["!names"])
.with_phases(&[Phase::Boot])
.without_directories("a directory has no service manager")
.with_collection(include_str!("failed_units.sh"), requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["failed_units".to_owned()]
}

/// Parses `systemctl list-units --plain --no-legend`: name, load state, active state, other
/// columns.
fn parse_names(text: &str) -> Result<Vec<String>, ReadError> {
    let name = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        match words.as_slice() {
            [name, _, "failed"] => Ok((*name).to_owned()),
            _ => Err(ReadError::UnknownOutput {
                tool: "systemctl",
                line: Some(truncate_for_display(line.as_bytes())),
            }),
        }
    };
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(name)
        .collect()
}

fn observe(_: &ResourceRef, _: &str, view: &View<'_>) -> Observation {
    if !view.identity().service_manager {
        return Observation::Skipped("no service manager is running".to_owned());
    }
    view.parse_reading("failed_units", "", parse_names)
        .observe("has no service manager", |names| {
            Observation::list(names.iter().cloned())
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn failed_units_are_listed() {
        let judge_check = |rc, text: &str| {
            lines(
                "- {failed_units: all}",
                &[IDENTITY, ("failed_units", "", rc, "-", text)],
            )
            .join("")
        };
        assert_eq!(judge_check(0, ""), "passed  failed_units:all");
        let line = judge_check(
            0,
            "auditd.service loaded failed failed Security Auditing Service\n",
        );
        assert_eq!(
            line,
            "failed  failed_units:all  names: expected empty, actual \"auditd.service\""
        );
        assert!(judge_check(0, "what is this").starts_with("error"));
        assert!(judge_check(3, "Failed to connect to bus").starts_with("error"));
        let off = [("identity", "", 0, "-", "uid=0\nservice_manager=no\n")];
        assert!(lines("- {failed_units: all}", &off)[0].starts_with("skipped"));
    }
}
