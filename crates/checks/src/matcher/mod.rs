//! Defines matchers and compares them with values.

mod json_pointer;
pub(crate) mod parse;
pub(crate) mod pattern;
pub(crate) mod tree;
pub(crate) mod value;
pub(crate) mod value_type;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::matcher::pattern::Patterns;
use crate::matcher::value::{Value, join_quoted, quantity};
use crate::matcher::value_type::ValueType;
use crate::text::truncate_for_display;

/// Comparison of a value. Operands are normalized text, such as `true`, `42` or `0644`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// Equal to the operand.
    Eq(String),
    /// Equal, ignoring case and the format of numbers (InSpec's `cmp`).
    Cmp(String),
    /// Negation.
    Not(Box<Matcher>),
    /// All matchers.
    And(Vec<Matcher>),
    /// At least one matcher.
    Or(Vec<Matcher>),
    /// No value (`true`) or any value (`false`).
    Absent(bool),
    /// Match of a regular expression; `^` and `$` match at line ends, classes are ASCII.
    Match(String),
    /// Text that contains the operand, or list with it as an item.
    Include(String),
    /// Text with this line, or list with this item.
    Line(String),
    /// Equal to one of the operands.
    In(Vec<String>),
    /// Number, version or duration up to the limit; mode without other bits.
    AtMost(String),
    /// Number, version or duration from the limit; mode with at least these bits.
    AtLeast(String),
    /// List without other items.
    SubsetOf(Vec<String>),
    /// List with all of these items.
    SupersetOf(Vec<String>),
    /// List with exactly these items, in any order.
    SameSet(Vec<String>),
    /// List with none of these items.
    Disjoint(Vec<String>),
    /// Empty (`true`) or not empty (`false`).
    Empty(bool),
    /// With (`true`) or without (`false`) duplicate items.
    Duplicates(bool),
    /// Matcher for the number of items.
    Count(Box<Matcher>),
    /// Matcher for every item; an empty list matches.
    Each(Box<Matcher>),
    /// Matcher for at least one item.
    Any(Box<Matcher>),
    /// Matcher for the text as a package version.
    Version(Box<Matcher>),
    /// Matcher for the text as a duration in seconds.
    Duration(Box<Matcher>),
    /// Matchers for the values at JSON pointers (RFC 6901).
    Json(Vec<(String, Matcher)>),
}

/// Reason why a value cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MatchError {
    /// Missing value; fails negated matchers too.
    Missing(String),
    /// Value that does not fit the operand.
    Error(String),
}

impl From<String> for MatchError {
    fn from(why: String) -> Self {
        Self::Error(why)
    }
}

type MatchResult = Result<bool, MatchError>;

impl Matcher {
    /// Creates the matcher for a boolean.
    pub(crate) fn bool(expected: bool) -> Self {
        Self::Eq(expected.to_string())
    }

    /// Returns whether a missing value matches.
    pub(crate) fn accepts_missing(&self) -> bool {
        match self {
            Self::Absent(expected) => *expected,
            Self::Or(matchers) => matchers.iter().any(Self::accepts_missing),
            Self::And(matchers) => matchers.iter().all(Self::accepts_missing),
            Self::Not(inner) => matches!(**inner, Self::Absent(false)),
            _ => false,
        }
    }

    /// Describes the matcher for messages, to follow "expected".
    pub(crate) fn describe(&self, value_type: ValueType) -> String {
        let operand = |text: &str| match value_type {
            ValueType::Bool | ValueType::Number => text.to_owned(),
            _ => format!("\"{}\"", truncate_for_display(text.as_bytes())),
        };
        let join = |matchers: &[Self], word: &str| {
            matchers
                .iter()
                .map(|m| m.describe(value_type))
                .collect::<Vec<_>>()
                .join(word)
        };
        match self {
            Self::Eq(v) => operand(v),
            Self::Cmp(v) => format!("{} (ignoring case)", operand(v)),
            Self::Not(inner) => format!("not {}", inner.describe(value_type)),
            Self::And(matchers) => join(matchers, " and "),
            Self::Or(matchers) => join(matchers, " or "),
            Self::Absent(true) => "no value".to_owned(),
            Self::Absent(false) => "a value".to_owned(),
            Self::Match(v) => format!("a match of {}", operand(v)),
            Self::Include(v) => format!("a value including {}", operand(v)),
            Self::Line(v) => format!("the line {}", operand(v)),
            Self::In(list) => format!(
                "one of {}",
                list.iter()
                    .map(|v| operand(v))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Self::AtMost(v) => format!("at most {}", operand(v)),
            Self::AtLeast(v) => format!("at least {}", operand(v)),
            Self::SubsetOf(list) => format!("only {}", join_quoted(list)),
            Self::SupersetOf(list) => format!("all of {}", join_quoted(list)),
            Self::SameSet(list) => format!("exactly {}", join_quoted(list)),
            Self::Disjoint(list) => format!("none of {}", join_quoted(list)),
            Self::Empty(true) => "empty".to_owned(),
            Self::Empty(false) => "not empty".to_owned(),
            Self::Duplicates(true) => "duplicates".to_owned(),
            Self::Duplicates(false) => "no duplicates".to_owned(),
            Self::Count(inner) => format!("a count of {}", inner.describe(ValueType::Number)),
            Self::Each(inner) => format!("every item {}", inner.describe(ValueType::Setting)),
            Self::Any(inner) => format!("an item {}", inner.describe(ValueType::Setting)),
            Self::Version(inner) => format!("a version {}", inner.describe(ValueType::Version)),
            Self::Duration(inner) => {
                format!(
                    "a duration of {} seconds",
                    inner.describe(ValueType::Number)
                )
            }
            Self::Json(each) => {
                let each = each
                    .iter()
                    .map(|(at, m)| format!("at {at} {}", m.describe(ValueType::Setting)));
                format!("JSON with {}", each.collect::<Vec<_>>().join(" and "))
            }
        }
    }

    /// Compares a value.
    ///
    /// # Errors
    /// Returns an error if the value is missing or does not fit the operand.
    pub(crate) fn matches(&self, value: &Value, patterns: &Patterns) -> MatchResult {
        let set = |items: &[String]| items.iter().cloned().collect::<BTreeSet<String>>();
        Ok(match self {
            Self::Not(inner) => !inner.matches(value, patterns)?,
            Self::And(matchers) => all(matchers, |m| m.matches(value, patterns))?,
            Self::Or(matchers) => any(matchers, |m| m.matches(value, patterns))?,
            Self::Absent(expected) => !expected,
            Self::Eq(expected) => value.equals(expected)?,
            Self::Cmp(expected) => value.equals_loosely(expected)?,
            Self::In(list) if value.list().is_some() => set(&lines(value)).is_subset(&set(list)),
            Self::In(list) => any(list, |expected| Ok(value.equals(expected)?))?,
            Self::Match(pattern) => match value.list() {
                Some(items) => any(items, |item| {
                    Ok(patterns.is_match(pattern, item.as_bytes())?)
                })?,
                None => patterns.is_match(pattern, value.bytes().as_ref())?,
            },
            Self::Include(text) => match value.list() {
                Some(items) => items.contains(text),
                None => contains(value.bytes().as_ref(), text.as_bytes()),
            },
            Self::Line(line) => lines(value).contains(line),
            Self::AtMost(limit) => {
                value.is_within(limit, Ordering::is_le, |mode, max| mode & !max == 0)?
            }
            Self::AtLeast(limit) => {
                value.is_within(limit, Ordering::is_ge, |mode, min| mode & min == min)?
            }
            Self::SubsetOf(list) => set(&items(value)).is_subset(&set(list)),
            Self::SupersetOf(list) => set(&items(value)).is_superset(&set(list)),
            Self::SameSet(list) => set(&items(value)) == set(list),
            Self::Disjoint(list) => set(&items(value)).is_disjoint(&set(list)),
            Self::Empty(expected) => {
                value
                    .list()
                    .map_or_else(|| value.bytes().is_empty(), <[String]>::is_empty)
                    == *expected
            }
            Self::Duplicates(expected) => {
                let items = items(value);
                (set(&items).len() != items.len()) == *expected
            }
            Self::Count(inner) => {
                let count = i64::try_from(items(value).len()).unwrap_or(i64::MAX);
                inner.matches(&Value::Number(count), patterns)?
            }
            Self::Each(inner) => all(&items(value), |item| {
                inner.matches(&item_value(item), patterns)
            })?,
            Self::Any(inner) => any(&items(value), |item| {
                inner.matches(&item_value(item), patterns)
            })?,
            Self::Version(inner) => {
                inner.matches(&Value::Version(single_text(value)?), patterns)?
            }
            Self::Duration(inner) => {
                let text = single_text(value)?;
                let seconds = quantity(&text).ok_or_else(|| {
                    format!(
                        "`{}` is not a duration",
                        truncate_for_display(text.as_bytes())
                    )
                })?;
                inner.matches(&Value::Number(seconds), patterns)?
            }
            Self::Json(each) => json_pointer::matches(each, value, patterns)?,
        })
    }

    /// Compares a value, with an empty cache of patterns.
    #[cfg(test)]
    pub(crate) fn test(&self, value: &Value) -> MatchResult {
        self.matches(value, &Patterns::default())
    }
}

/// Returns the lines of a text or the items of a list.
fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Text(blob) => String::from_utf8_lossy(blob.bytes())
            .lines()
            .map(str::to_owned)
            .collect(),
        Value::Setting(items) | Value::List(items) => items.clone(),
        other => vec![String::from_utf8_lossy(&other.bytes()).into_owned()],
    }
}

/// Returns the items of a list; a single setting is split at commas.
fn items(value: &Value) -> Vec<String> {
    match value {
        Value::Setting(values) if values.len() == 1 => values[0]
            .split(',')
            .map(|part| part.trim().to_owned())
            .collect(),
        _ => lines(value),
    }
}

/// Converts an item to a value.
fn item_value(item: &str) -> Value {
    Value::Setting(vec![item.to_owned()])
}

/// Returns the trimmed text of a single value.
fn single_text(value: &Value) -> Result<String, String> {
    match value.list() {
        Some(items) => Err(format!("{} values have no order", items.len())),
        None => Ok(String::from_utf8_lossy(&value.bytes()).trim().to_owned()),
    }
}

/// Returns whether all items match; a mismatch takes precedence over a missing value.
fn all<T>(items: &[T], mut matches: impl FnMut(&T) -> MatchResult) -> MatchResult {
    any(items, |item| matches(item).map(|matched| !matched)).map(|mismatch| !mismatch)
}

/// Returns whether an item matches; a match takes precedence over a missing value.
fn any<T>(items: &[T], mut matches: impl FnMut(&T) -> MatchResult) -> MatchResult {
    let mut missing = None;
    for item in items {
        match matches(item) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(MatchError::Missing(why)) => missing = missing.or(Some(why)),
            Err(error) => return Err(error),
        }
    }
    missing.map_or(Ok(false), |why| Err(MatchError::Missing(why)))
}

/// Returns whether `haystack` contains `needle`.
pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests;
