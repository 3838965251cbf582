//! The `etc_group` resource: the group table, or one group.

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{InvalidValue, Property, ResourceRef, ResourceType, Subject, ValueType};
use crate::text::truncate_for_display;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "etc_group",
    "Group table (/etc/group), or one group. By default, the group must exist.",
    Subject::new(
        "group",
        "Name of a group, or `all` for the table.",
        account_name,
    ),
    observe,
)
.with_properties(&[
    Property::new("exists", ValueType::Bool, "One group: true if it exists.").or(&["exist"]),
    Property::new("gid", ValueType::Number, "One group: the GID."),
    Property::new(
        "members",
        ValueType::List,
        "One group: its members, without users that have it as primary group. `all`: the \
         members of all groups.",
    )
    .or(&["users"]),
    Property::new("names", ValueType::List, "`all`: the names.").or(&["groups"]),
    Property::new("gids", ValueType::List, "`all`: the GIDs."),
])
.with_defaults(&["exists"])
.with_presence("exists");

/// Checks the name of a user or group, or `all`.
pub(super) fn account_name(name: &str) -> Result<(), InvalidValue> {
    if name.is_empty()
        || name.len() > 255
        || name.contains([':', ',', '/'])
        || name.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(InvalidValue::new(
            format!(
                "`{}` is not an account name",
                truncate_for_display(name.as_bytes())
            ),
            "write a name, or `all`",
        ));
    }
    Ok(())
}

struct GroupRow {
    name: String,
    gid: String,
    members: Vec<String>,
}

/// Parses group(5). A line without four fields could hide a group, so it is an error.
fn parse_rows(text: &str) -> Result<Vec<GroupRow>, ReadError> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields.as_slice() else {
            return Err(ReadError::unknown_line("a line in /etc/group", line));
        };
        let members = members
            .split(',')
            .map(str::trim)
            .filter(|m| !m.is_empty())
            .map(str::to_owned)
            .collect();
        Ok(GroupRow {
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

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    view.parse_reading("group", "", parse_rows)
        .observe("has no group table", |rows| {
            if target.subject == "all" {
                return match property {
                    "names" => Observation::list(rows.iter().map(|row| row.name.clone())),
                    "gids" => Observation::list(rows.iter().map(|row| row.gid.clone())),
                    "members" => {
                        Observation::list(rows.iter().flat_map(|row| row.members.iter().cloned()))
                    }
                    _ => Observation::Unknown(format!(
                        "`{property}` needs the name of a group, not \
                        `all`"
                    )),
                };
            }
            let row = rows.iter().find(|row| row.name == target.subject);
            match (property, row) {
                ("exists", row) => Observation::bool(row.is_some()),
                ("names" | "gids", _) => Observation::Unknown(format!(
                    "`{property}` needs `all`, not the name of a group"
                )),
                (_, None) => Observation::Missing("does not exist".to_owned()),
                ("gid", Some(row)) => parse_id(&row.gid),
                (_, Some(row)) => Observation::list(row.members.iter().cloned()),
            }
        })
}

/// Parses a UID or GID.
pub(super) fn parse_id(text: &str) -> Observation {
    match text.parse() {
        Ok(n) => Observation::Value(Value::Number(n)),
        Err(_) => Observation::Unknown(format!(
            "`{}` is not a number",
            truncate_for_display(text.as_bytes())
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn one_group_and_the_table_are_judged() {
        let text = "root:x:0:\nsudo:x:27:bob,eve\nempty:x:99:\n";
        let judge_check = |yaml: &str| {
            lines(
                &format!("- {yaml}"),
                &[IDENTITY, ("group", "", 0, "-", text)],
            )
            .join("")
        };
        for (yaml, outcome) in [
            (
                "{etc_group: all, names: {include: sudo, duplicates: false}, gids: {duplicates: \
                    false}}",
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
            assert!(
                judge_check(yaml).starts_with(outcome),
                "{yaml}: {}",
                judge_check(yaml)
            );
        }
        let verdicts = lines(
            "- {etc_group: x, exists: false}",
            &[IDENTITY, ("group", "", 0, "-", "root:x:0:\nodd\n")],
        );
        assert!(verdicts[0].starts_with("error"), "{verdicts:?}");
    }
}
