//! Defines the reasons why a value cannot be compared with a matcher.

use thiserror::Error;

use crate::matcher::pattern::PatternError;

/// Reason why a matcher has no result for a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum MatchError {
    /// Missing value in a JSON text; fails negated matchers too.
    #[error("has no value at {pointer}")]
    Missing {
        /// JSON pointer to the value.
        pointer: String,
    },
    /// Value that does not fit the operand.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Pattern that cannot be used on the value.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Value or operand that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ValueError {
    /// Operand that is not a whole number.
    #[error("`{}` is not a whole number", .0.escape_default())]
    WholeNumber(String),
    /// Value or limit that is neither a whole number nor a duration; shortened for messages.
    #[error("`{0}` is neither a whole number nor a duration")]
    Quantity(String),
    /// Value that is not a duration; shortened for messages.
    #[error("`{0}` is not a duration")]
    Duration(String),
    /// Operand that is not an octal mode.
    #[error("`{}` is not three or four octal digits", .0.escape_default())]
    Mode(String),
    /// Text that is not JSON.
    #[error("not valid JSON: {reason}")]
    Json {
        /// Message of the JSON parser.
        reason: String,
    },
    /// Name of a user or group on a target whose table of names is not readable.
    #[error("the names of users and groups could not be read")]
    UnknownNames,
    /// Repeated setting or list where one value is required.
    #[error("found {count} values where one is required")]
    SeveralValues {
        /// Number of values.
        count: usize,
    },
    /// Property without an order, such as a text.
    #[error("this property has no order")]
    Unordered,
}
