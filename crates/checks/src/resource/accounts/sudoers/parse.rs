//! Parses the lines of a sudoers file.

/// Statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// Include of a file or of a directory.
    Include { path: String, directory: bool },
    /// User aliases with their members.
    Aliases(Vec<(String, Vec<String>)>),
    /// Users who need no password because of a `Defaults` line.
    Exempt(Vec<String>),
    /// Rule of users.
    Rule {
        users: Vec<String>,
        text: String,
        passwordless: bool,
    },
    /// Line that is not a rule.
    Unknown(String),
}

/// Parses the statements of a file, each with its line number.
///
/// Follows sudoers(5). A backslash at the end of a line continues it, but not in a comment.
pub(super) fn parse(text: &str) -> Vec<(usize, Statement)> {
    logical_lines(text)
        .into_iter()
        .filter_map(|(number, line)| Some((number, parse_statement(&line)?)))
        .collect()
}

fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (i, raw) in text.lines().enumerate() {
        let line = raw.trim_end();
        // An include never continues a line, so that no line can hide it.
        continues &= include_directive(line).is_none();
        let quoted = continues && out.last().is_some_and(|(_, before)| is_open(before));
        let (kept, commented) = match comment_start(line, quoted) {
            Some(at) => (&line[..at], true),
            None => (line, false),
        };
        let (part, more) = match kept.strip_suffix('\\') {
            Some(part) if !commented => (part, true),
            _ => (kept, false),
        };
        match out.last_mut() {
            Some((_, before)) if continues => {
                before.push(' ');
                before.push_str(part);
            }
            _ => out.push((i + 1, part.to_owned())),
        }
        continues = more;
    }
    out
}

/// Returns true if a quote of the text is not closed.
fn is_open(text: &str) -> bool {
    parts(text).last().is_some_and(|(_, _, quoted)| *quoted)
}

/// Returns each unescaped character with its place, and true if it is within quotes.
fn parts(text: &str) -> Vec<(usize, char, bool)> {
    let (mut out, mut quoted) = (Vec::new(), false);
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => {
                quoted = !quoted;
                out.push((i, c, quoted));
            }
            _ => out.push((i, c, quoted)),
        }
    }
    out
}

/// Returns the place of a comment. `#include` at the start and a user ID such as `#1000` are not
/// comments.
fn comment_start(line: &str, quoted: bool) -> Option<usize> {
    if include_directive(line).is_some() {
        return None;
    }
    let prefix = if quoted { "\"" } else { "" };
    let text = format!("{prefix}{line}");
    parts(&text)
        .iter()
        .filter(|(_, c, quoted)| *c == '#' && !quoted)
        .map(|(i, ..)| i - prefix.len())
        .find(|i| {
            let after = line[i + 1..].trim_start_matches('-');
            !(line[..*i].ends_with('%') || after.starts_with(|c: char| c.is_ascii_digit()))
        })
}

/// Returns the text after an include keyword, and true for a directory. After white space, `#` begins
/// a comment.
fn include_directive(line: &str) -> Option<(&str, bool)> {
    let rest = line
        .strip_prefix('#')
        .or_else(|| line.trim_start().strip_prefix('@'))?
        .strip_prefix("include")?;
    let (rest, directory) = match rest.strip_prefix("dir") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    (rest.is_empty() || rest.starts_with([' ', '\t', '"', '\\'])).then_some((rest, directory))
}

fn parse_statement(line: &str) -> Option<Statement> {
    if let Some((rest, directory)) = include_directive(line) {
        let path = take_word(rest.trim_start(), true).0;
        return Some(if path.is_empty() {
            Statement::Unknown("an include has no path".to_owned())
        } else {
            Statement::Include { path, directory }
        });
    }
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    if let Some(rest) = line.strip_prefix("Defaults") {
        return parse_defaults(rest);
    }
    let (keyword, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    match keyword {
        "User_Alias" => return Some(Statement::Aliases(parse_aliases(rest))),
        "Runas_Alias" | "Host_Alias" | "Cmnd_Alias" | "Cmd_Alias" => return None,
        _ => {}
    }
    if !parts(line)
        .iter()
        .any(|(_, c, quoted)| *c == '=' && !quoted)
    {
        return Some(Statement::Unknown("the line is not a rule".to_owned()));
    }
    Some(Statement::Rule {
        users: take_list(line).0,
        text: line.split_whitespace().collect::<Vec<_>>().join(" "),
        passwordless: has_tag(line, "NOPASSWD"),
    })
}

/// Returns true if a rule has a tag: the word, then a colon.
fn has_tag(line: &str, tag: &str) -> bool {
    line.match_indices(tag).any(|(i, _)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !line[..i].ends_with(is_word) && line[i + tag.len()..].trim_start().starts_with(':')
    })
}

/// Parses `NAME = member, member : NAME = member`.
fn parse_aliases(text: &str) -> Vec<(String, Vec<String>)> {
    split_at_unquoted(text, ':')
        .iter()
        .filter_map(|part| part.split_once('='))
        .map(|(name, members)| (name.trim().to_owned(), take_list(members.trim()).0))
        .collect()
}

/// Parses the text after `Defaults`. Returns none if it does not exempt users from a password.
fn parse_defaults(rest: &str) -> Option<Statement> {
    let all = || vec!["ALL".to_owned()];
    let (who, options) = match rest.chars().next()? {
        ':' => take_list(rest[1..].trim_start()),
        // The line is for hosts, target users or commands, so it can apply to any user.
        '@' | '>' | '!' => (all(), take_list(rest[1..].trim_start()).1),
        ' ' | '\t' => (all(), rest),
        _ => return Some(Statement::Unknown("the line is not a rule".to_owned())),
    };
    let mut exempt = Vec::new();
    for option in split_at_unquoted(options, ',') {
        let name = option.trim().trim_start_matches(['!', ' ', '\t']);
        let negations = option.matches('!').count();
        if name == "authenticate" && negations % 2 == 1 {
            exempt.extend(who.iter().cloned());
        } else if let Some(group) = name
            .strip_prefix("exempt_group")
            .and_then(|value| value.trim_start().strip_prefix('='))
        {
            let group = group.trim().trim_matches('"');
            exempt.push(format!("%{}", group.trim_start_matches('%')));
        }
    }
    (!exempt.is_empty()).then_some(Statement::Exempt(exempt))
}

fn split_at_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut out, mut start) = (Vec::new(), 0);
    for (i, c, quoted) in parts(text) {
        if c == separator && !quoted {
            out.push(&text[start..i]);
            start = i + c.len_utf8();
        }
    }
    out.push(&text[start..]);
    out
}

/// Takes a comma-separated list from the start of a text. Leaves out members after `!`.
fn take_list(text: &str) -> (Vec<String>, &str) {
    let (mut out, mut rest) = (Vec::new(), text.trim_start());
    loop {
        let plain = rest.trim_start_matches(['!', ' ', '\t']);
        let is_negated = rest[..rest.len() - plain.len()].matches('!').count() % 2 == 1;
        let (word, after) = take_word(plain, false);
        if !is_negated && !word.is_empty() {
            out.push(word);
        }
        match after.trim_start().strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return (out, after.trim_start()),
        }
    }
}

/// Takes a word without its quotes and escapes. A path ends only at white space.
fn take_word(text: &str, path: bool) -> (String, &str) {
    let (mut word, mut quoted) = (String::new(), false);
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped)) => word.push(escaped),
                None => break,
            },
            '"' if quoted && path => return (word, &text[i + 1..]),
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return (word, &text[i..]),
            ',' | '=' if !quoted && !path => return (word, &text[i..]),
            _ => word.push(c),
        }
    }
    (word, "")
}
