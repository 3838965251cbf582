//! The `etc_group` resource: the table of groups, or one group of it.

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::text::brief;

pub(crate) static KIND: Kind = Kind {
    name: "etc_group",
    doc: "The table of groups, or one group; with nothing else: there is such a group.",
    subject: Subject { name: "group", doc: "A group's name, or `all` for the table.", words: &[], check: account_name },
    parameters: &[],
    properties: &[
        Property::new("exists", Of::Bool, "Of a group: whether there is one.").or(&["exist"]),
        Property::new("gid", Of::Number, "Of a group: its number."),
        Property::new(
            "members",
            Of::List,
            "Of a group: who is in it beside those whose own group it is. Of `all`: everybody who is in any.",
        )
        .or(&["users"]),
        Property::new("names", Of::List, "Of `all`: the names.").or(&["groups"]),
        Property::new("gids", Of::List, "Of `all`: the numbers."),
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

/// What can be the name of a user or group, or `all`.
pub(super) fn account_name(name: &str) -> Result<(), (String, &'static str)> {
    if name.is_empty()
        || name.len() > 255
        || name.contains([':', ',', '/'])
        || name.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err((
            format!("`{}` is no name of an account", brief(name.as_bytes())),
            "write a name, or `all`",
        ));
    }
    Ok(())
}

/// It is in the base set.
fn requests(_: &[Asked<'_>]) -> Vec<String> {
    Vec::new()
}

struct Row {
    name: String,
    gid: String,
    members: Vec<String>,
}

/// group(5): four fields; a line of any other form could hide a group.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields.as_slice() else {
            return Err(format!(
                "a line of group has an unknown form: {}",
                brief(line.as_bytes())
            ));
        };
        let members = members
            .split(',')
            .map(str::trim)
            .filter(|m| !m.is_empty())
            .map(str::to_owned)
            .collect();
        Ok(Row {
            name: (*name).to_owned(),
            gid: (*gid).to_owned(),
            members,
        })
    };
    text.lines()
        .filter(|line| !line.is_empty())
        .map(row)
        .collect()
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    view.parsed("group", "", rows)
        .observe("has no table of groups", |rows| {
            if target.subject == "all" {
                return match property {
                    "names" => Observed::list(rows.iter().map(|row| row.name.clone())),
                    "gids" => Observed::list(rows.iter().map(|row| row.gid.clone())),
                    "members" => {
                        Observed::list(rows.iter().flat_map(|row| row.members.iter().cloned()))
                    }
                    _ => Observed::Unknown(format!("`{property}` is of one group, not of `all`")),
                };
            }
            let row = rows.iter().find(|row| row.name == target.subject);
            match (property, row) {
                ("exists", row) => Observed::bool(row.is_some()),
                ("names" | "gids", _) => {
                    Observed::Unknown(format!("`{property}` is of `all`, not of one group"))
                }
                (_, None) => Observed::Missing("does not exist".to_owned()),
                ("gid", Some(row)) => number(&row.gid),
                (_, Some(row)) => Observed::list(row.members.iter().cloned()),
            }
        })
}

/// A number of an account.
pub(super) fn number(text: &str) -> Observed {
    match text.parse() {
        Ok(n) => Observed::Value(Value::Number(n)),
        Err(_) => Observed::Unknown(format!("`{}` is no number", brief(text.as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn groups_are_judged_one_by_one_and_together() {
        let text = "root:x:0:\nsudo:x:27:bob,eve\nempty:x:99:\n";
        let told = |yaml: &str| {
            lines(
                &format!("- {yaml}"),
                &[IDENTITY, ("group", "", 0, "-", text)],
            )
            .join("")
        };
        for (yaml, outcome) in [
            (
                "{etc_group: all, names: {include: sudo, duplicates: false}, gids: {duplicates: false}}",
                "passed",
            ),
            ("{etc_group: all, gids: {include: \"1\"}}", "failed"),
            ("{etc_group: sudo}", "passed"),
            (
                "{etc_group: sudo, gid: 27, members: {same_set: [bob, eve]}}",
                "passed",
            ),
            ("{etc_group: sudo, members: {subset_of: [bob]}}", "failed"),
            ("{etc_group: empty, members: {empty: true}}", "passed"),
            ("{etc_group: docker, exists: false}", "passed"),
            ("{etc_group: docker, members: {empty: true}}", "failed"),
            (
                "{etc_group: docker, members: {empty: true}, if_absent: skip}",
                "skipped",
            ),
            ("{etc_group: all, gid: 0}", "error"),
        ] {
            assert!(told(yaml).starts_with(outcome), "{yaml}: {}", told(yaml));
        }
        let told = lines(
            "- {etc_group: x, exists: false}",
            &[IDENTITY, ("group", "", 0, "-", "root:x:0:\nodd\n")],
        );
        assert!(told[0].starts_with("error"), "{told:?}");
    }
}
