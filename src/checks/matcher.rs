//! Owns matchers: what they are once checked, and whether a value satisfies one.

use std::cmp::Ordering;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::facts::brief;
use super::property::Kind;
use super::raw_expect::{RawMatcher, RawScalar};
use crate::platform::debian::compare_versions;

/// What is expected of one property. Operands are kept as text in one spelling per kind (`true`, `42`, `0644`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// Equal.
    Eq(String),
    /// The opposite.
    Not(Box<Matcher>),
    /// The regular expression is found; `^` and `$` match at line ends, classes are ASCII.
    Match(String),
    /// The text is found.
    Include(String),
    /// Equal to one of these.
    In(Vec<String>),
    /// A number or version no greater; a mode with no other bits.
    AtMost(String),
    /// A number or version no less; a mode with at least these bits.
    AtLeast(String),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// With how the target put it, such as `static` or `deinstall ok config-files`.
    Bool(bool, String),
    Number(i64),
    Mode(u32),
    Version(String),
    /// `names_known`: the target's table of names could be read.
    Owner {
        name: Option<String>,
        id: u32,
        names_known: bool,
    },
    Type(&'static str),
    Text(Blob),
}

impl Matcher {
    pub(crate) fn bool(expected: bool) -> Self {
        Self::Eq(expected.to_string())
    }

    /// Checks the operands for a property of this kind.
    pub(crate) fn from_raw(raw: RawMatcher, kind: Kind) -> Result<Self, (String, Option<String>)> {
        let only = |kinds: &[Kind], name: &str, instead: &str| {
            if kinds.contains(&kind) {
                Ok(())
            } else {
                Err((format!("`{name}` is not for this property"), Some(format!("use {instead}"))))
            }
        };
        Ok(match raw {
            RawMatcher::Eq(scalar) => Self::Eq(operand(scalar, kind)?),
            RawMatcher::Not(inner) => Self::Not(Box::new(Self::from_raw(*inner, kind)?)),
            RawMatcher::In(scalars) if scalars.is_empty() => {
                return Err(("`in` needs at least one value".to_owned(), Some("add one to the list".to_owned())));
            }
            RawMatcher::In(scalars) => {
                Self::In(scalars.into_iter().map(|s| operand(s, kind)).collect::<Result<_, _>>()?)
            }
            RawMatcher::Match(scalar) => {
                only(&[Kind::Text, Kind::Version, Kind::Owner], "match", "`eq` or `in`")?;
                let pattern = operand(scalar, Kind::Text)?;
                regex(&pattern)
                    .map_err(|e| (e, Some("put a `\\` before a character that is meant as itself".to_owned())))?;
                Self::Match(pattern)
            }
            RawMatcher::Include(scalar) => {
                only(&[Kind::Text, Kind::Version], "include", "`eq` or `in`")?;
                Self::Include(operand(scalar, Kind::Text)?)
            }
            RawMatcher::AtMost(scalar) => {
                only(&[Kind::Number, Kind::Mode, Kind::Version], "at_most", "`eq`, `match` or `include`")?;
                Self::AtMost(operand(scalar, kind)?)
            }
            RawMatcher::AtLeast(scalar) => {
                only(&[Kind::Number, Kind::Mode, Kind::Version], "at_least", "`eq`, `match` or `include`")?;
                Self::AtLeast(operand(scalar, kind)?)
            }
        })
    }

    /// How it reads after "expected ".
    pub(crate) fn describe(&self, kind: Kind) -> String {
        let shown = |text: &str| match kind {
            Kind::Bool | Kind::Number => text.to_owned(),
            _ => format!("\"{}\"", brief(text.as_bytes())),
        };
        match self {
            Self::Eq(v) => shown(v),
            Self::Not(inner) => format!("not {}", inner.describe(kind)),
            Self::Match(v) => format!("a match of {}", shown(v)),
            Self::Include(v) => format!("something with {}", shown(v)),
            Self::In(list) => format!("one of {}", list.iter().map(|v| shown(v)).collect::<Vec<_>>().join(", ")),
            Self::AtMost(v) => format!("at most {}", shown(v)),
            Self::AtLeast(v) => format!("at least {}", shown(v)),
        }
    }

    /// Whether the value satisfies it.
    ///
    /// # Errors
    /// An operand that isn't one for this value: a control that was not made by `into_control`.
    pub(crate) fn test(&self, value: &Value) -> Result<bool, String> {
        Ok(match self {
            Self::Not(inner) => !inner.test(value)?,
            Self::Eq(expected) => equal(expected, value)?,
            Self::In(list) => {
                let mut found = false;
                for expected in list {
                    found |= equal(expected, value)?;
                }
                found
            }
            Self::Match(pattern) => regex(pattern)?.is_match(value.bytes().as_ref()),
            Self::Include(text) => contains(value.bytes().as_ref(), text.as_bytes()),
            Self::AtMost(limit) => bounded(limit, value, Ordering::is_le, |mode, max| mode & !max == 0)?,
            Self::AtLeast(limit) => bounded(limit, value, Ordering::is_ge, |mode, min| mode & min == min)?,
        })
    }
}

impl Value {
    fn bytes(&self) -> std::borrow::Cow<'_, [u8]> {
        match self {
            Self::Text(blob) => blob.bytes().into(),
            Self::Version(text) => text.as_bytes().into(),
            Self::Type(text) => text.as_bytes().into(),
            Self::Owner { name: Some(name), .. } => name.as_bytes().into(),
            Self::Owner { id, .. } => id.to_string().into_bytes().into(),
            Self::Number(n) => n.to_string().into_bytes().into(),
            Self::Mode(mode) => mode_text(*mode).into_bytes().into(),
            Self::Bool(v, _) => v.to_string().into_bytes().into(),
        }
    }

    /// On one line, shortened, without secrets.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Bool(v, how) if how.is_empty() => v.to_string(),
            Self::Bool(v, how) => format!("{v} ({})", brief(how.as_bytes())),
            Self::Number(n) => n.to_string(),
            Self::Owner { name: None, id, .. } => format!("{id} (no name)"),
            Self::Text(blob) => blob.shown(),
            other => format!("\"{}\"", brief(&other.bytes())),
        }
    }
}

/// The pattern compiled as every `match` is: linear time, bounded size.
fn regex(pattern: &str) -> Result<Regex, String> {
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

/// Four octal digits, as `chmod` takes them.
pub(crate) fn mode_text(mode: u32) -> String {
    format!("{mode:04o}")
}

fn mode_bits(text: &str) -> Result<u32, String> {
    let ok = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    ok.then(|| u32::from_str_radix(text, 8).ok())
        .flatten()
        .ok_or_else(|| format!("`{}` is not three or four octal digits", text.escape_default()))
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("`{}` is not a whole number", text.escape_default()))
}

fn equal(expected: &str, value: &Value) -> Result<bool, String> {
    Ok(match value {
        Value::Number(n) => *n == number(expected)?,
        Value::Mode(mode) => *mode == mode_bits(expected)?,
        Value::Version(version) => compare_versions(version, expected).is_eq(),
        Value::Owner { name, id, names_known } => match expected.parse::<u32>() {
            Ok(wanted) => *id == wanted,
            Err(_) if !names_known => return Err("the names of users and groups could not be read".to_owned()),
            Err(_) => name.as_deref() == Some(expected),
        },
        Value::Bool(..) | Value::Type(_) | Value::Text(_) => value.bytes().as_ref() == expected.as_bytes(),
    })
}

fn bounded(limit: &str, value: &Value, fits: fn(Ordering) -> bool, bits: fn(u32, u32) -> bool) -> Result<bool, String> {
    match value {
        Value::Number(n) => Ok(fits(n.cmp(&number(limit)?))),
        Value::Version(version) => Ok(fits(compare_versions(version, limit))),
        Value::Mode(mode) => Ok(bits(*mode, mode_bits(limit)?)),
        _ => Err("this property has no order".to_owned()),
    }
}

/// An operand in the one spelling of its kind.
fn operand(scalar: RawScalar, kind: Kind) -> Result<String, (String, Option<String>)> {
    let quote = |what: &str, example: String| Err((what.to_owned(), Some(example)));
    match (kind, scalar) {
        (Kind::Bool, RawScalar::Bool(v)) => Ok(v.to_string()),
        (Kind::Bool, _) => quote("it must be true or false", "write true or false".to_owned()),
        (Kind::Number, RawScalar::Int(n)) => Ok(n.to_string()),
        (Kind::Owner, RawScalar::Int(n)) if u32::try_from(n).is_ok() => Ok(n.to_string()),
        (Kind::Number, _) => quote("it must be a whole number", "write it without quotes: 42".to_owned()),
        (Kind::Mode, RawScalar::Text(text)) => match mode_bits(&text) {
            Ok(bits) => Ok(mode_text(bits)),
            Err(wrong) => quote(&wrong, "write a mode such as \"0644\"".to_owned()),
        },
        (Kind::Mode, _) => quote("a mode without quotes can be read as two numbers", "write it as \"0644\"".to_owned()),
        (Kind::Type, RawScalar::Text(text)) if super::file::TYPES.contains(&text.as_str()) => Ok(text),
        (Kind::Type, _) => {
            quote("there is no such type of file", format!("use one of {}", super::file::TYPES.join(", ")))
        }
        (Kind::Version, RawScalar::Text(text)) => {
            let plain = text.starts_with(|c: char| c.is_ascii_digit())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-:~".contains(&b));
            if plain {
                Ok(text)
            } else {
                quote(
                    &format!("`{}` is not a version", text.escape_default()),
                    "write one such as \"1.22.1-9\"".to_owned(),
                )
            }
        }
        (Kind::Text | Kind::Owner, RawScalar::Text(text)) => Ok(text),
        (_, RawScalar::Int(n)) => quote("it is a text, and this is a number", format!("write it in quotes: \"{n}\"")),
        (_, RawScalar::Float(n)) => quote("it is a text, and this is a number", format!("write it in quotes: \"{n}\"")),
        (_, RawScalar::Bool(v)) => {
            quote("it is a text, and this is true or false", format!("write it in quotes: \"{v}\""))
        }
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
