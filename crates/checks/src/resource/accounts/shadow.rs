//! The `shadow` resource: ages and kinds of passwords. Only the kind of a hash leaves the target.

use std::collections::BTreeSet;

use super::etc_group::account_name;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource::config::drop_in::FUNCTIONS;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "shadow",
    "Password ages and kinds of password hashes, of one user or all.",
    Subject::new(
        "user",
        "Name of a user, or `all` for the table.",
        account_name,
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "exists",
        ValueType::Bool,
        "One user: true if it has an entry.",
    )
    .or(&["exist"]),
    Property::new(
        "hash",
        ValueType::Setting,
        "One user: kind of the password hash: empty, locked, none (`*`), yescrypt, sha512, \
         sha256, bcrypt, md5, des, other.",
    ),
    Property::new(
        "last_change",
        ValueType::Setting,
        "One user: last change of the password, in days since 1970-01-01. 0 forces a change \
         at the next login.",
    ),
    Property::new(
        "min_days",
        ValueType::Setting,
        "One user: minimum days between changes.",
    ),
    Property::new(
        "max_days",
        ValueType::Setting,
        "One user: maximum days until a change is required.",
    ),
    Property::new(
        "warn_days",
        ValueType::Setting,
        "One user: days of warning before the password expires.",
    ),
    Property::new(
        "inactive_days",
        ValueType::Setting,
        "One user: days from the expiry of the password until the account is disabled.",
    ),
    Property::new(
        "expires",
        ValueType::Setting,
        "One user: expiry of the account, in days since 1970-01-01.",
    )
    .or(&["expiry_date"]),
    Property::new("users", ValueType::List, "`all`: the names."),
    Property::new(
        "without_password",
        ValueType::List,
        "`all`: the names of accounts without a password.",
    ),
    Property::new(
        "hashes",
        ValueType::List,
        "`all`: the distinct kinds of password hashes.",
    ),
])
.with_presence("exists")
.with_collection(FUNCTIONS, requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["shadow".to_owned()]
}

const FIELDS: [&str; 6] = [
    "last_change",
    "min_days",
    "max_days",
    "warn_days",
    "inactive_days",
    "expires",
];

type ShadowRow = [String; 8];

/// Parses lines of name, kind of hash, and the six fields of shadow(5) that follow.
fn parse_rows(text: &str) -> Result<Vec<ShadowRow>, ReadError> {
    let row = |line: &str| {
        let fields: Vec<String> = line.split(':').map(str::to_owned).collect();
        ShadowRow::try_from(fields).map_err(|_| ReadError::unknown_format("a line in /etc/shadow"))
    };
    text.lines()
        .filter(|line| !line.is_empty())
        .map(row)
        .collect()
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    view.parse_reading("shadow", "", parse_rows)
        .observe("has no /etc/shadow", |rows| {
            if target.subject == "all" {
                let kinds: BTreeSet<String> = rows.iter().map(|row| row[1].clone()).collect();
                let names = |kind: Option<&str>| {
                    Observation::list(
                        rows.iter()
                            .filter(|row| kind.is_none_or(|k| row[1] == k))
                            .map(|row| row[0].clone()),
                    )
                };
                return match property {
                    "users" => names(None),
                    "without_password" => names(Some("empty")),
                    "hashes" => Observation::list(kinds),
                    _ => Observation::Unknown(format!(
                        "`{property}` needs the name of a user, not \
                        `all`"
                    )),
                };
            }
            match (property, rows.iter().find(|row| row[0] == target.subject)) {
                ("exists", row) => Observation::bool(row.is_some()),
                ("users" | "without_password" | "hashes", _) => Observation::Unknown(format!(
                    "`{property}` needs `all`, not the name of a user"
                )),
                (_, None) => Observation::Missing("is not in /etc/shadow".to_owned()),
                ("hash", Some(row)) => Observation::setting(row[1].clone()),
                (field, Some(row)) => {
                    let at = FIELDS.iter().position(|name| *name == field);
                    match at.map(|at| row[at + 2].trim()) {
                        Some("") | None => {
                            Observation::Missing("is not set for this user".to_owned())
                        }
                        Some(value) => Observation::setting(value),
                    }
                }
            }
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn passwords_are_judged_by_kind_and_age() {
        let text = "root:yescrypt:19000:0:90:7::\nweb:locked:19000:0:99999:7::\nopen:empty::::::\n";
        let judge_check = |yaml: &str| {
            lines(
                &format!("- {yaml}"),
                &[IDENTITY, ("shadow", "", 0, "-", text)],
            )
            .join("")
        };
        for (yaml, outcome) in [
            (
                "{shadow: root, hash: yescrypt, max_days: {at_most: 365}, min_days: 0, warn_days: \
                    {at_least: 7}}",
                "passed",
            ),
            ("{shadow: web, max_days: {at_most: 365}}", "failed"),
            ("{shadow: open, max_days: {at_most: 365}}", "failed"),
            ("{shadow: open, inactive_days: {absent: true}}", "passed"),
            (
                "{shadow: all, without_password: {same_set: [open]}, hashes: {include: yescrypt}}",
                "passed",
            ),
            (
                "{shadow: all, hashes: {disjoint: [md5, des]}, users: {count: 3}}",
                "passed",
            ),
            ("{shadow: all, hashes: {subset_of: [yescrypt]}}", "failed"),
            ("{shadow: nobody, hash: {not: empty}}", "failed"),
            ("{shadow: nobody, exists: false}", "passed"),
            ("{shadow: all, hash: locked}", "error"),
        ] {
            assert!(
                judge_check(yaml).starts_with(outcome),
                "{yaml}: {}",
                judge_check(yaml)
            );
        }
        for (rc, text, outcome) in [(2, "", "error"), (1, "", "failed"), (0, "?\n", "error")] {
            let verdicts = lines(
                "- {shadow: all, without_password: {empty: true}}",
                &[IDENTITY, ("shadow", "", rc, "-", text)],
            );
            assert!(verdicts[0].starts_with(outcome), "{verdicts:?}");
        }
    }
}
