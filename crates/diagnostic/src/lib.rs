//! Diagnostics: problems in files that a user wrote, as data. `ui` renders them.

use std::ops::Range;

use serde::Serialize;

/// Severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A problem that stops the command.
    Error,
    /// A problem that does not stop the command.
    Warning,
}

/// File, line and column of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Span {
    /// Path relative to the catalog's root, with `/`.
    pub file: String,
    /// Byte range in the text of the file. Empty if only a point is known.
    #[serde(rename = "span")]
    pub range: Range<usize>,
    /// Line of the start, from 1. 0 if only the file is known.
    pub line: usize,
    /// Column of the start in characters, from 1. 0 if only the file is known.
    pub column: usize,
}

impl Span {
    /// Creates a span for a whole file.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            range: 0..0,
            line: 0,
            column: 0,
        }
    }

    /// Creates a span for a byte range of `text`, the content of `file`.
    #[must_use]
    pub fn from_range(file: impl Into<String>, text: &str, range: Range<usize>) -> Self {
        let before = text.get(..range.start.min(text.len())).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.matches('\n').count() + 1;
        Self::from_line(file, text, line, line_start, range)
    }

    /// Creates a span for a byte range that starts in a known line.
    ///
    /// `line` counts from 1. `line_start` is the byte offset of the line.
    #[must_use]
    pub fn from_line(
        file: impl Into<String>,
        text: &str,
        line: usize,
        line_start: usize,
        range: Range<usize>,
    ) -> Self {
        let start = range.start.min(text.len());
        let column = text
            .get(line_start..start)
            .map_or(0, |before| before.chars().count())
            + 1;
        Self {
            file: file.into(),
            line,
            column,
            range: start..range.end.min(text.len()).max(start),
        }
    }
}

/// A problem in a file of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable short code, such as `CAT004`.
    pub code: &'static str,
    /// Severity.
    pub severity: Severity,
    /// Position of the problem.
    #[serde(rename = "place")]
    pub span: Span,
    /// Description of the problem: one line, lower case, no full stop.
    pub message: String,
    /// Next thing to do, if known.
    pub help: Option<String>,
    /// Second position that matters, with the reason.
    pub related: Option<(Span, String)>,
}

impl Diagnostic {
    /// Creates an error.
    #[must_use]
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            span,
            message: message.into(),
            help: None,
            related: None,
        }
    }

    /// Creates a warning.
    #[must_use]
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// Sets the help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the second position and the reason.
    #[must_use]
    pub fn related(mut self, span: Span, reason: impl Into<String>) -> Self {
        self.related = Some((span, reason.into()));
        self
    }
}

/// Returns the entry of `known` nearest to `word`, or `None` if no entry is similar.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word, &k.to_lowercase()), k))
        .filter(|(distance, k)| *distance <= most_edits(k.len().max(word.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// Returns the largest number of edits after which a word of this length is still recognized. Short
/// words with several edits, such as `base` and `name`, are different words.
fn most_edits(length: usize) -> usize {
    match length {
        0..=2 => 0,
        length => (length / 4).max(1),
    }
}
