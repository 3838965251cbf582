//! Finds phrases that the style guide forbids.

use std::sync::LazyLock;

use regex::Regex;

use super::files::{Kind, ProjectFile};

/// Words and phrases of the old language, as one pattern per line of the file.
static FORBIDDEN: LazyLock<Regex> = LazyLock::new(|| {
    let phrases: Vec<&str> = include_str!("../../data/language/forbidden.txt")
        .lines()
        .collect();
    pattern(&format!(r"(?i)\b({})\b", phrases.join("|")))
});
/// Idioms and data that contain a forbidden word: "there is no", and the Unix user.
static ALLOWED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"[Tt]here (is|are|was|were|must be) (no|none)\b|(^|[:*] ?)nobody($|[,}\\-])|^mend$|^What prune keeps$",
    )
});
/// Statements that begin with a relative clause, as in "What is left goes." Questions are allowed.
static RELATIVE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(^|[.:;!] )(What|Whether|Whose|Whom|Who|Those who|Such as) [^?]*$"));
static FORMULA: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Owns\b"));
static STRING: LazyLock<Regex> = LazyLock::new(|| pattern(r#""((?:[^"\\]|\\.)*)""#));

/// Compiles a pattern of this test.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|e| panic!("{e}"))
}

/// Lists the forbidden phrases of a file, with file and line.
pub(super) fn find(file: &ProjectFile) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for text in readable(file.kind, line) {
            let text = &*ALLOWED.replace_all(text, "");
            let phrase = [&*FORBIDDEN, &*RELATIVE, &*FORMULA]
                .iter()
                .find_map(|p| p.find(text));
            if let Some(phrase) = phrase {
                found.push(format!(
                    "{}:{}: {:?} in {}",
                    file.path,
                    number + 1,
                    phrase.as_str(),
                    text.trim()
                ));
            }
        }
    }
    found
}

/// Returns the parts of a line that a person reads as sentences.
fn readable(kind: Kind, line: &str) -> Vec<&str> {
    match kind {
        Kind::Markdown => vec![line.trim_start_matches(['-', '*', ' ', '>'])],
        Kind::Yaml => vec![line.split_once(": ").map_or(line, |(_, value)| value)],
        Kind::Rust => [comment(line, "//"), strings(line)].concat(),
        Kind::Python => [comment(line, "#"), docstring(line), strings(line)].concat(),
        Kind::Shell => comment(line, "#"),
    }
}

fn comment<'a>(line: &'a str, marker: &str) -> Vec<&'a str> {
    let text = line.trim_start().strip_prefix(marker);
    text.map(|text| text.trim_start_matches(['/', '!', ' ']))
        .into_iter()
        .collect()
}

fn docstring(line: &str) -> Vec<&str> {
    line.trim_start()
        .strip_prefix("\"\"\"")
        .into_iter()
        .collect()
}

fn strings(line: &str) -> Vec<&str> {
    let parts = STRING.captures_iter(line);
    parts.filter_map(|c| c.get(1)).map(|m| m.as_str()).collect()
}
