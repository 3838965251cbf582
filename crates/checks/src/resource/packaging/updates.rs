//! The `updates` resource: pending updates according to the package lists on the target.

use std::collections::BTreeSet;

use crate::facts::PackageManager;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use bakeline_platform::{Platform, Update};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "updates",
    "Updates that apt or dnf would install with the package lists on the target. By default, \
     there must be none. The check downloads nothing. Without lists, as on an instance of a \
     sealed image, it is an error. For a sealed image, use `bakeline probe IMAGE`, which \
     refreshes the lists on a temporary instance. Judged in phase build unless `phase` is set.",
    Subject::one_of(
        "which",
        "`security` or `all`. Security updates of apt come from a security archive (origin \
         Debian-Security, or a suite that ends with -security). Security updates of \
         dnf are those that a security advisory of an enabled repository lists.",
        &["security", "all"],
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "names",
        ValueType::List,
        "Packages. For apt, including new packages that an update needs.",
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
.without_directories("apt and dnf cannot run if the target is a directory")
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
    let pending = match view.facts().package_manager() {
        Some(PackageManager::Rpm) => view.parse_reading("updates", "", parse_dnf_updates),
        Some(PackageManager::Dpkg) | None => view.parse_reading("updates", "", parse_apt_updates),
    };
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

/// Pending update of a package.
struct PendingUpdate {
    package: String,
    /// True for a security update.
    security: bool,
}

/// Parses the simulated upgrade of apt.
fn parse_apt_updates(text: &str) -> Result<Vec<PendingUpdate>, ReadError> {
    let updates = Platform::Debian
        .parse_upgrade(text)
        .map_err(ReadError::invalid)?;
    let convert = |update: Update| PendingUpdate {
        package: update.package,
        security: update.security,
    };
    Ok(updates.into_iter().map(convert).collect())
}

/// Parses lines with three fields, separated by tabs: scope (`all` or `security`), package name,
/// version.
fn parse_dnf_updates(text: &str) -> Result<Vec<PendingUpdate>, ReadError> {
    let parse_line = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [scope @ ("all" | "security"), package, _] => Ok(PendingUpdate {
            package: package.to_owned(),
            security: scope == "security",
        }),
        _ => Err(ReadError::unknown_line("a line of dnf repoquery", line)),
    };
    text.lines().map(parse_line).collect()
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

    #[test]
    fn updates_of_dnf_are_filtered_by_advisory() {
        let judge_check = |yaml: &str, rc, text: &str| {
            let frames = [
                IDENTITY,
                ("package_manager", "", 0, "-", "rpm"),
                ("updates", "", rc, "-", text),
                ("lists_age", "", 0, "-", "0"),
            ];
            lines(&format!("- {{phase: [boot], updates: {yaml}}}"), &frames).join("")
        };
        let text = "all\tNetworkManager\t1:1.46.0-9.el9\nall\tnginx\t1.22.1-2.amzn2023\n\
            all\tnginx\t1.22.1-3.amzn2023\nsecurity\tnginx\t1.22.1-2.amzn2023\n";
        assert_eq!(
            judge_check(
                "security, names: {same_set: [nginx]}, lists_age_days: 0",
                0,
                text
            ),
            "passed  updates:security"
        );
        assert_eq!(
            judge_check(
                "all, names: {same_set: [NetworkManager, nginx]}, count: 2",
                0,
                text
            ),
            "passed  updates:all"
        );
        assert_eq!(judge_check("security", 0, ""), "passed  updates:security");
        let warning = "warning: something changed";
        assert_eq!(
            judge_check("security", 0, warning),
            format!(
                "error   updates:security  names: unknown format of a line of dnf repoquery: {warning}"
            )
        );
        assert!(
            judge_check(
                "security",
                3,
                "Error: Cache-only enabled but no cache for 'r'"
            )
            .starts_with("error")
        );
    }
}
