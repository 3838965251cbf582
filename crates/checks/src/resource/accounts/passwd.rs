//! The `passwd` resource: the account table, or one account.

use super::etc_group::{check_account_name, parse_id};
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{Property, ResourceRef, ResourceType, Subject, ValueType};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "passwd",
    "Account table (/etc/passwd), or one account. By default, the account must exist.",
    Subject::new(
        "user",
        "Name of a user, or `all` for the table.",
        check_account_name,
    ),
    observe,
)
.with_properties(&[
    Property::new("exists", ValueType::Bool, "One user: true if it exists.").or(&["exist"]),
    Property::new("uid", ValueType::Number, "One user: the UID."),
    Property::new(
        "gid",
        ValueType::Number,
        "One user: the GID of the primary group.",
    ),
    Property::new("home", ValueType::Text, "One user: the home directory."),
    Property::new("shell", ValueType::Text, "One user: the login shell."),
    Property::new("users", ValueType::List, "`all`: the names."),
    Property::new("uids", ValueType::List, "`all`: the UIDs."),
    Property::new(
        "gids",
        ValueType::List,
        "`all`: the GIDs of the primary groups.",
    ),
    Property::new("homes", ValueType::List, "`all`: the home directories."),
    Property::new("shells", ValueType::List, "`all`: the login shells."),
    Property::new(
        "passwords",
        ValueType::List,
        "`all`: the password fields: x, *, !, empty, or `hash` for a password hash.",
    ),
    Property::new(
        "roots",
        ValueType::List,
        "`all`: the names of the accounts with UID 0.",
    ),
    Property::new(
        "logins",
        ValueType::List,
        "`all`: the names of the accounts with a login shell.",
    ),
    Property::new(
        "system_logins",
        ValueType::List,
        "`all`: the names of accounts with a login shell and a UID below 1000, except root.",
    ),
])
.with_defaults(&["exists"])
.with_presence("exists");

type PasswdRow = [String; 7];

/// Parses passwd(5). A line without seven fields could hide an account, so it is an error.
fn parse_rows(text: &str) -> Result<Vec<PasswdRow>, ReadError> {
    let row = |line: &str| {
        let fields: Vec<String> = line.split(':').map(str::to_owned).collect();
        PasswdRow::try_from(fields)
            .map_err(|_| ReadError::unknown_line("a line in /etc/passwd", line))
    };
    text.lines()
        .filter(|line| !line.is_empty())
        .map(row)
        .collect()
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    view.parse_reading("passwd", "", parse_rows)
        .observe("has no account table", |rows| {
            if target.subject == "all" {
                return observe_table(&rows, property);
            }
            match (property, rows.iter().find(|row| row[0] == target.subject)) {
                ("exists", row) => Observation::bool(row.is_some()),
                ("uid" | "gid" | "home" | "shell", None) => {
                    Observation::Missing("does not exist".to_owned())
                }
                ("uid", Some(row)) => parse_id(&row[2]),
                ("gid", Some(row)) => parse_id(&row[3]),
                ("home", Some(row)) => Observation::text(row[5].as_bytes()),
                ("shell", Some(row)) => Observation::text(login_shell(row).as_bytes()),
                _ => Observation::Unknown(format!(
                    "`{property}` needs `all`, not the name of a user"
                )),
            }
        })
}

fn observe_table(rows: &[PasswdRow], property: &str) -> Observation {
    let column = |n: usize| Observation::list(rows.iter().map(|row| row[n].clone()));
    let names = |fits: &dyn Fn(&PasswdRow) -> bool| {
        Observation::list(rows.iter().filter(|r| fits(r)).map(|row| row[0].clone()))
    };
    let uid = |row: &PasswdRow| row[2].parse::<u32>();
    match property {
        "users" => column(0),
        "passwords" => column(1),
        "uids" => column(2),
        "gids" => column(3),
        "homes" => column(5),
        "shells" => column(6),
        "roots" => names(&|row| uid(row) == Ok(0)),
        "logins" => names(&has_login_shell),
        "system_logins" => names(&|row| {
            has_login_shell(row) && uid(row).is_ok_and(|uid| uid > 0 && uid < FIRST_REGULAR_UID)
        }),
        _ => Observation::Unknown(format!("`{property}` needs the name of a user, not `all`")),
    }
}

/// First UID of regular users: UID_MIN in login.defs of all known distributions.
const FIRST_REGULAR_UID: u32 = 1000;

/// Returns the login shell. An empty field means /bin/sh (passwd(5)).
fn login_shell(row: &PasswdRow) -> &str {
    if row[6].is_empty() {
        "/bin/sh"
    } else {
        &row[6]
    }
}

/// Returns true if the shell permits a login. Shells that refuse logins, and commands of old
/// accounts in place of a shell, do not.
fn has_login_shell(row: &PasswdRow) -> bool {
    let name = login_shell(row).rsplit('/').next().unwrap_or_default();
    !matches!(
        name,
        "nologin" | "false" | "true" | "sync" | "shutdown" | "halt"
    )
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn table_is_judged_by_columns() {
        let text = "root:x:0:0:root:/root:/bin/bash\ntoor:*:0:0::/root:/bin/sh\n\
            web:x:33:33::/var/www:/usr/sbin/nologin\n";
        let judge_check = |yaml: &str, text: &str| {
            lines(
                &format!("- {yaml}"),
                &[IDENTITY, ("passwd", "", 0, "-", text)],
            )
            .join("")
        };
        for (yaml, outcome) in [
            (
                "{passwd: all, users: {include: web, duplicates: false}}",
                "passed",
            ),
            ("{passwd: all, uids: {duplicates: false}}", "failed"),
            (
                "{passwd: all, passwords: {subset_of: [x, \"*\"]}}",
                "passed",
            ),
            ("{passwd: all, roots: {same_set: [root]}}", "failed"),
            (
                "{passwd: all, shells: {each: {match: \"^/\"}, count: 3}}",
                "passed",
            ),
            (
                "{passwd: all, homes: {any: /var/www, disjoint: [/]}}",
                "passed",
            ),
            ("{passwd: all, logins: {same_set: [root, toor]}}", "passed"),
            ("{passwd: all, system_logins: {empty: true}}", "passed"),
            ("{passwd: web}", "passed"),
            (
                "{passwd: web, uid: 33, gid: 33, home: /var/www, shell: {match: nologin}}",
                "passed",
            ),
            ("{passwd: web, uid: 34}", "failed"),
            ("{passwd: nobody, exists: false}", "passed"),
            ("{passwd: nobody, shell: {not: {match: sh}}}", "failed"),
            (
                "{passwd: nobody, shell: {not: {match: sh}}, if_absent: pass}",
                "passed",
            ),
            ("{passwd: web, roots: {empty: true}}", "error"),
        ] {
            assert!(
                judge_check(yaml, text).starts_with(outcome),
                "{yaml}: {}",
                judge_check(yaml, text)
            );
        }
        let open = "svc:x:100:100::/:\nbob:x:1000:1000::/:/bin/bash\n";
        assert!(
            judge_check("{passwd: all, system_logins: {same_set: [svc]}}", open)
                .starts_with("passed")
        );
        assert!(
            judge_check(
                "{passwd: all, roots: {same_set: [root]}}",
                "root:x:0:0:root:/root:/bin/bash\nodd\n"
            )
            .starts_with("error")
        );
        let line = judge_check("{passwd: all, roots: {same_set: [root]}}", text);
        assert_eq!(
            line,
            "failed  passwd:all  roots: expected exactly \"root\", actual \"root\", \"toor\"; not allowed: \"toor\""
        );
    }
}
