//! Owns text that came from a target: always valid and never longer than a report can bear.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// The most bytes of one text.
pub const LONGEST: usize = 4096;
/// What is kept free of them for the word about the rest.
const ROOM: usize = 48;

/// A text of at most [`LONGEST`] bytes; of a longer one the beginning, and how long it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// Bytes from a target; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let kept = &bytes[..bytes.len().min(LONGEST + 1)];
        Self::cut(String::from_utf8_lossy(kept).into_owned(), bytes.len())
    }

    fn cut(mut text: String, whole: usize) -> Self {
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST - ROOM));
            text.push_str(&format!("… ({whole} bytes in all)"));
        }
        Self(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let whole = text.len();
        Self::cut(text, whole)
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
    fn long_texts_are_cut_once_and_say_so() {
        let long = Text::from("ä".repeat(1 << 19));
        assert!(
            long.len() <= LONGEST && long.ends_with("ä… (1048576 bytes in all)"),
            "{}",
            long.len()
        );
        assert_eq!(Text::from("ä".repeat(1 << 19).as_str()), long);
        assert_eq!(
            Text::from(long.to_string()),
            long,
            "reading it back cuts nothing"
        );
        let whole = "x".repeat(LONGEST);
        assert_eq!(*Text::from(whole.as_str()), whole);
        assert!(Text::from(usize::MAX.to_string().repeat(LONGEST)).len() <= LONGEST);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(&*Text::from_bytes(b"a\xff\0b\xc3"), "a\u{fffd}\0b\u{fffd}");
        assert!(Text::from_bytes(&[0xff; 1 << 20]).len() <= LONGEST);
    }
}
