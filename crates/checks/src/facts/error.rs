//! Defines the reasons why a fact could not be read or interpreted.

use std::error::Error;
use std::rc::Rc;

use crate::text::{truncate_for_display, truncate_message};

/// Reason why a fact could not be read or interpreted.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ReadError {
    /// Fact that the collector did not collect.
    #[error("it was not collected")]
    NotCollected,
    /// Secret that was not stored with the facts.
    #[error("the value is secret and was not stored")]
    SecretNotStored,
    /// Content that the collector truncated.
    #[error("the content is too large to judge")]
    TooLarge,
    /// File that does not exist, although another file names it.
    #[error("it does not exist")]
    NoSuchFile,
    /// File or directory that the collector has no permission to read.
    #[error("permission denied")]
    PermissionDenied,
    /// Message of the collector or of a tool on the target.
    #[error("{0}")]
    TargetMessage(String),
    /// Error about one of several files.
    #[error("{path}: {cause}")]
    File {
        /// Path of the file.
        path: String,
        /// Reason for this file.
        cause: Box<ReadError>,
    },
    /// Text of the target in an unknown format.
    #[error("unknown format of {what}{}", quoted_line(.line.as_deref()))]
    UnknownFormat {
        /// Description of the text, such as `a line in /etc/group`.
        what: &'static str,
        /// Shortened line; none if the line can contain secrets.
        line: Option<String>,
    },
    /// Output of a tool in an unknown format.
    #[error("{tool} printed an unknown format{}", quoted_line(.line.as_deref()))]
    UnknownOutput {
        /// Name of the tool.
        tool: &'static str,
        /// Shortened line.
        line: Option<String>,
    },
    /// Output of a tool without any text.
    #[error("{tool} printed nothing")]
    NoOutput {
        /// Name of the tool.
        tool: &'static str,
    },
    /// Answer of systemctl that does not contain all requested units.
    #[error("systemctl printed {printed} of {requested} units: {line}")]
    MissingUnits {
        /// Number of units in the answer.
        printed: usize,
        /// Number of requested units.
        requested: usize,
        /// Shortened first line of the answer.
        line: String,
    },
    /// Content that the parser of its format refuses.
    #[error("{0}")]
    Invalid(Rc<dyn Error>),
}

fn quoted_line(line: Option<&str>) -> String {
    line.map(|line| format!(": {line}")).unwrap_or_default()
}

impl ReadError {
    /// Creates an error from the error of a parser.
    pub(crate) fn invalid(cause: impl Error + 'static) -> Self {
        Self::Invalid(Rc::new(cause))
    }

    /// Creates an error from a message on the target; shortens it.
    pub(crate) fn target_message(message: &[u8]) -> Self {
        Self::TargetMessage(truncate_message(message))
    }

    /// Creates an error for a file without read permission.
    pub(crate) fn permission_denied(path: &str) -> Self {
        Self::PermissionDenied.in_file(path)
    }

    /// Creates an error for a line in an unknown format.
    pub(crate) fn unknown_line(what: &'static str, line: &str) -> Self {
        Self::UnknownFormat {
            what,
            line: Some(truncate_for_display(line.as_bytes())),
        }
    }

    /// Creates an error for a text in an unknown format, without showing the text.
    pub(crate) fn unknown_format(what: &'static str) -> Self {
        Self::UnknownFormat { what, line: None }
    }

    /// Creates an error for the output of a tool in an unknown format.
    pub(crate) fn unknown_output(tool: &'static str) -> Self {
        Self::UnknownOutput { tool, line: None }
    }

    /// Adds the path of the file.
    pub(crate) fn in_file(self, path: &str) -> Self {
        Self::File {
            path: path.to_owned(),
            cause: Box::new(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_file_and_shortened_line() {
        let line = "x".repeat(500);
        let error = ReadError::unknown_line("a line in /etc/group", &line).in_file("/a");
        let message = error.to_string();
        assert!(
            message.starts_with("/a: unknown format of a line in /etc/group: xxx"),
            "{message}"
        );
        assert!(message.ends_with("… (500 bytes)"), "{message}");
        assert_eq!(
            ReadError::permission_denied("/b").to_string(),
            "/b: permission denied"
        );
        assert_eq!(
            ReadError::unknown_output("find").to_string(),
            "find printed an unknown format"
        );
    }
}
