//! Owns how text of unknown origin is shown to people: what would be invisible, or move a cursor, is spelt out.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Control and format characters (escape codes, NUL, bidirectional overrides, zero-width), those nobody has assigned a
/// picture to, and both Unicode line separators.
const HIDDEN: &str = r"[\p{C}\p{Zl}\p{Zp}]";

#[expect(clippy::unwrap_used, reason = "a constant, tried by the tests")]
static ANY: LazyLock<Regex> = LazyLock::new(|| Regex::new(HIDDEN).unwrap());
#[expect(clippy::unwrap_used, reason = "a constant, tried by the tests")]
static BUT_LINES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("[{HIDDEN}--[\n\t]]")).unwrap());

/// One line: line breaks are spelt out, too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    ANY.replace_all(text, spelt)
}

/// Any number of lines; tabs stay as well.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| plain(b) || b"\n\t".contains(&b)) {
        return Cow::Borrowed(text);
    }
    BUT_LINES.replace_all(text, spelt)
}

/// The usual case needs no search.
fn plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn spelt(found: &Captures<'_>) -> String {
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
    fn nothing_hidden_is_left() {
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
