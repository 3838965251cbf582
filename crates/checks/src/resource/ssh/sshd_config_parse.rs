//! Reads the lines of a configuration file of OpenSSH, of the server or of the client, as its own reader does.

/// One line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    /// The keyword in lower case.
    pub(crate) keyword: String,
    /// Its arguments without quotes and escapes, at least one.
    pub(crate) words: Vec<String>,
    /// The line, from 1.
    pub(crate) line: usize,
}

const SPACE: &[char] = &[' ', '\t', '\r', '\n'];

/// The directives of a file, in order.
///
/// As `strdelim` and `argv_split` of OpenSSH (misc.c) have it: white space around a line is nothing, a keyword ends at white
/// space or at one `=`, a word may be quoted with `"` or `'`, a `\` before a quote, a `\` or (outside quotes) a space is
/// an escape, and a `#` that begins a word is a comment to the end of the line.
///
/// # Errors
/// The first line that OpenSSH refuses whatever its keyword is.
pub(crate) fn parse(text: &str) -> Result<Vec<Directive>, String> {
    let mut out = Vec::new();
    for (i, raw) in text.split('\n').enumerate() {
        let at = |why: &str| format!("line {}: {why}", i + 1);
        if raw.contains('\0') {
            return Err(at("there is a NUL byte"));
        }
        let line = raw
            .trim_end_matches([' ', '\t', '\r', '\n', '\u{c}'])
            .trim_start_matches(SPACE);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (keyword, rest) = keyword(line).ok_or_else(|| at("a quote is not closed"))?;
        let words = words(rest).ok_or_else(|| at("a quote is not closed"))?;
        if words.is_empty() {
            return Err(at(&format!(
                "nothing stands behind {}",
                keyword.escape_debug()
            )));
        }
        out.push(Directive {
            keyword: keyword.to_ascii_lowercase(),
            words,
            line: i + 1,
        });
    }
    Ok(out)
}

/// A line's keyword and what follows it; none where a quote is not closed.
fn keyword(line: &str) -> Option<(&str, &str)> {
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
fn words(text: &str) -> Option<Vec<String>> {
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

    fn told(text: &str) -> String {
        match parse(text) {
            Ok(all) => all
                .iter()
                .map(|d| format!("{}:{}={}", d.line, d.keyword, d.words.join("|")))
                .collect::<Vec<_>>()
                .join(" "),
            Err(why) => why,
        }
    }

    #[test]
    fn lines_are_read_as_openssh_reads_them() {
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
            assert_eq!(told(text), found, "{text:?}");
        }
    }

    #[test]
    fn what_openssh_refuses_is_refused_by_its_line() {
        for (text, why) in [
            ("Port 22\nPort", "line 2: nothing stands behind Port"),
            ("Port #22", "line 1: nothing stands behind Port"),
            ("Banner \"x", "line 1: a quote is not closed"),
            ("Banner it's", "line 1: a quote is not closed"),
            ("\"Port 22", "line 1: a quote is not closed"),
            ("\n\nPort 2\u{0}2", "line 3: there is a NUL byte"),
        ] {
            assert_eq!(told(text), why, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([ -~\\n\\t\\r]|\\PC|[\"'\\\\#=]){0,200}") {
            for directive in parse(&text).unwrap_or_default() {
                proptest::prop_assert!(!directive.words.is_empty() && directive.line > 0);
            }
        }
    }
}
