//! Measures and wraps texts for the terminal.

use console::Term;

/// Width where no terminal tells another.
const DEFAULT_WIDTH: usize = 80;
/// Smallest width that layouts consider.
const MIN_WIDTH: usize = 40;

/// Returns the width of the terminal at stdout, or 80.
#[must_use]
pub fn stdout_width() -> usize {
    terminal_width(&Term::stdout())
}

/// Returns the width of the terminal at stderr, or 80.
#[must_use]
pub fn stderr_width() -> usize {
    terminal_width(&Term::stderr())
}

fn terminal_width(terminal: &Term) -> usize {
    let columns = terminal
        .is_term()
        .then(|| terminal.size_checked())
        .flatten()
        .map(|(_, columns)| usize::from(columns))
        // Terminals of CI systems may have no width.
        .filter(|columns| *columns > 0);
    columns.unwrap_or(DEFAULT_WIDTH).max(MIN_WIDTH)
}

/// Returns the number of columns that a text without control characters needs.
#[must_use]
pub fn display_width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Replaces control characters, so that user text cannot move the cursor.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Wraps a text at blanks. Words that are longer than a line are broken.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    if display_width(text) <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let long = display_width(word);
        let gap = usize::from(used > 0);
        if used > 0 && used + gap + long > width {
            lines.push(String::new());
            used = 0;
        }
        let mut line = lines.pop().unwrap_or_default();
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            let wide = display_width(c.encode_utf8(&mut [0; 4]));
            if used + wide > width && used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_blanks() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aa bb cc", 8), ["aa bb cc"]);
        assert_eq!(wrap("a abcdefg b", 5), ["a", "abcde", "fg b"]);
        assert_eq!(wrap("äöü äöü", 3), ["äöü", "äöü"]);
        assert_eq!(wrap("日本 日本", 4), ["日本", "日本"]);
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(printable("a\x1b[2Jb"), "a\u{fffd}[2Jb");
    }
}
