//! Parses OpenSSH configuration files of the server and the client.

use crate::facts::error::ReadError;

/// Line with a keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    /// Keyword in lower case.
    pub(crate) keyword: String,
    /// Arguments without quotes and escapes, at least one.
    pub(crate) words: Vec<String>,
    /// Line number, from 1.
    pub(crate) line: usize,
}

/// Line that OpenSSH refuses.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct SyntaxError {
    line: usize,
    reason: SyntaxProblem,
}

/// Reason why OpenSSH refuses a line.
#[derive(Debug, thiserror::Error)]
enum SyntaxProblem {
    #[error("NUL byte")]
    NulByte,
    #[error("missing closing quote")]
    OpenQuote,
    /// Keyword without an argument.
    #[error("missing argument of {}", .0.escape_debug())]
    NoArgument(String),
}

impl From<SyntaxError> for ReadError {
    fn from(error: SyntaxError) -> Self {
        Self::invalid(error)
    }
}

const SPACE: &[char] = &[' ', '\t', '\r', '\n'];

/// Parses the directives of a file, in order.
///
/// Follows `strdelim` and `argv_split` of OpenSSH (misc.c). White space around a line is ignored. A
/// keyword ends at white space or at one `=`. Words can be quoted with `"` or `'`. A `\` escapes a
/// quote, a `\` or, outside quotes, a space. A word that begins with `#` starts a comment.
///
/// # Errors
/// Returns the first line that OpenSSH refuses for any keyword.
pub(crate) fn parse(text: &str) -> Result<Vec<Directive>, SyntaxError> {
    let mut out = Vec::new();
    for (i, raw) in text.split('\n').enumerate() {
        let at = |reason| SyntaxError {
            line: i + 1,
            reason,
        };
        if raw.contains('\0') {
            return Err(at(SyntaxProblem::NulByte));
        }
        let line = raw
            .trim_end_matches([' ', '\t', '\r', '\n', '\u{c}'])
            .trim_start_matches(SPACE);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (keyword, rest) = split_keyword(line).ok_or_else(|| at(SyntaxProblem::OpenQuote))?;
        let words = split_words(rest).ok_or_else(|| at(SyntaxProblem::OpenQuote))?;
        if words.is_empty() {
            return Err(at(SyntaxProblem::NoArgument(keyword.to_owned())));
        }
        out.push(Directive {
            keyword: keyword.to_ascii_lowercase(),
            words,
            line: i + 1,
        });
    }
    Ok(out)
}

/// Splits a line into keyword and arguments; none if a quote is not closed.
fn split_keyword(line: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = line.strip_prefix('"') {
        let (keyword, rest) = quoted.split_once('"')?;
        return Some((keyword, rest.trim_start_matches(SPACE)));
    }
    let end = line
        .find(|c| SPACE.contains(&c) || c == '=' || c == '"')
        .unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(SPACE);
    Some((
        keyword,
        rest.strip_prefix('=')
            .unwrap_or(rest)
            .trim_start_matches(SPACE),
    ))
}

/// The words of what follows a keyword; none where a quote is not closed.
fn split_words(text: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(out),
            Some(_) => {}
        }
        let (mut word, mut quote) = (String::new(), None);
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', _) => {
                    let escaped = chars.next_if(|n| {
                        matches!(n, '\'' | '"' | '\\') || (quote.is_none() && *n == ' ')
                    });
                    word.push(escaped.unwrap_or('\\'));
                }
                (' ' | '\t', None) => break,
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        out.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_to_string(text: &str) -> String {
        match parse(text) {
            Ok(all) => all
                .iter()
                .map(|d| format!("{}:{}={}", d.line, d.keyword, d.words.join("|")))
                .collect::<Vec<_>>()
                .join(" "),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn lines_are_parsed_like_openssh() {
        for (text, found) in [
            ("Port 22", "1:port=22"),
            (
                "  PORT\t22  \r\n\n# Port 1\n\t#x\nport=23\nPort = 24\nPort \t=25",
                "1:port=22 5:port=23 6:port=24 7:port=25",
            ),
            ("Port 22 # why", "1:port=22"),
            ("Banner a#b", "1:banner=a#b"),
            ("AllowUsers a  b\tc", "1:allowusers=a|b|c"),
            (
                "Banner \"/a b\" 'c d' e\\ f \"g\\\"h\" i\\j",
                "1:banner=/a b|c d|e f|g\"h|i\\j",
            ),
            ("\"Port\" 22", "1:port=22"),
            ("ForceCommand x=y", "1:forcecommand=x=y"),
            ("SetEnv ==", "1:setenv=="),
            ("Banner \"\"", "1:banner="),
            ("Banner none\u{c}", "1:banner=none"),
            ("é ü", "1:é=ü"),
        ] {
            assert_eq!(parse_to_string(text), found, "{text:?}");
        }
    }

    #[test]
    fn invalid_line_is_reported_by_number() {
        for (text, why) in [
            ("Port 22\nPort", "line 2: missing argument of Port"),
            ("Port #22", "line 1: missing argument of Port"),
            ("Banner \"x", "line 1: missing closing quote"),
            ("Banner it's", "line 1: missing closing quote"),
            ("\"Port 22", "line 1: missing closing quote"),
            ("\n\nPort 2\u{0}2", "line 3: NUL byte"),
        ] {
            assert_eq!(parse_to_string(text), why, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn parser_never_panics(text in "([ -~\\n\\t\\r]|\\PC|[\"'\\\\#=]){0,200}") {
            for directive in parse(&text).unwrap_or_default() {
                proptest::prop_assert!(!directive.words.is_empty() && directive.line > 0);
            }
        }
    }
}
