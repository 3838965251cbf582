//! Compares values with matchers.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::matcher::context::{MatchContext, VersionOrder};
use crate::matcher::definition::Matcher;
use crate::matcher::error::{MatchError, ValueError};
use crate::matcher::json_pointer;
use crate::matcher::value::{Value, quantity};
use crate::text::truncate_for_display;

type MatchResult = Result<bool, MatchError>;

impl Matcher {
    /// Compares a value.
    ///
    /// # Errors
    /// Returns an error if the value is missing or does not fit the operand.
    pub(crate) fn matches(&self, value: &Value, context: &MatchContext) -> MatchResult {
        Ok(match self {
            Self::Not(inner) => !inner.matches(value, context)?,
            Self::And(matchers) => all(matchers, |m| m.matches(value, context))?,
            Self::Or(matchers) => any(matchers, |m| m.matches(value, context))?,
            Self::Absent(expected) => !expected,
            Self::Eq(expected) => value.equals(expected, context.versions)?,
            Self::Cmp(expected) => value.equals_loosely(expected, context.versions)?,
            Self::In(list) => equals_one_of(value, list, context.versions)?,
            Self::Match(pattern) => matches_pattern(value, pattern, context)?,
            Self::Include(text) => includes(value, text),
            Self::Line(line) => lines(value).contains(line),
            Self::AtMost(limit) => {
                value.is_within(limit, context.versions, Ordering::is_le, |mode, max| {
                    mode & !max == 0
                })?
            }
            Self::AtLeast(limit) => {
                value.is_within(limit, context.versions, Ordering::is_ge, |mode, min| {
                    mode & min == min
                })?
            }
            Self::SubsetOf(list) => item_set(value).is_subset(&to_set(list)),
            Self::SupersetOf(list) => item_set(value).is_superset(&to_set(list)),
            Self::SameSet(list) => item_set(value) == to_set(list),
            Self::Disjoint(list) => item_set(value).is_disjoint(&to_set(list)),
            Self::Empty(expected) => is_empty(value) == *expected,
            Self::Duplicates(expected) => {
                (item_set(value).len() != items(value).len()) == *expected
            }
            Self::Count(inner) => inner.matches(&count_items(value), context)?,
            Self::Each(inner) => all(&items(value), |item| {
                inner.matches(&item_value(item), context)
            })?,
            Self::Any(inner) => any(&items(value), |item| {
                inner.matches(&item_value(item), context)
            })?,
            Self::Version(inner) => inner.matches(&Value::Version(single_text(value)?), context)?,
            Self::Duration(inner) => inner.matches(&parse_duration(value)?, context)?,
            Self::Json(each) => json_pointer::matches(each, value, context)?,
        })
    }

    /// Compares a value, with the defaults of the context.
    #[cfg(test)]
    pub(crate) fn test(&self, value: &Value) -> MatchResult {
        self.matches(value, &MatchContext::default())
    }
}

/// Returns whether a value equals one of the operands. For a list, returns whether each item does.
fn equals_one_of(value: &Value, list: &[String], versions: VersionOrder) -> MatchResult {
    if value.list().is_some() {
        return Ok(to_set(&lines(value)).is_subset(&to_set(list)));
    }
    any(list, |expected| Ok(value.equals(expected, versions)?))
}

/// Returns whether a text or at least one item of a list contains a match.
fn matches_pattern(value: &Value, pattern: &str, context: &MatchContext) -> MatchResult {
    match value.list() {
        Some(items) => any(items, |item| {
            Ok(context.patterns.is_match(pattern, item.as_bytes())?)
        }),
        None => Ok(context.patterns.is_match(pattern, value.bytes().as_ref())?),
    }
}

/// Returns whether a text contains the operand, or a list has it as an item.
fn includes(value: &Value, text: &String) -> bool {
    match value.list() {
        Some(items) => items.contains(text),
        None => contains(value.bytes().as_ref(), text.as_bytes()),
    }
}

fn is_empty(value: &Value) -> bool {
    value
        .list()
        .map_or_else(|| value.bytes().is_empty(), <[String]>::is_empty)
}

fn count_items(value: &Value) -> Value {
    Value::Number(i64::try_from(items(value).len()).unwrap_or(i64::MAX))
}

/// Converts the text of a value to a duration in seconds.
fn parse_duration(value: &Value) -> Result<Value, ValueError> {
    let text = single_text(value)?;
    quantity(&text)
        .map(Value::Number)
        .ok_or_else(|| ValueError::Duration(truncate_for_display(text.as_bytes())))
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
pub(super) fn items(value: &Value) -> Vec<String> {
    match value {
        Value::Setting(values) if values.len() == 1 => values[0]
            .split(',')
            .map(|part| part.trim().to_owned())
            .collect(),
        _ => lines(value),
    }
}

fn item_set(value: &Value) -> BTreeSet<String> {
    to_set(&items(value))
}

fn to_set(items: &[String]) -> BTreeSet<String> {
    items.iter().cloned().collect()
}

/// Converts an item to a value.
pub(super) fn item_value(item: &str) -> Value {
    Value::Setting(vec![item.to_owned()])
}

/// Returns the trimmed text of a single value.
fn single_text(value: &Value) -> Result<String, ValueError> {
    match value.list() {
        Some(items) => Err(ValueError::SeveralValues { count: items.len() }),
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
            Err(error @ MatchError::Missing { .. }) => missing = missing.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    missing.map_or(Ok(false), Err)
}

/// Returns whether `haystack` contains `needle`.
pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests;
