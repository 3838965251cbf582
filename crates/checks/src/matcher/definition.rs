//! Defines the matchers.

use serde::{Deserialize, Serialize};

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
    /// Number, version or duration at or below the limit; mode without other bits.
    AtMost(String),
    /// Number, version or duration at or above the limit; mode with at least these bits.
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
}
