//! Defines bounded text for values that come from a target.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// Maximum length of a text in bytes.
pub const MAX_LENGTH: usize = 4096;
/// Bytes that are reserved for the note about the original length.
const NOTE_LENGTH: usize = 48;

/// Text of at most [`MAX_LENGTH`] bytes. Longer texts are truncated, with a note of their length.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// Converts bytes from a target. Invalid UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let kept = &bytes[..bytes.len().min(MAX_LENGTH + 1)];
        Self::truncate(String::from_utf8_lossy(kept).into_owned(), bytes.len())
    }

    fn truncate(mut text: String, length: usize) -> Self {
        if text.len() > MAX_LENGTH {
            text.truncate(text.floor_char_boundary(MAX_LENGTH - NOTE_LENGTH));
            text.push_str(&format!("… ({length} bytes in total)"));
        }
        Self(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let length = text.len();
        Self::truncate(text, length)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_truncated_once_with_a_note() {
        let long = Text::from("ä".repeat(1 << 19));
        assert!(
            long.len() <= MAX_LENGTH && long.ends_with("ä… (1048576 bytes in total)"),
            "{}",
            long.len()
        );
        assert_eq!(Text::from("ä".repeat(1 << 19).as_str()), long);
        assert_eq!(
            Text::from(long.to_string()),
            long,
            "truncation is idempotent"
        );
        let whole = "x".repeat(MAX_LENGTH);
        assert_eq!(*Text::from(whole.as_str()), whole);
        assert!(Text::from(usize::MAX.to_string().repeat(MAX_LENGTH)).len() <= MAX_LENGTH);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(&*Text::from_bytes(b"a\xff\0b\xc3"), "a\u{fffd}\0b\u{fffd}");
        assert!(Text::from_bytes(&[0xff; 1 << 20]).len() <= MAX_LENGTH);
    }
}
