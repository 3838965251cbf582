//! Defines the values of properties and compares them with operands.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::facts::blob::Blob;
use crate::matcher::context::VersionOrder;
use crate::matcher::error::ValueError;
use crate::text::truncate_for_display;

/// Value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Boolean with the original text, such as `static` or `deinstall ok config-files`.
    Bool(bool, String),
    Number(i64),
    Mode(u32),
    Version(String),
    /// User or group. `names_known` is false if the table of names could not be read.
    Account {
        name: Option<String>,
        id: u32,
        names_known: bool,
    },
    Word(String),
    Text(Blob),
    /// Value of a key, or all values of a repeated key.
    Setting(Vec<String>),
    List(Vec<String>),
}

impl Value {
    /// Returns the value as bytes.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(blob) => blob.bytes().into(),
            Self::Version(text) | Self::Word(text) => text.as_bytes().into(),
            Self::Account {
                name: Some(name), ..
            } => name.as_bytes().into(),
            Self::Account { id, .. } => id.to_string().into_bytes().into(),
            Self::Number(n) => n.to_string().into_bytes().into(),
            Self::Mode(mode) => mode_text(*mode).into_bytes().into(),
            Self::Bool(v, _) => v.to_string().into_bytes().into(),
            Self::Setting(values) if values.len() == 1 => values[0].as_bytes().into(),
            Self::Setting(values) | Self::List(values) => values.join("\n").into_bytes().into(),
        }
    }

    /// Returns the items of a list; `None` for a setting with one value.
    pub(crate) fn list(&self) -> Option<&[String]> {
        match self {
            Self::List(items) => Some(items),
            Self::Setting(items) if items.len() != 1 => Some(items),
            _ => None,
        }
    }

    /// Formats the value for messages: one line, truncated, without secrets.
    pub(crate) fn display(&self) -> String {
        match self {
            Self::Bool(v, how) if how.is_empty() => v.to_string(),
            Self::Bool(v, how) => format!("{v} ({})", truncate_for_display(how.as_bytes())),
            Self::Number(n) => n.to_string(),
            Self::Account { name: None, id, .. } => format!("{id} (no name)"),
            Self::Text(blob) => blob.display(),
            _ => match self.list() {
                Some([]) => "nothing".to_owned(),
                Some(items) => {
                    let (first, rest) = items.split_at(items.len().min(5));
                    let more = if rest.is_empty() {
                        String::new()
                    } else {
                        format!(" and {} more", rest.len())
                    };
                    format!("{}{more}", join_quoted(first))
                }
                None => format!("\"{}\"", truncate_for_display(&self.bytes())),
            },
        }
    }

    /// Returns whether the value equals an operand.
    pub(crate) fn equals(
        &self,
        expected: &str,
        versions: VersionOrder,
    ) -> Result<bool, ValueError> {
        Ok(match self {
            Self::Number(n) => *n == parse_number(expected)?,
            Self::Mode(mode) => *mode == parse_mode(expected)?,
            Self::Version(version) => versions.compare(version, expected).is_eq(),
            Self::Account {
                name,
                id,
                names_known,
            } => match expected.parse::<u32>() {
                Ok(number) => *id == number,
                Err(_) if !names_known => {
                    return Err(ValueError::UnknownNames);
                }
                Err(_) => name.as_deref() == Some(expected),
            },
            Self::List(items) => matches!(items.as_slice(), [one] if one == expected),
            _ => self.bytes().as_ref() == expected.as_bytes(),
        })
    }

    /// Compares like InSpec's `cmp`: ignores case and the format of numbers.
    pub(crate) fn equals_loosely(
        &self,
        expected: &str,
        versions: VersionOrder,
    ) -> Result<bool, ValueError> {
        if matches!(
            self,
            Self::Version(_) | Self::Mode(_) | Self::Account { .. }
        ) {
            return self.equals(expected, versions);
        }
        let text = String::from_utf8_lossy(&self.bytes()).trim().to_owned();
        let same_number = matches!((text.parse::<f64>(), expected.trim().parse::<f64>()), (Ok(a), Ok(b)) if a.total_cmp(&b).is_eq());
        Ok(same_number || text.eq_ignore_ascii_case(expected.trim()))
    }

    /// Returns whether the value is within a limit; `bits` compares modes.
    pub(crate) fn is_within(
        &self,
        limit: &str,
        versions: VersionOrder,
        accepts: fn(Ordering) -> bool,
        bits: fn(u32, u32) -> bool,
    ) -> Result<bool, ValueError> {
        match self {
            Self::Number(n) => Ok(accepts(n.cmp(&parse_number(limit)?))),
            Self::Version(version) => Ok(accepts(versions.compare(version, limit))),
            Self::Mode(mode) => Ok(bits(*mode, parse_mode(limit)?)),
            Self::Setting(values) => {
                let [value] = values.as_slice() else {
                    return Err(ValueError::SeveralValues {
                        count: values.len(),
                    });
                };
                let number = quantity(value)
                    .ok_or_else(|| ValueError::Quantity(truncate_for_display(value.as_bytes())))?;
                let limit =
                    quantity(limit).ok_or_else(|| ValueError::Quantity(limit.to_owned()))?;
                Ok(accepts(number.cmp(&limit)))
            }
            _ => Err(ValueError::Unordered),
        }
    }
}

/// Joins quoted texts with commas.
pub(crate) fn join_quoted(items: &[String]) -> String {
    items
        .iter()
        .map(|i| format!("\"{}\"", truncate_for_display(i.as_bytes())))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Parses a whole number or a duration in seconds, such as `90`, `1m` or `1h30m`; see
/// `sshd_config(5)` and `systemd.time(7)`.
pub(crate) fn quantity(text: &str) -> Option<i64> {
    if let Ok(n) = text.trim().parse() {
        return Some(n);
    }
    let (mut total, mut digits) = (0_i64, String::new());
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    (digits.is_empty() && !text.trim().is_empty()).then_some(total)
}

/// Formats a mode as four octal digits.
pub(crate) fn mode_text(mode: u32) -> String {
    format!("{mode:04o}")
}

/// Parses a mode of three or four octal digits.
pub(super) fn parse_mode(text: &str) -> Result<u32, ValueError> {
    let is_valid =
        (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    is_valid
        .then(|| u32::from_str_radix(text, 8).ok())
        .flatten()
        .ok_or_else(|| ValueError::Mode(text.to_owned()))
}

fn parse_number(text: &str) -> Result<i64, ValueError> {
    text.parse()
        .map_err(|_| ValueError::WholeNumber(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantity_converts_durations_to_seconds() {
        for (text, seconds) in [
            ("90", Some(90)),
            ("1m", Some(60)),
            ("1h30m", Some(5400)),
            ("30S", Some(30)),
        ] {
            assert_eq!(quantity(text), seconds, "{text}");
        }
        for text in ["", "m", "1y", "1m5", "abc", "99999999999999999999"] {
            assert_eq!(quantity(text), None, "{text}");
        }
    }
}
