//! Parses the body of a check: a resource or a group of expectations.

use crate::language::control::{Group, Item, Mode};
use crate::language::parse::keys::COMMON;
use crate::language::parse::parser::CheckParser;
use crate::matcher::tree::Tree;
use crate::problem::Problem;
use crate::registry;
use crate::resource_type::ResourceType;

/// Keys of groups of expectations.
const GROUPS: &[(&str, Mode)] = &[
    ("checks", Mode::All),
    ("all_of", Mode::All),
    ("any_of", Mode::Any),
    ("none_of", Mode::None),
];

impl CheckParser<'_> {
    /// Parses the expectations of a check.
    pub(super) fn parse_body(&mut self, check: &Tree, manual: bool) -> Group {
        let groups: Vec<_> = GROUPS
            .iter()
            .filter(|(key, _)| check.get(key).is_some())
            .collect();
        let kinds = named_kinds(check);
        let items = match (kinds.as_slice(), groups.as_slice()) {
            ([kind], []) => vec![Item::Expect(self.parse_expectation(check, kind, COMMON))],
            ([], [(key, mode)]) => return self.parse_group(check, key, *mode),
            ([], []) => {
                if !manual {
                    self.report(no_resource("check"));
                }
                Vec::new()
            }
            _ => {
                let second = kinds.get(1).map(|kind| kind.name);
                let group = groups.first().map(|(key, _)| *key);
                self.report(second_resource(second.or(group).unwrap_or_default()));
                Vec::new()
            }
        };
        let mode = Mode::All;
        Group { mode, items }
    }

    fn parse_group(&mut self, check: &Tree, key: &str, mode: Mode) -> Group {
        let entries = check.get(key).map(Tree::items).unwrap_or_default();
        let mut items = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let before = self.problems.len();
            items.extend(self.parse_member(entry));
            for problem in &mut self.problems[before..] {
                *problem = problem.clone().under_item(i).under(key);
            }
        }
        if entries.is_empty() {
            self.report(Problem::new(format!("`{key}` is empty"), "add an expectation").under(key));
        }
        Group { mode, items }
    }

    /// Parses a member of a group: a resource or a nested group.
    fn parse_member(&mut self, entry: &Tree) -> Option<Item> {
        let nested = GROUPS.iter().find(|(key, _)| entry.get(key).is_some());
        match (named_kinds(entry).as_slice(), nested) {
            ([kind], None) => {
                let expectation = self.parse_expectation(entry, kind, &["if_absent"]);
                Some(Item::Expect(expectation))
            }
            ([], Some((key, mode))) => Some(Item::Group(self.parse_group(entry, key, *mode))),
            ([_, second, ..], None) => {
                self.report(second_resource(second.name));
                None
            }
            ([_, ..], Some((group, _))) => {
                self.report(second_resource(group));
                None
            }
            _ => {
                self.report(no_resource("entry"));
                None
            }
        }
    }
}

/// Returns the resource types that the keys of an entry name. Later keys that are a property or
/// parameter of the first resource do not count.
fn named_kinds(entry: &Tree) -> Vec<&'static ResourceType> {
    let mut all = entry
        .entries()
        .iter()
        .filter_map(|(key, _)| registry::resource_type(key));
    let Some(first) = all.next() else {
        return Vec::new();
    };
    let is_own_key = |name: &str| {
        first.property(name).is_some() || first.parameters.iter().any(|p| p.name == name)
    };
    std::iter::once(first)
        .chain(all.filter(|kind| !is_own_key(kind.name)))
        .collect()
}

/// Returns the problem of a check, or of an entry in a group, that names no resource.
fn no_resource(place: &str) -> Problem {
    let names: Vec<&str> = registry::RESOURCE_TYPES
        .iter()
        .map(|kind| kind.name)
        .collect();
    Problem::new(
        format!("the {place} names no resource"),
        format!("use one of {}", names.join(", ")),
    )
}

fn second_resource(other: &str) -> Problem {
    Problem::new(
        "a check can have only one resource or group",
        "move this key to a separate check",
    )
    .at_key()
    .under(other)
}
