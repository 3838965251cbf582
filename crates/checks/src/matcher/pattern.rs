//! Compiles regular expressions within limits and caches them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::bytes::{Regex, RegexBuilder};

/// Maximum number of steps of a backtracking pattern on one text. This many steps take tens of
/// milliseconds.
const MAX_STEPS: usize = 500_000;
/// Maximum size of a compiled pattern in bytes.
const MAX_SIZE: usize = 1 << 20;

/// Pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// Invalid or too large pattern.
    #[error("the pattern is not valid: {reason}")]
    Invalid {
        /// Reason of the regex library, one line.
        reason: String,
    },
    /// Backtracking pattern that reached the limit of steps on a text.
    #[error("the pattern needs more than {MAX_STEPS} steps on this text")]
    TooManySteps,
}

impl PatternError {
    /// Creates the error for a message of the regex library. Only its last line is used, because
    /// the lines before it show the pattern.
    fn invalid(message: &str) -> Self {
        let last = message.lines().last().unwrap_or_default().trim();
        Self::Invalid {
            reason: last.strip_prefix("error: ").unwrap_or(last).to_owned(),
        }
    }
}

/// Compiled pattern. `^` and `$` match at the start and end of each line. Character classes are
/// ASCII.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// Pattern that runs in linear time.
    Linear(Regex),
    /// Pattern with lookaround or back references, limited in steps.
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles a pattern; uses backtracking only if the pattern requires it.
    ///
    /// # Errors
    /// Returns an error if the pattern is invalid or too large.
    pub(crate) fn new(pattern: &str) -> Result<Self, PatternError> {
        let error = match compile_linear(pattern) {
            Ok(regex) => return Ok(Self::Linear(regex)),
            Err(error) => error.to_string(),
        };
        if !error.contains("look-around") && !error.contains("backreference") {
            return Err(PatternError::invalid(&error));
        }
        let built = fancy_regex::RegexBuilder::new(pattern)
            .multi_line(true)
            .bytes_mode(fancy_regex::BytesMode::Ascii)
            .backtrack_limit(MAX_STEPS)
            .delegate_size_limit(MAX_SIZE)
            .build();
        built
            .map(|regex| Self::Backtracking(Box::new(regex)))
            .map_err(|e| PatternError::invalid(&e.to_string()))
    }

    /// Returns whether the text contains a match.
    ///
    /// # Errors
    /// Returns an error if the pattern needs too many steps on this text.
    pub(crate) fn is_match(&self, text: &[u8]) -> Result<bool, PatternError> {
        match self {
            Self::Linear(regex) => Ok(regex.is_match(text)),
            Self::Backtracking(regex) => {
                regex.is_match(text).map_err(|_| PatternError::TooManySteps)
            }
        }
    }
}

/// Compiles a pattern that runs in linear time.
///
/// # Errors
/// Returns an error if the pattern is invalid, too large, or requires backtracking.
pub(crate) fn plain(pattern: &str) -> Result<Regex, PatternError> {
    compile_linear(pattern).map_err(|e| PatternError::invalid(&e.to_string()))
}

fn compile_linear(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .unicode(false)
        .size_limit(MAX_SIZE)
        .build()
}

type Compiled = Rc<Result<Pattern, PatternError>>;

/// Cache of compiled patterns.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    compiled: RefCell<HashMap<String, Compiled>>,
}

impl Patterns {
    /// Returns whether the text contains a match; compiles the pattern at its first use.
    ///
    /// # Errors
    /// Returns an error if the pattern is invalid or needs too many steps.
    pub(crate) fn is_match(&self, pattern: &str, text: &[u8]) -> Result<bool, PatternError> {
        self.get(pattern)
            .as_ref()
            .as_ref()
            .map_err(Clone::clone)?
            .is_match(text)
    }

    fn get(&self, pattern: &str) -> Compiled {
        if let Some(compiled) = self.compiled.borrow().get(pattern) {
            return Rc::clone(compiled);
        }
        let compiled = Rc::new(Pattern::new(pattern));
        self.compiled
            .borrow_mut()
            .insert(pattern.to_owned(), Rc::clone(&compiled));
        compiled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookahead_uses_backtracking() {
        assert!(matches!(Pattern::new("^a(b|c)$"), Ok(Pattern::Linear(_))));
        let ahead = Pattern::new(r"^-A INPUT(?=.* --dport 22\b).* -j ACCEPT$").expect("a pattern");
        assert!(matches!(ahead, Pattern::Backtracking(_)));
        let rules = b"-P INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n\xff";
        assert_eq!(
            ahead.is_match(rules),
            Ok(true),
            "anchors match at line starts and ends, and the text may be invalid UTF-8"
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

    /// Without the limit this pattern runs for years.
    #[test]
    fn exploding_pattern_reaches_the_step_limit() {
        let pattern = Pattern::new("^((?=a)a+)+$").expect("a pattern");
        let text = format!("{}b", "a".repeat(60));
        assert_eq!(
            pattern.is_match(text.as_bytes()),
            Err(PatternError::TooManySteps)
        );
    }
}
