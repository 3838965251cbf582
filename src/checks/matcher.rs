//! Owns matchers: what they are once checked, and whether a value satisfies one.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::facts::brief;
use super::kind::Of;
use super::value::{Value, quoted};

/// What is expected of one property. Operands are kept as text in one spelling per kind (`true`, `42`, `0644`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// Equal.
    Eq(String),
    /// InSpec's `cmp`: equal without regard to case, numbers as numbers.
    Cmp(String),
    /// The opposite.
    Not(Box<Matcher>),
    /// Every one of these.
    And(Vec<Matcher>),
    /// At least one of these.
    Or(Vec<Matcher>),
    /// There is no value (`true`), or there is one (`false`).
    Absent(bool),
    /// The regular expression is found; `^` and `$` match at line ends, classes are ASCII.
    Match(String),
    /// The text is found; in a list: the text is one of its items.
    Include(String),
    /// One line, or one item of a list, is just this.
    Line(String),
    /// Equal to one of these.
    In(Vec<String>),
    /// A number, version or duration no greater; a mode with no other bits.
    AtMost(String),
    /// A number, version or duration no less; a mode with at least these bits.
    AtLeast(String),
    /// No item but these.
    SubsetOf(Vec<String>),
    /// All of these items, perhaps more.
    SupersetOf(Vec<String>),
    /// These items, in any order.
    SameSet(Vec<String>),
    /// None of these items.
    Disjoint(Vec<String>),
    /// Whether there is nothing in it.
    Empty(bool),
    /// Whether an item is there twice.
    Duplicates(bool),
    /// The number of items.
    Count(Box<Matcher>),
    /// Every item; also where there is none.
    Each(Box<Matcher>),
    /// At least one item.
    Any(Box<Matcher>),
}

impl Matcher {
    pub(crate) fn bool(expected: bool) -> Self {
        Self::Eq(expected.to_string())
    }

    /// Whether it is satisfied by there being no value.
    pub(crate) fn wants_nothing(&self) -> bool {
        match self {
            Self::Absent(wanted) => *wanted,
            Self::Or(several) => several.iter().any(Self::wants_nothing),
            Self::And(several) => several.iter().all(Self::wants_nothing),
            Self::Not(inner) => matches!(**inner, Self::Absent(false)),
            _ => false,
        }
    }

    /// How it reads after "expected ".
    pub(crate) fn describe(&self, of: Of) -> String {
        let shown = |text: &str| match of {
            Of::Bool | Of::Number => text.to_owned(),
            _ => format!("\"{}\"", brief(text.as_bytes())),
        };
        let join = |several: &[Self], word: &str| several.iter().map(|m| m.describe(of)).collect::<Vec<_>>().join(word);
        match self {
            Self::Eq(v) => shown(v),
            Self::Cmp(v) => format!("{} or the like", shown(v)),
            Self::Not(inner) => format!("not {}", inner.describe(of)),
            Self::And(several) => join(several, " and "),
            Self::Or(several) => join(several, " or "),
            Self::Absent(true) => "no value".to_owned(),
            Self::Absent(false) => "a value".to_owned(),
            Self::Match(v) => format!("a match of {}", shown(v)),
            Self::Include(v) => format!("something with {}", shown(v)),
            Self::Line(v) => format!("a line {}", shown(v)),
            Self::In(list) => format!("one of {}", list.iter().map(|v| shown(v)).collect::<Vec<_>>().join(", ")),
            Self::AtMost(v) => format!("at most {}", shown(v)),
            Self::AtLeast(v) => format!("at least {}", shown(v)),
            Self::SubsetOf(list) => format!("nothing but {}", quoted(list)),
            Self::SupersetOf(list) => format!("all of {}", quoted(list)),
            Self::SameSet(list) => format!("just {}", quoted(list)),
            Self::Disjoint(list) => format!("none of {}", quoted(list)),
            Self::Empty(true) => "nothing".to_owned(),
            Self::Empty(false) => "something".to_owned(),
            Self::Duplicates(true) => "duplicates".to_owned(),
            Self::Duplicates(false) => "no duplicates".to_owned(),
            Self::Count(inner) => format!("a count of {}", inner.describe(Of::Number)),
            Self::Each(inner) => format!("every item {}", inner.describe(Of::Setting)),
            Self::Any(inner) => format!("an item {}", inner.describe(Of::Setting)),
        }
    }

    /// Whether the value satisfies it.
    ///
    /// # Errors
    /// A value that can't be compared with the operand.
    pub(crate) fn test(&self, value: &Value) -> Result<bool, String> {
        let texts = || match value {
            Value::Text(blob) => String::from_utf8_lossy(blob.bytes()).lines().map(str::to_owned).collect(),
            Value::Setting(items) | Value::List(items) => items.clone(),
            other => vec![String::from_utf8_lossy(&other.bytes()).into_owned()],
        };
        // One setting with commas is a list of its parts for the matchers of items.
        let items = || match value {
            Value::Setting(values) if values.len() == 1 => {
                values[0].split(',').map(|part| part.trim().to_owned()).collect()
            }
            _ => texts(),
        };
        let set = |items: &[String]| items.iter().cloned().collect::<BTreeSet<String>>();
        Ok(match self {
            Self::Not(inner) => !inner.test(value)?,
            Self::And(several) => all(several, |m| m.test(value))?,
            Self::Or(several) => !all(several, |m| m.test(value).map(|fits| !fits))?,
            Self::Absent(wanted) => !wanted,
            Self::Eq(expected) => value.equals(expected)?,
            Self::Cmp(expected) => value.loosely(expected)?,
            Self::In(list) if value.list().is_some() => set(&texts()).is_subset(&set(list)),
            Self::In(list) => !all(list, |expected| value.equals(expected).map(|same| !same))?,
            Self::Match(pattern) => {
                let regex = regex(pattern)?;
                match value.list() {
                    Some(items) => items.iter().any(|item| regex.is_match(item.as_bytes())),
                    None => regex.is_match(value.bytes().as_ref()),
                }
            }
            Self::Include(text) => match value.list() {
                Some(items) => items.contains(text),
                None => contains(value.bytes().as_ref(), text.as_bytes()),
            },
            Self::Line(line) => texts().contains(line),
            Self::AtMost(limit) => value.within(limit, Ordering::is_le, |mode, max| mode & !max == 0)?,
            Self::AtLeast(limit) => value.within(limit, Ordering::is_ge, |mode, min| mode & min == min)?,
            Self::SubsetOf(list) => set(&items()).is_subset(&set(list)),
            Self::SupersetOf(list) => set(&items()).is_superset(&set(list)),
            Self::SameSet(list) => set(&items()) == set(list),
            Self::Disjoint(list) => set(&items()).is_disjoint(&set(list)),
            Self::Empty(wanted) => {
                value.list().map_or_else(|| value.bytes().is_empty(), <[String]>::is_empty) == *wanted
            }
            Self::Duplicates(wanted) => (set(&items()).len() != items().len()) == *wanted,
            Self::Count(inner) => inner.test(&Value::Number(i64::try_from(items().len()).unwrap_or(i64::MAX)))?,
            Self::Each(inner) => all(&items(), |item| inner.test(&Value::Setting(vec![item.clone()])))?,
            Self::Any(inner) => !all(&items(), |item| inner.test(&Value::Setting(vec![item.clone()])).map(|y| !y))?,
        })
    }
}

fn all<T>(items: &[T], mut test: impl FnMut(&T) -> Result<bool, String>) -> Result<bool, String> {
    for item in items {
        if !test(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The pattern compiled as every `match` is: linear time, bounded size.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).multi_line(true).unicode(false).size_limit(1 << 20).build();
    // The crate's message draws the pattern on several lines; the last says what is wrong.
    built.map_err(|e| {
        let text = e.to_string();
        let last = text.lines().last().unwrap_or_default().trim();
        format!("the pattern can't be used: {}", last.strip_prefix("error: ").unwrap_or(last))
    })
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
