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

/// Wraps each line of a message at blanks, with later lines indented by two more columns. Texts in
/// backquotes stay on one line, so that a person can copy a command.
#[must_use]
pub fn wrap_message(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if display_width(line) <= width {
        return line.to_owned();
    }
    let body = line.trim_start();
    let indent = &line[..line.len() - body.len()];
    let (mut out, mut used) = (indent.to_owned(), indent.len());
    let mut is_first = true;
    for word in split_outside_quotes(body) {
        let long = display_width(word);
        if !is_first && used + 1 + long > width && !word.is_empty() {
            out.push('\n');
            out.push_str(indent);
            out.push_str("  ");
            used = indent.len() + 2;
        } else if !is_first {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += long;
        is_first = false;
    }
    out
}

/// Splits a text at blanks outside of backquotes.
fn split_outside_quotes(text: &str) -> Vec<&str> {
    // The last of an odd number of backquotes opens nothing.
    let mut pairs = text.matches('`').count() / 2 * 2;
    let mut quoted = false;
    text.split(move |c: char| {
        if c == '`' && pairs > 0 {
            pairs -= 1;
            quoted = !quoted;
        }
        c == ' ' && !quoted
    })
    .collect()
}

/// Cuts a text to a width, with an ellipsis at the end.
#[must_use]
pub fn truncate(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_wrapped_with_an_indent() {
        assert_eq!(
            wrap_message("error: aa bb cc", 12),
            "error: aa bb\n  cc",
            "a word starts a new line"
        );
        assert_eq!(
            wrap_message("run `a b c d` now", 8),
            "run\n  `a b c d`\n  now"
        );
        assert_eq!(wrap_message("one ` two three", 9), "one ` two\n  three");
        assert_eq!(wrap_message("  x\nshort", 40), "  x\nshort");
        assert_eq!(wrap_message("  aaa bbb", 6), "  aaa\n    bbb");
        assert_eq!(wrap_message("a    b c d", 8), "a    b c\n  d");
        assert_eq!(wrap_message("`a b` x `y z", 7), "`a b` x\n  `y z");
    }

    #[test]
    fn truncated_text_has_an_ellipsis() {
        assert_eq!(truncate("abcdef", 4), "abc…");
        assert_eq!(truncate("abcd", 4), "abcd");
    }

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
