//! The `updates` resource: pending updates by the package lists on the target.

use std::collections::BTreeSet;

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use bakeline_platform::Platform;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "updates",
    "Updates that apt would install with the package lists on the target. By default, there \
     must be none. The check downloads nothing. Without lists, as on an instance of a sealed \
     image, it is an error. Use `bakeline probe` there, which refreshes the lists. Judged in \
     phase build unless `phase` is set.",
    Subject::one_of(
        "which",
        "`security` for updates from a security archive (origin Debian-Security, or a suite that \
         ends with -security), or `all`.",
        &["security", "all"],
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "names",
        ValueType::List,
        "Packages, including new packages that an update needs.",
    ),
    Property::new("count", ValueType::Number, "Number of packages."),
    Property::new(
        "lists_age_days",
        ValueType::Number,
        "Whole days since the last refresh of the lists.",
    ),
])
.with_defaults(&["!names"])
.with_phases(&[Phase::Build])
.without_directories("apt cannot run in a directory")
.with_collection(include_str!("updates.sh"), requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["pending_updates".to_owned()]
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if property == "lists_age_days" {
        let days = view.parse_reading("lists_age", "", |text| {
            text.trim().parse::<i64>().map_err(ReadError::invalid)
        });
        return days.observe("was not collected", |days| {
            Observation::Value(Value::Number(*days))
        });
    }
    let pending = view.parse_reading("updates", "", |text| {
        Platform::Debian
            .parse_upgrade(text)
            .map_err(ReadError::invalid)
    });
    pending.observe("was not collected", |pending| {
        let due = pending
            .iter()
            .filter(|update| target.subject == "all" || update.security);
        let names: BTreeSet<String> = due.map(|update| update.package.clone()).collect();
        match property {
            "count" => Observation::Value(Value::Number(
                i64::try_from(names.len()).unwrap_or(i64::MAX),
            )),
            _ => Observation::list(names),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn updates_are_filtered_by_origin() {
        let text = "Inst base-files [12.4] (12.5 Debian:12.12/oldstable [amd64])\n\
            Inst openssl [3.0.16-1] (3.0.17-1 Debian-Security:12/oldstable-security [amd64])\n\
            Inst curl [8.5-2] (8.5-3 Ubuntu:24.04/noble-security [amd64])\n";
        let judge_check = |yaml: &str, rc, text: &str| {
            lines(
                &format!("- {{phase: [boot], updates: {yaml}}}"),
                &[
                    IDENTITY,
                    ("updates", "", rc, "-", text),
                    ("lists_age", "", 0, "-", "3"),
                ],
            )
            .join("")
        };
        assert_eq!(
            judge_check("security, count: 2, lists_age_days: {at_most: 7}", 0, text),
            "passed  updates:security"
        );
        assert_eq!(
            judge_check(
                "all, names: {same_set: [base-files, openssl, curl]}",
                0,
                text
            ),
            "passed  updates:all"
        );
        assert!(judge_check("security", 0, text).starts_with("failed"));
        assert_eq!(judge_check("security", 0, ""), "passed  updates:security");
        assert!(judge_check("security", 0, "Inst nonsense\n").starts_with("error"));
        assert!(judge_check("security", 3, "there are no lists").starts_with("error"));
        assert!(
            lines(
                "- {phase: [boot], updates: all}",
                &[("identity", "", 0, "-", "uid=0\ndirectory=yes\n")]
            )[0]
            .starts_with("skipped")
        );
    }
}
