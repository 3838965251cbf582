//! Defines the types of values, which determine the matchers that apply.

/// What a value is, and so what may be expected of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number,
    /// Octal permission bits.
    Mode,
    /// A package version, in the package manager's order.
    Version,
    /// A user or group: a name, or a number.
    Account,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Bytes.
    Text,
    /// A value of a configuration: text, that may be a number or a duration.
    Setting,
    /// A list of texts.
    List,
}
