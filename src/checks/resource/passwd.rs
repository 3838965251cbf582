//! The `passwd` resource: the table of accounts as a whole.

use crate::checks::Phase;
use crate::checks::facts::brief;
use crate::checks::kind::{Asked, Kind, Of, Property, Target, words};
use crate::checks::observed::Observed;
use crate::checks::view::View;

pub(crate) static KIND: Kind = Kind {
    name: "passwd",
    doc: "The table of accounts as a whole.",
    subject: words("table", "All accounts: `all`.", &["all"]),
    parameters: &[],
    properties: &[
        Property::new("users", Of::List, "The names."),
        Property::new("uids", Of::List, "The numbers."),
        Property::new("gids", Of::List, "The numbers of the accounts' own groups."),
        Property::new("homes", Of::List, "The home directories."),
        Property::new("shells", Of::List, "The login shells."),
        Property::new(
            "passwords",
            Of::List,
            "What stands for the passwords: x, *, !, nothing, or `hash` for one that is there itself.",
        ),
        Property::new("roots", Of::List, "The names of the accounts with the number 0."),
    ],
    open: None,
    by_default: &[],
    implied: &[],
    presence: None,
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
        Row::try_from(fields).map_err(|_| format!("a line of passwd has an unknown form: {}", brief(line.as_bytes())))
    };
    text.lines().filter(|line| !line.is_empty()).map(row).collect()
}

fn observe(_: &Target, property: &str, view: &View<'_>) -> Observed {
    view.parsed("passwd", "", rows).observe("has no table of accounts", |rows| {
        let column = |n: usize| Observed::list(rows.iter().map(|row| row[n].clone()));
        match property {
            "users" => column(0),
            "passwords" => column(1),
            "uids" => column(2),
            "gids" => column(3),
            "homes" => column(5),
            "shells" => column(6),
            _ => Observed::list(rows.iter().filter(|row| row[2].parse() == Ok(0_u32)).map(|row| row[0].clone())),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{IDENTITY, lines};

    #[test]
    fn the_table_is_judged_by_its_columns() {
        let text =
            "root:x:0:0:root:/root:/bin/bash\ntoor:*:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:/usr/sbin/nologin\n";
        let told =
            |yaml: &str, text: &str| lines(&format!("- {yaml}"), &[IDENTITY, ("passwd", "", 0, "-", text)]).join("");
        for (yaml, outcome) in [
            ("{passwd: all, users: {include: web, duplicates: false}}", "passed"),
            ("{passwd: all, uids: {duplicates: false}}", "failed"),
            ("{passwd: all, passwords: {subset_of: [x, \"*\"]}}", "passed"),
            ("{passwd: all, roots: {same_set: [root]}}", "failed"),
            ("{passwd: all, shells: {each: {match: \"^/\"}, count: 3}}", "passed"),
            ("{passwd: all, homes: {any: /var/www, disjoint: [/]}}", "passed"),
        ] {
            assert!(told(yaml, text).starts_with(outcome), "{yaml}: {}", told(yaml, text));
        }
        assert!(
            told("{passwd: all, roots: {same_set: [root]}}", "root:x:0:0:root:/root:/bin/bash\nodd\n")
                .starts_with("error")
        );
        let line = told("{passwd: all, roots: {same_set: [root]}}", text);
        assert_eq!(line, "failed  passwd:all  roots: expected just \"root\", actual \"root\", \"toor\"");
    }
}
