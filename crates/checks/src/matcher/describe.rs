//! Describes matchers for messages.

use crate::matcher::definition::Matcher;
use crate::matcher::value::join_quoted;
use crate::matcher::value_type::ValueType;
use crate::text::truncate_for_display;

impl Matcher {
    /// Describes the matcher for messages, to follow "expected".
    pub(crate) fn describe(&self, value_type: ValueType) -> String {
        let operand = |text: &String| describe_operand(text, value_type);
        match self {
            Self::Eq(v) => operand(v),
            Self::Cmp(v) => format!("{} (ignoring case)", operand(v)),
            Self::Not(inner) => format!("not {}", inner.describe(value_type)),
            Self::And(matchers) => join_descriptions(matchers, value_type, " and "),
            Self::Or(matchers) => join_descriptions(matchers, value_type, " or "),
            Self::Absent(true) => "no value".to_owned(),
            Self::Absent(false) => "a value".to_owned(),
            Self::Match(v) => format!("a match of {}", operand(v)),
            Self::Include(v) => format!("a value including {}", operand(v)),
            Self::Line(v) => format!("the line {}", operand(v)),
            Self::In(list) => {
                let operands: Vec<String> = list.iter().map(operand).collect();
                format!("one of {}", operands.join(", "))
            }
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
                let seconds = inner.describe(ValueType::Number);
                let plural = if seconds.ends_with(" 1") || seconds == "1" {
                    ""
                } else {
                    "s"
                };
                format!("a duration of {seconds} second{plural}")
            }
            Self::Json(each) => describe_pointers(each),
        }
    }
}

/// Describes an operand: booleans and numbers without quotes.
fn describe_operand(text: &str, value_type: ValueType) -> String {
    match value_type {
        ValueType::Bool | ValueType::Number => text.to_owned(),
        _ => format!("\"{}\"", truncate_for_display(text.as_bytes())),
    }
}

fn join_descriptions(matchers: &[Matcher], value_type: ValueType, word: &str) -> String {
    let each: Vec<String> = matchers.iter().map(|m| m.describe(value_type)).collect();
    each.join(word)
}

/// Describes the matchers for the values at JSON pointers.
fn describe_pointers(each: &[(String, Matcher)]) -> String {
    let each: Vec<String> = each
        .iter()
        .map(|(at, m)| format!("at {at} {}", m.describe(ValueType::Setting)))
        .collect();
    format!("JSON with {}", each.join(" and "))
}
