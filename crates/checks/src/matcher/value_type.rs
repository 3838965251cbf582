//! Defines the types of values, which determine the matchers that apply.

/// Type of the values of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    /// Boolean.
    Bool,
    /// Whole number.
    Number,
    /// Octal permission bits.
    Mode,
    /// Package version.
    Version,
    /// User or group: name or number.
    Account,
    /// Enumeration of words.
    Word(&'static [&'static str]),
    /// Text or other bytes.
    Text,
    /// Value of a configuration: text, number or duration.
    Setting,
    /// List of texts.
    List,
    /// List of paths with reasons; only for parameters and inputs.
    Exclusions,
}

impl ValueType {
    /// Returns the type of a single value: text for the items of a list.
    pub(crate) fn item_type(self) -> Self {
        if self == Self::List { Self::Text } else { self }
    }

    /// Returns the operand type of matchers that search a value, such as `include`: settings for
    /// settings, text otherwise.
    pub(crate) fn operand_type(self) -> Self {
        if self == Self::Setting {
            Self::Setting
        } else {
            Self::Text
        }
    }
}
