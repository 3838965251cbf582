//! Owns regular expressions: how a pattern is compiled, within which bounds, and once however many controls name it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::bytes::{Regex, RegexBuilder};

/// How many steps a pattern that looks around may take on one text: some tens of milliseconds.
const STEPS: usize = 500_000;
/// How large a compiled pattern may get, in bytes.
const SIZE: usize = 1 << 20;

/// A compiled pattern. `^` and `$` match at line ends, classes are ASCII.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// In linear time, whatever the text.
    Plain(Regex),
    /// With lookahead, lookbehind or back references, which need backtracking: bounded in steps.
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles a pattern; backtracking only where it can't be done without.
    ///
    /// # Errors
    /// It is no pattern, or too large a one.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let error = match linear(pattern) {
            Ok(regex) => return Ok(Self::Plain(regex)),
            Err(error) => error.to_string(),
        };
        if !error.contains("look-around") && !error.contains("backreference") {
            return Err(refusal(&error));
        }
        let built = fancy_regex::RegexBuilder::new(pattern)
            .multi_line(true)
            .bytes_mode(fancy_regex::BytesMode::Ascii)
            .backtrack_limit(STEPS)
            .delegate_size_limit(SIZE)
            .build();
        built
            .map(|regex| Self::Backtracking(Box::new(regex)))
            .map_err(|e| refusal(&e.to_string()))
    }

    /// Whether it is found.
    ///
    /// # Errors
    /// It would take too many steps on this text.
    pub(crate) fn is_match(&self, text: &[u8]) -> Result<bool, String> {
        match self {
            Self::Plain(regex) => Ok(regex.is_match(text)),
            Self::Backtracking(regex) => regex
                .is_match(text)
                .map_err(|_| format!("the pattern takes more than {STEPS} steps on this text")),
        }
    }
}

/// A pattern for what has to be taken apart, in linear time only.
///
/// # Errors
/// It is no pattern, too large a one, or looks around.
pub(crate) fn plain(pattern: &str) -> Result<Regex, String> {
    linear(pattern).map_err(|e| refusal(&e.to_string()))
}

fn linear(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .unicode(false)
        .size_limit(SIZE)
        .build()
}

/// The crate's message draws the pattern on several lines; the last says what is wrong.
fn refusal(message: &str) -> String {
    let last = message.lines().last().unwrap_or_default().trim();
    format!(
        "the pattern can't be used: {}",
        last.strip_prefix("error: ").unwrap_or(last)
    )
}

type Compiled = Rc<Result<Pattern, String>>;

/// Patterns that were compiled already.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    known: RefCell<HashMap<String, Compiled>>,
}

impl Patterns {
    /// Whether a pattern is found in a text; it is compiled at its first use.
    ///
    /// # Errors
    /// It is no pattern, or takes too long.
    pub(crate) fn found(&self, pattern: &str, text: &[u8]) -> Result<bool, String> {
        self.compiled(pattern)
            .as_ref()
            .as_ref()
            .map_err(Clone::clone)?
            .is_match(text)
    }

    fn compiled(&self, pattern: &str) -> Compiled {
        if let Some(known) = self.known.borrow().get(pattern) {
            return Rc::clone(known);
        }
        let made = Rc::new(Pattern::new(pattern));
        self.known
            .borrow_mut()
            .insert(pattern.to_owned(), Rc::clone(&made));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookahead_is_there_where_it_is_needed_and_only_there() {
        assert!(matches!(Pattern::new("^a(b|c)$"), Ok(Pattern::Plain(_))));
        let ahead = Pattern::new(r"^-A INPUT(?=.* --dport 22\b).* -j ACCEPT$").expect("a pattern");
        assert!(matches!(ahead, Pattern::Backtracking(_)));
        let rules = b"-P INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n\xff";
        assert_eq!(
            ahead.is_match(rules),
            Ok(true),
            "anchors match at line ends, and bytes are bytes"
        );
        assert_eq!(ahead.is_match(b"-A INPUT --dport 222 -j ACCEPT"), Ok(false));
        let digit = Pattern::new(r"(?=x)x\d").expect("a pattern");
        assert_eq!(
            digit.is_match("x\u{663}".as_bytes()),
            Ok(false),
            "classes are ASCII"
        );
        for bad in ["(?=a", "(?=(", r"\1(", "a{1000}{1000}", "(?<=a*)("] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }

    /// Without its limit this one runs for longer than anybody waits.
    #[test]
    fn an_exploding_pattern_ends_by_itself() {
        let pattern = Pattern::new("^((?=a)a+)+$").expect("a pattern");
        let text = format!("{}b", "a".repeat(60));
        let said = pattern.is_match(text.as_bytes());
        assert!(
            said.clone().is_err_and(|why| why.contains("steps")),
            "{said:?}"
        );
    }
}
