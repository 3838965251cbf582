//! Owns what is wrong with a check as it is written: where below it, what, and what to do about it.

/// What is wrong, and what to do, before a place is known.
pub(crate) type Wrong = (String, Option<String>);

/// One problem of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The way from the check to the value at fault; empty: the check itself.
    pub path: Vec<Part>,
    /// Whether it is about the last key of the path rather than about its value.
    pub key: bool,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// One part of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The value of a key.
    Key(String),
    /// An item of a list.
    Item(usize),
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            key: false,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    pub(crate) fn maybe(message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            path: Vec::new(),
            key: false,
            message: message.into(),
            help,
        }
    }

    /// The same, of the value of a key.
    pub(crate) fn under(mut self, key: &str) -> Self {
        self.path.insert(0, Part::Key(key.to_owned()));
        self
    }

    /// The same, of an item of a list.
    pub(crate) fn under_item(mut self, index: usize) -> Self {
        self.path.insert(0, Part::Item(index));
        self
    }

    /// The same, about the key.
    pub(crate) fn at_key(mut self) -> Self {
        self.key = true;
        self
    }
}
