//! Defines problems in the YAML of a check: path, message and hint.

/// Problem of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path from the check to the invalid value; empty for the check itself.
    pub path: Vec<Part>,
    /// True if the last key of the path is invalid, not its value.
    pub key: bool,
    /// Message.
    pub message: String,
    /// Hint.
    pub help: Option<String>,
}

/// Part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Key of a map.
    Key(String),
    /// Index in a list.
    Item(usize),
}

impl Problem {
    /// Creates a problem.
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            key: false,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// Adds a key in front of the path.
    pub(crate) fn under(mut self, key: &str) -> Self {
        self.path.insert(0, Part::Key(key.to_owned()));
        self
    }

    /// Adds an index in front of the path.
    pub(crate) fn under_item(mut self, index: usize) -> Self {
        self.path.insert(0, Part::Item(index));
        self
    }

    /// Marks the last key of the path as invalid.
    pub(crate) fn at_key(mut self) -> Self {
        self.key = true;
        self
    }
}
