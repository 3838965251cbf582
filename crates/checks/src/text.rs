//! Converts texts and bytes: hex, and short forms for messages.

use std::fmt::Write as _;

pub use bakeline_platform::sh_quote;

/// Formats bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Parses hex digits of either case.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            if let [a, b] = pair {
                Some(digit(*a)? << 4 | digit(*b)?)
            } else {
                None
            }
        })
        .collect()
}

/// Formats bytes for messages: one line of at most 80 characters. Escapes control and invisible
/// characters, and appends the length of longer text.
pub(crate) fn truncate_for_display(bytes: &[u8]) -> String {
    truncate(bytes, 80)
}

/// Formats a message of the collector: one line of at most 200 characters, like
/// [`truncate_for_display`].
pub(crate) fn truncate_message(bytes: &[u8]) -> String {
    truncate(bytes, 200)
}

/// Formats the last lines of an output for messages, if any: at most three lines of at most 200
/// characters.
pub(crate) fn last_lines(bytes: &[u8]) -> Option<String> {
    let lines: Vec<&[u8]> = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines.iter().skip(lines.len().saturating_sub(3));
    let last: Vec<String> = last.map(|line| truncate_message(line)).collect();
    (!last.is_empty()).then(|| last.join(" | "))
}

fn truncate(bytes: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * max)]);
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == max {
            return format!("{out}… ({} bytes)", bytes.len());
        }
        match c {
            '"' | '\'' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    if bytes.len() > 4 * max {
        format!("{out}… ({} bytes)", bytes.len())
    } else {
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brief_is_one_short_line() {
        assert_eq!(
            truncate_for_display(b"a\nb\r\x1b[31m\0 \"x\""),
            "a\\nb\\r\\u{1b}[31m\\0 \"x\""
        );
        let long = truncate_for_display(&b"x".repeat(5000));
        assert!(
            long.chars().count() < 120 && long.ends_with("… (5000 bytes)"),
            "{long}"
        );
        assert!(truncate_for_display(&b"\xff".repeat(5000)).ends_with("… (5000 bytes)"));
        assert_eq!(
            truncate_for_display("a\u{202e}b".as_bytes()),
            "a\\u{202e}b",
            "text direction characters are escaped"
        );
    }
}
