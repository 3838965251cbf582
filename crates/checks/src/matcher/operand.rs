//! Converts values from YAML to the operands of matchers.

use thiserror::Error;

use crate::matcher::error::ValueError;
use crate::matcher::tree::Tree;
use crate::matcher::value::{mode_text, parse_mode};
use crate::matcher::value_type::ValueType;
use crate::problem::Problem;

/// Value from YAML that does not fit the type of a property.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum OperandError {
    /// Other value than a boolean.
    #[error("it must be true or false")]
    NotBool,
    /// Other value than a whole number.
    #[error("it must be a whole number")]
    NotNumber,
    /// Text that is not an octal mode.
    #[error(transparent)]
    InvalidMode(ValueError),
    /// Number instead of a mode in quotes: YAML could have read it as octal or as decimal.
    #[error("a mode without quotes is ambiguous")]
    UnquotedMode,
    /// Word that the property does not have.
    #[error("unknown value")]
    UnknownWord {
        /// Words of the property.
        known: &'static [&'static str],
    },
    /// Text that is not a version.
    #[error("`{}` is not a version", .0.escape_default())]
    NotVersion(String),
    /// List without a matcher.
    #[error("a list needs a matcher")]
    List,
    /// Map where a value is required.
    #[error("a map is not a value")]
    Map,
    /// Boolean where text is required.
    #[error("it must be text, not true or false")]
    BoolForText(bool),
    /// Number where text is required, as written.
    #[error("it must be text, not a number")]
    NumberForText(String),
}

impl OperandError {
    /// Returns the hint for the user.
    pub(crate) fn help(&self) -> String {
        match self {
            Self::NotBool => "write true or false".to_owned(),
            Self::NotNumber => "write it without quotes: 42".to_owned(),
            Self::InvalidMode(_) => "write a mode such as \"0644\"".to_owned(),
            Self::UnquotedMode => "write it as \"0644\"".to_owned(),
            Self::UnknownWord { known } => format!("use one of {}", known.join(", ")),
            Self::NotVersion(_) => "write a version such as \"1.22.1-9\"".to_owned(),
            Self::List => {
                "use `in`, or `subset_of`, `superset_of`, `same_set` or `disjoint`".to_owned()
            }
            Self::Map => "write a value".to_owned(),
            Self::BoolForText(value) => format!("write it in quotes: \"{value}\""),
            Self::NumberForText(number) => format!("write it in quotes: \"{number}\""),
        }
    }
}

impl From<OperandError> for Problem {
    fn from(error: OperandError) -> Self {
        Self::new(error.to_string(), error.help())
    }
}

/// Normalizes an operand for a type of value.
///
/// # Errors
/// Returns an error if the value does not fit the type.
pub(crate) fn parse_operand(tree: &Tree, value_type: ValueType) -> Result<String, OperandError> {
    match (value_type, tree) {
        (ValueType::Bool, Tree::Bool(v)) => Ok(v.to_string()),
        (ValueType::Bool, _) => Err(OperandError::NotBool),
        (ValueType::Number, Tree::Int(n)) => Ok(n.to_string()),
        (ValueType::Account, Tree::Int(n)) if u32::try_from(*n).is_ok() => Ok(n.to_string()),
        (ValueType::Number, _) => Err(OperandError::NotNumber),
        (ValueType::Mode, Tree::Text(text)) => parse_mode(text)
            .map(mode_text)
            .map_err(OperandError::InvalidMode),
        (ValueType::Mode, _) => Err(OperandError::UnquotedMode),
        (ValueType::Word(words), Tree::Text(text)) if words.contains(&text.as_str()) => {
            Ok(text.clone())
        }
        (ValueType::Word(known), _) => Err(OperandError::UnknownWord { known }),
        (ValueType::Version, Tree::Text(text)) if is_version(text) => Ok(text.clone()),
        (ValueType::Version, Tree::Text(text)) => Err(OperandError::NotVersion(text.clone())),
        (ValueType::Setting, Tree::Bool(_) | Tree::Int(_) | Tree::Float(_)) => {
            Ok(tree.scalar_text().unwrap_or_default())
        }
        (_, Tree::Text(text)) => Ok(text.clone()),
        (_, Tree::List(_)) => Err(OperandError::List),
        (_, Tree::Map(_)) => Err(OperandError::Map),
        (_, Tree::Bool(v)) => Err(OperandError::BoolForText(*v)),
        (_, Tree::Int(n)) => Err(OperandError::NumberForText(n.to_string())),
        (_, Tree::Float(n)) => Err(OperandError::NumberForText(n.to_string())),
    }
}

/// Returns whether a text has the form of a package version.
fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".+-:~_^".contains(&b))
}
