//! The `passwd` resource: the table of accounts, or one account of it.

use super::etc_group::{account_name, number};
use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::phase::Phase;
use crate::text::brief;

pub(crate) static KIND: Kind = Kind {
    name: "passwd",
    doc: "The table of accounts, or one account; with nothing else: there is such an account.",
    subject: Subject {
        name: "user",
        doc: "A user's name, or `all` for the table.",
        words: &[],
        check: account_name,
    },
    parameters: &[],
    properties: &[
        Property::new("exists", Of::Bool, "Of a user: whether there is one.").or(&["exist"]),
        Property::new("uid", Of::Number, "Of a user: the number."),
        Property::new("gid", Of::Number, "Of a user: the number of the own group."),
        Property::new("home", Of::Text, "Of a user: the home directory."),
        Property::new("shell", Of::Text, "Of a user: the login shell."),
        Property::new("users", Of::List, "Of `all`: the names."),
        Property::new("uids", Of::List, "Of `all`: the numbers."),
        Property::new(
            "gids",
            Of::List,
            "Of `all`: the numbers of the accounts' own groups.",
        ),
        Property::new("homes", Of::List, "Of `all`: the home directories."),
        Property::new("shells", Of::List, "Of `all`: the login shells."),
        Property::new(
            "passwords",
            Of::List,
            "Of `all`: what stands for the passwords: x, *, !, nothing, or `hash` for one that is there itself.",
        ),
        Property::new(
            "roots",
            Of::List,
            "Of `all`: the names of the accounts with the number 0.",
        ),
        Property::new(
            "logins",
            Of::List,
            "Of `all`: the names of the accounts whose shell lets them log in.",
        ),
        Property::new(
            "system_logins",
            Of::List,
            "Of `all`: the names of those of them, other than root, whose number is below 1000.",
        ),
    ],
    open: None,
    by_default: &["exists"],
    implied: &[],
    presence: Some("exists"),
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: "",
    requests,
    observe,
};

/// It is in the base set.
fn requests(_: &[Asked<'_>]) -> Vec<String> {
    Vec::new()
}

type Row = [String; 7];

/// passwd(5): seven fields; a line of any other form could hide an account.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let row = |line: &str| {
        let fields: Vec<String> = line.split(':').map(str::to_owned).collect();
        Row::try_from(fields).map_err(|_| {
            format!(
                "a line of passwd has an unknown form: {}",
                brief(line.as_bytes())
            )
        })
    };
    text.lines()
        .filter(|line| !line.is_empty())
        .map(row)
        .collect()
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    view.parsed("passwd", "", rows)
        .observe("has no table of accounts", |rows| {
            if target.subject == "all" {
                return table(&rows, property);
            }
            match (property, rows.iter().find(|row| row[0] == target.subject)) {
                ("exists", row) => Observed::bool(row.is_some()),
                ("uid" | "gid" | "home" | "shell", None) => {
                    Observed::Missing("does not exist".to_owned())
                }
                ("uid", Some(row)) => number(&row[2]),
                ("gid", Some(row)) => number(&row[3]),
                ("home", Some(row)) => Observed::text(row[5].as_bytes()),
                ("shell", Some(row)) => Observed::text(shell(row).as_bytes()),
                _ => Observed::Unknown(format!("`{property}` is of `all`, not of one user")),
            }
        })
}

fn table(rows: &[Row], property: &str) -> Observed {
    let column = |n: usize| Observed::list(rows.iter().map(|row| row[n].clone()));
    let names = |fits: &dyn Fn(&Row) -> bool| {
        Observed::list(rows.iter().filter(|r| fits(r)).map(|row| row[0].clone()))
    };
    let uid = |row: &Row| row[2].parse::<u32>();
    match property {
        "users" => column(0),
        "passwords" => column(1),
        "uids" => column(2),
        "gids" => column(3),
        "homes" => column(5),
        "shells" => column(6),
        "roots" => names(&|row| uid(row) == Ok(0)),
        "logins" => names(&logs_in),
        "system_logins" => {
            names(&|row| logs_in(row) && uid(row).is_ok_and(|uid| uid > 0 && uid < SYSTEM))
        }
        _ => Observed::Unknown(format!("`{property}` is of one user, not of `all`")),
    }
}

/// Where the numbers of people begin: UID_MIN of login.defs as every distribution that we know ships it.
const SYSTEM: u32 = 1000;

/// passwd(5): nothing means /bin/sh.
fn shell(row: &Row) -> &str {
    if row[6].is_empty() {
        "/bin/sh"
    } else {
        &row[6]
    }
}

/// Whether the shell is one: neither of those that say no, nor one of the commands that old accounts have in its place.
fn logs_in(row: &Row) -> bool {
    let name = shell(row).rsplit('/').next().unwrap_or_default();
    !matches!(
        name,
        "nologin" | "false" | "true" | "sync" | "shutdown" | "halt"
    )
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn the_table_is_judged_by_its_columns() {
        let text = "root:x:0:0:root:/root:/bin/bash\ntoor:*:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:/usr/sbin/nologin\n";
        let told = |yaml: &str, text: &str| {
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
                told(yaml, text).starts_with(outcome),
                "{yaml}: {}",
                told(yaml, text)
            );
        }
        let open = "svc:x:100:100::/:\nbob:x:1000:1000::/:/bin/bash\n";
        assert!(
            told("{passwd: all, system_logins: {same_set: [svc]}}", open).starts_with("passed")
        );
        assert!(
            told(
                "{passwd: all, roots: {same_set: [root]}}",
                "root:x:0:0:root:/root:/bin/bash\nodd\n"
            )
            .starts_with("error")
        );
        let line = told("{passwd: all, roots: {same_set: [root]}}", text);
        assert_eq!(
            line,
            "failed  passwd:all  roots: expected exactly \"root\", actual \"root\", \"toor\""
        );
    }
}
