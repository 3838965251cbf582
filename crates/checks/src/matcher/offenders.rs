//! Names the items of a list for which a matcher fails.

use std::collections::BTreeSet;

use crate::matcher::compare::{item_value, items};
use crate::matcher::context::MatchContext;
use crate::matcher::definition::Matcher;
use crate::matcher::value::{Value, join_quoted};

/// Number of items that a message lists.
const MAX_ITEMS: usize = 5;

impl Matcher {
    /// Describes the items because of which a value does not match: `not allowed: "x"`.
    pub(crate) fn offenders(&self, value: &Value, context: &MatchContext) -> Option<String> {
        let found = items(value);
        let without = |allowed: &[String]| select(&found, |item| !allowed.contains(item));
        let missing = |wanted: &[String]| select(wanted, |item| !found.contains(item));
        let (extra, absent) = match self {
            Self::And(matchers) => {
                let mut failed = matchers
                    .iter()
                    .filter(|m| !matches!(m.matches(value, context), Ok(true)));
                return failed.find_map(|m| m.offenders(value, context));
            }
            Self::SubsetOf(allowed) => (without(allowed), Vec::new()),
            Self::In(allowed) if value.list().is_some() => (without(allowed), Vec::new()),
            Self::SupersetOf(wanted) => (Vec::new(), missing(wanted)),
            Self::SameSet(wanted) => (without(wanted), missing(wanted)),
            Self::Disjoint(refused) => (select(&found, |item| refused.contains(item)), Vec::new()),
            Self::Duplicates(false) => {
                let mut seen = BTreeSet::new();
                let twice = found.iter().filter(|item| !seen.insert(*item));
                let twice: BTreeSet<String> = twice.cloned().collect();
                (twice.into_iter().collect(), Vec::new())
            }
            Self::Each(inner) => {
                let fails =
                    |item: &String| !matches!(inner.matches(&item_value(item), context), Ok(true));
                (select(&found, fails), Vec::new())
            }
            _ => return None,
        };
        let parts: Vec<String> = [("not allowed", extra), ("missing", absent)]
            .into_iter()
            .filter(|(_, items)| !items.is_empty())
            .map(|(what, items)| format!("{what}: {}", list(&items)))
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn select(items: &[String], wanted: impl Fn(&String) -> bool) -> Vec<String> {
    items.iter().filter(|item| wanted(item)).cloned().collect()
}

fn list(items: &[String]) -> String {
    let (first, rest) = items.split_at(items.len().min(MAX_ITEMS));
    match rest.len() {
        0 => join_quoted(first),
        more => format!("{} and {more} more", join_quoted(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_list_matcher_names_the_offending_items() {
        let texts = |items: &[&str]| items.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>();
        let value = Value::List(texts(&["a", "b", "c", "d", "e", "f", "b"]));
        let has = |matcher: Matcher| matcher.offenders(&value, &MatchContext::default());
        let allowed = texts(&["a", "b", "c", "d", "e"]);
        for (matcher, expected) in [
            (
                Matcher::SubsetOf(allowed.clone()),
                Some("not allowed: \"f\""),
            ),
            (
                Matcher::SupersetOf(texts(&["a", "x"])),
                Some("missing: \"x\""),
            ),
            (
                Matcher::SameSet(texts(&["a", "b", "c", "d", "e", "x"])),
                Some("not allowed: \"f\"; missing: \"x\""),
            ),
            (Matcher::Disjoint(texts(&["f"])), Some("not allowed: \"f\"")),
            (Matcher::Duplicates(false), Some("not allowed: \"b\"")),
            (
                Matcher::Each(Box::new(Matcher::Match("[a-e]".to_owned()))),
                Some("not allowed: \"f\""),
            ),
            (
                Matcher::And(vec![Matcher::Empty(false), Matcher::SubsetOf(allowed)]),
                Some("not allowed: \"f\""),
            ),
            (Matcher::Empty(true), None),
        ] {
            assert_eq!(has(matcher.clone()).as_deref(), expected, "{matcher:?}");
        }
    }
}
