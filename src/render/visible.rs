//! Escapes hidden characters in text from unknown sources.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Control, format, unassigned and private characters (escape codes, NUL, bidirectional overrides,
/// zero-width), and both Unicode line separators.
const HIDDEN_CHARS: &str = r"[\p{C}\p{Zl}\p{Zp}]";

#[expect(
    clippy::unwrap_used,
    reason = "the pattern is constant, and the tests compile it"
)]
static HIDDEN: LazyLock<Regex> = LazyLock::new(|| Regex::new(HIDDEN_CHARS).unwrap());
#[expect(
    clippy::unwrap_used,
    reason = "the pattern is constant, and the tests compile it"
)]
static HIDDEN_EXCEPT_LINES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("[{HIDDEN_CHARS}--[\n\t]]")).unwrap());

/// Escapes hidden characters, including line breaks and tabs.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_printable) {
        return Cow::Borrowed(text);
    }
    HIDDEN.replace_all(text, escape_match)
}

/// Escapes hidden characters except line feeds and tabs.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|b| is_printable(b) || b"\n\t".contains(&b))
    {
        return Cow::Borrowed(text);
    }
    HIDDEN_EXCEPT_LINES.replace_all(text, escape_match)
}

/// Returns true for printable ASCII, the usual case, which needs no search.
fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn escape_match(found: &Captures<'_>) -> String {
    found[0]
        .chars()
        .map(|c| {
            if c.is_ascii() {
                c.escape_default().to_string()
            } else {
                c.escape_unicode().to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped() {
        assert_eq!(line("a\u{1b}[31m\0\r\n\tb"), r"a\u{1b}[31m\u{0}\r\n\tb");
        assert_eq!(
            block("a\u{1b}[31m\r\n\tb\u{9b}2J"),
            "a\\u{1b}[31m\\r\n\tb\\u{9b}2J"
        );
        assert_eq!(
            line("\u{202e}evil\u{200b}\u{2028}\u{feff}\u{e0041}"),
            r"\u{202e}evil\u{200b}\u{2028}\u{feff}\u{e0041}"
        );
        assert!(matches!(
            line("plain äöü 漢字 😀 e\u{301} \\x1b"),
            Cow::Borrowed(_)
        ));
    }
}
