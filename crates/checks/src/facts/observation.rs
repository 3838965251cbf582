//! Defines the result of observing a property: a value, or the reason for a missing one.

use crate::facts::blob::Blob;
use crate::facts::error::ReadError;
use crate::matcher::value::Value;

/// Result of observing a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observation {
    /// Value to compare.
    Value(Value),
    /// No value, with the reason. Only `absent: true` and `not: {absent: false}` accept it, also
    /// within `and` and `or`.
    Missing(String),
    /// Unknown value, with the reason.
    Unknown(String),
    /// Property that does not apply to this target, with the reason.
    Skipped(String),
}

impl Observation {
    pub(crate) fn not_collected() -> Self {
        ReadError::NotCollected.into()
    }

    pub(crate) fn bool(value: bool) -> Self {
        Self::Value(Value::Bool(value, String::new()))
    }

    pub(crate) fn text(bytes: &[u8]) -> Self {
        Self::Value(Value::Text(Blob::new(bytes.to_vec(), false, false)))
    }

    pub(crate) fn setting(value: impl Into<String>) -> Self {
        Self::Value(Value::Setting(vec![value.into()]))
    }

    pub(crate) fn list(items: impl IntoIterator<Item = String>) -> Self {
        Self::Value(Value::List(items.into_iter().collect()))
    }

    pub(crate) fn blob(blob: &Blob) -> Self {
        if blob.is_omitted() {
            return ReadError::SecretNotStored.into();
        }
        if blob.truncated {
            return Self::Unknown(format!(
                "the content has more than {} bytes and cannot be judged",
                blob.bytes().len()
            ));
        }
        Self::Value(Value::Text(blob.clone()))
    }
}

impl From<ReadError> for Observation {
    fn from(error: ReadError) -> Self {
        Self::Unknown(error.to_string())
    }
}
