//! Owns what a resource says about one property: a value, or why there is none.

use crate::facts::blob::Blob;
use crate::matcher::value::Value;

/// What a resource says about one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// A value to compare.
    Value(Value),
    /// There is none, which fails every expectation but `absent`, a negated one too; why.
    Missing(String),
    /// It could not be determined; why.
    Unknown(String),
    /// It can't be judged here; why.
    Skipped(String),
}

impl Observed {
    pub(crate) fn uncollected() -> Self {
        Self::Unknown("it was not collected".to_owned())
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
        if blob.withheld() {
            return Self::Unknown("it is secret and was not kept".to_owned());
        }
        if blob.truncated {
            return Self::Unknown(format!(
                "there are more than {} bytes, too many to judge",
                blob.bytes().len()
            ));
        }
        Self::Value(Value::Text(blob.clone()))
    }
}
