//! The `packages` resource: installed packages by a name pattern.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::pattern;
use crate::resource_type::{InvalidValue, Property, ResourceRef, ResourceType, Subject, ValueType};

use super::package;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "packages",
    "Installed packages whose names match a pattern. By default, there must be at least one.",
    Subject::new(
        "pattern",
        "Pattern for the whole name: `*` is any text, `?` one character, `[a-z]` a character \
         class. Example: linux-image-*.",
        check_pattern,
    ),
    observe,
)
.with_properties(&[
    Property::new("names", ValueType::List, "Distinct names."),
    Property::new(
        "versions",
        ValueType::List,
        "Versions in the order of the packages. A package with several architectures has one for each.",
    ),
])
.with_defaults(&["names"]);

fn check_pattern(pattern: &str) -> Result<(), InvalidValue> {
    let help = "use a pattern such as `linux-image-*`";
    if pattern.is_empty() || pattern.contains(char::is_whitespace) {
        return Err(InvalidValue::new(
            "the pattern is empty or contains spaces",
            help,
        ));
    }
    pattern::plain(&to_regex(pattern))
        .map(drop)
        .map_err(|why| InvalidValue::new(why.to_string(), help))
}

/// Converts a pattern to a regular expression for the whole name.
fn to_regex(pattern: &str) -> String {
    let mut out = String::from(r"\A");
    let mut inside = false;
    for c in pattern.chars() {
        match c {
            '*' if !inside => out.push_str(".*"),
            '?' if !inside => out.push('.'),
            '[' if !inside => {
                inside = true;
                out.push('[');
            }
            ']' if inside => {
                inside = false;
                out.push(']');
            }
            '!' if inside && out.ends_with('[') => out.push('^'),
            '-' if inside => out.push('-'),
            c if c.is_alphanumeric() => out.push(c),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
    }
    out + r"\z"
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let pattern = match pattern::plain(&to_regex(&target.subject)) {
        Ok(pattern) => pattern,
        Err(why) => return Observation::Unknown(why.to_string()),
    };
    view.parse_reading("packages", "", package::parse_packages)
        .observe("has no package database", |rows| {
            let fitting = rows
                .iter()
                .filter(|(name, _)| pattern.is_match(name.as_bytes()));
            let mut names = Vec::new();
            let mut versions = Vec::new();
            for (name, rows) in fitting {
                let installed = rows.iter().filter(|row| package::is_installed(&row.status));
                versions.extend(installed.clone().map(|row| row.version.clone()));
                names.extend(installed.take(1).map(|_| name.clone()));
            }
            Observation::list(if property == "versions" {
                versions
            } else {
                names
            })
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines, refusal};

    #[test]
    fn patterns_match_whole_names_of_installed_packages() {
        let rows = "linux-image-6.1\tamd64\tinstall ok installed\t6.1-1\t\t\nlinux-image-6.2\tamd64\tdeinstall ok config-files\t6.2\t\t\n\
            libc6\tamd64\tinstall ok installed\t2.36\t\t\nlibc6\ti386\tinstall ok installed\t2.35\t\t\ng++\tamd64\tinstall ok installed\t12\t\t\n";
        let judge_check = |yaml: &str| {
            lines(
                &format!("- {{packages: {yaml}}}"),
                &[IDENTITY, ("packages", "", 0, "-", rows)],
            )
            .join("")
        };
        for yaml in [
            "\"linux-image-*\"",
            "\"linux-image-*\", names: {same_set: [linux-image-6.1]}, versions: {same_set: \
                [6.1-1]}",
            "\"libc?\", names: {count: 1}, versions: {same_set: [\"2.35\", \"2.36\"]}",
            "\"lib[!a-b]6\"",
            "\"g++\"",
            "\"image*\", names: {empty: true}",
            "\"g+\", names: {empty: true}",
        ] {
            assert!(
                judge_check(yaml).starts_with("passed"),
                "{yaml}: {}",
                judge_check(yaml)
            );
        }
        assert_eq!(
            judge_check("\"telnet*\""),
            "failed  packages:telnet*  names: expected not empty, actual nothing"
        );
        assert!(
            lines("- {packages: x, names: {empty: true}}", &[IDENTITY])[0].starts_with("error")
        );
        assert!(refusal("{packages: \"[a\"}").contains("pattern"));
    }
}
