//! Owns matchers: what they are once checked, and whether a value satisfies one.

pub(crate) mod pattern;
mod pointed;
pub(crate) mod tree;
pub(crate) mod value;
pub(crate) mod value_type;
pub(crate) mod wording;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::matcher::pattern::Patterns;
use crate::matcher::value::{Value, quantity, quoted};
use crate::matcher::value_type::Of;
use crate::text::brief;

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
    /// The text as a version, in the package manager's order.
    Version(Box<Matcher>),
    /// The text as a duration, in seconds.
    Duration(Box<Matcher>),
    /// What the text, read as JSON, has at each of these pointers (RFC 6901).
    Json(Vec<(String, Matcher)>),
}

/// Why a value neither satisfies a matcher nor does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There is nothing to compare, which fails a negated expectation, too.
    Missing(String),
    /// It can't be compared with the operand.
    Error(String),
}

impl From<String> for Unfit {
    fn from(why: String) -> Self {
        Self::Error(why)
    }
}

type Fits = Result<bool, Unfit>;

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
        let join = |several: &[Self], word: &str| {
            several
                .iter()
                .map(|m| m.describe(of))
                .collect::<Vec<_>>()
                .join(word)
        };
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
            Self::In(list) => format!(
                "one of {}",
                list.iter().map(|v| shown(v)).collect::<Vec<_>>().join(", ")
            ),
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
            Self::Version(inner) => format!("a version {}", inner.describe(Of::Version)),
            Self::Duration(inner) => {
                format!("a duration of {} seconds", inner.describe(Of::Number))
            }
            Self::Json(each) => {
                let each = each
                    .iter()
                    .map(|(at, m)| format!("at {at} {}", m.describe(Of::Setting)));
                format!("JSON that has {}", each.collect::<Vec<_>>().join(" and "))
            }
        }
    }

    /// Whether the value satisfies it.
    ///
    /// # Errors
    /// There is nothing to compare, or what there is can't be compared with the operand.
    pub(crate) fn fits(&self, value: &Value, patterns: &Patterns) -> Fits {
        let set = |items: &[String]| items.iter().cloned().collect::<BTreeSet<String>>();
        Ok(match self {
            Self::Not(inner) => !inner.fits(value, patterns)?,
            Self::And(several) => all(several, |m| m.fits(value, patterns))?,
            Self::Or(several) => any(several, |m| m.fits(value, patterns))?,
            Self::Absent(wanted) => !wanted,
            Self::Eq(expected) => value.equals(expected)?,
            Self::Cmp(expected) => value.loosely(expected)?,
            Self::In(list) if value.list().is_some() => set(&texts(value)).is_subset(&set(list)),
            Self::In(list) => any(list, |expected| Ok(value.equals(expected)?))?,
            Self::Match(pattern) => match value.list() {
                Some(items) => any(items, |item| Ok(patterns.found(pattern, item.as_bytes())?))?,
                None => patterns.found(pattern, value.bytes().as_ref())?,
            },
            Self::Include(text) => match value.list() {
                Some(items) => items.contains(text),
                None => contains(value.bytes().as_ref(), text.as_bytes()),
            },
            Self::Line(line) => texts(value).contains(line),
            Self::AtMost(limit) => {
                value.within(limit, Ordering::is_le, |mode, max| mode & !max == 0)?
            }
            Self::AtLeast(limit) => {
                value.within(limit, Ordering::is_ge, |mode, min| mode & min == min)?
            }
            Self::SubsetOf(list) => set(&items(value)).is_subset(&set(list)),
            Self::SupersetOf(list) => set(&items(value)).is_superset(&set(list)),
            Self::SameSet(list) => set(&items(value)) == set(list),
            Self::Disjoint(list) => set(&items(value)).is_disjoint(&set(list)),
            Self::Empty(wanted) => {
                value
                    .list()
                    .map_or_else(|| value.bytes().is_empty(), <[String]>::is_empty)
                    == *wanted
            }
            Self::Duplicates(wanted) => {
                let items = items(value);
                (set(&items).len() != items.len()) == *wanted
            }
            Self::Count(inner) => {
                let count = i64::try_from(items(value).len()).unwrap_or(i64::MAX);
                inner.fits(&Value::Number(count), patterns)?
            }
            Self::Each(inner) => all(&items(value), |item| inner.fits(&one(item), patterns))?,
            Self::Any(inner) => any(&items(value), |item| inner.fits(&one(item), patterns))?,
            Self::Version(inner) => inner.fits(&Value::Version(plain(value)?), patterns)?,
            Self::Duration(inner) => {
                let text = plain(value)?;
                let seconds = quantity(&text)
                    .ok_or_else(|| format!("`{}` is no duration", brief(text.as_bytes())))?;
                inner.fits(&Value::Number(seconds), patterns)?
            }
            Self::Json(each) => pointed::fits(each, value, patterns)?,
        })
    }

    /// The same without anything known beforehand.
    #[cfg(test)]
    pub(crate) fn test(&self, value: &Value) -> Fits {
        self.fits(value, &Patterns::default())
    }
}

/// The lines of a text, the items of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Text(blob) => String::from_utf8_lossy(blob.bytes())
            .lines()
            .map(str::to_owned)
            .collect(),
        Value::Setting(items) | Value::List(items) => items.clone(),
        other => vec![String::from_utf8_lossy(&other.bytes()).into_owned()],
    }
}

/// The same for the matchers of items: one setting with commas is a list of its parts.
fn items(value: &Value) -> Vec<String> {
    match value {
        Value::Setting(values) if values.len() == 1 => values[0]
            .split(',')
            .map(|part| part.trim().to_owned())
            .collect(),
        _ => texts(value),
    }
}

/// One item.
fn one(item: &str) -> Value {
    Value::Setting(vec![item.to_owned()])
}

/// One value without white space around it.
fn plain(value: &Value) -> Result<String, String> {
    match value.list() {
        Some(items) => Err(format!(
            "it has {} values, which have no order",
            items.len()
        )),
        None => Ok(String::from_utf8_lossy(&value.bytes()).trim().to_owned()),
    }
}

/// Every one; what is known to be wrong decides before what is missing.
fn all<T>(items: &[T], mut fits: impl FnMut(&T) -> Fits) -> Fits {
    any(items, |item| fits(item).map(|yes| !yes)).map(|wrong| !wrong)
}

/// At least one; one that fits decides, however little is there for the others.
fn any<T>(items: &[T], mut fits: impl FnMut(&T) -> Fits) -> Fits {
    let mut missing = None;
    for item in items {
        match fits(item) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(Unfit::Missing(why)) => missing = missing.or(Some(why)),
            Err(error) => return Err(error),
        }
    }
    missing.map_or(Ok(false), |why| Err(Unfit::Missing(why)))
}

/// Whether bytes are found in others.
pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests;
