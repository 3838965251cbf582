//! Owns what is wrong with a text the user wrote, as data: where, what, and the next thing to do; rendering is `ui`'s.

use std::ops::Range;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is done while it stands.
    Error,
    /// Worth knowing.
    Warning,
}

/// A place in one of the texts that were read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// The path relative to the catalog's root, with `/`.
    pub file: String,
    /// The byte range in the file's text; empty where only a point is known.
    pub span: Range<usize>,
    /// 1-based line of the start; 0 when only the file is known.
    pub line: usize,
    /// 1-based column of the start, in characters; 0 when only the file is known.
    pub column: usize,
}

impl Place {
    /// A place that is a whole file.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            span: 0..0,
            line: 0,
            column: 0,
        }
    }

    /// A byte range of `text`, the content of `file`.
    #[must_use]
    pub fn of(file: impl Into<String>, text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start.min(text.len())).unwrap_or("");
        let begins = before.rfind('\n').map_or(0, |i| i + 1);
        Self::in_line(file, text, (before.matches('\n').count() + 1, begins), span)
    }

    /// The same where it is known in which line the range starts (from 1), and at which byte that begins.
    #[must_use]
    pub fn in_line(
        file: impl Into<String>,
        text: &str,
        (line, begins): (usize, usize),
        span: Range<usize>,
    ) -> Self {
        let start = span.start.min(text.len());
        let column = text
            .get(begins..start)
            .map_or(0, |before| before.chars().count())
            + 1;
        Self {
            file: file.into(),
            line,
            column,
            span: start..span.end.min(text.len()).max(start),
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// A stable short code such as `CAT004`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What is wrong, one line, lower case, without full stop.
    pub message: String,
    /// What to do next, where that is known.
    pub help: Option<String>,
    /// Another place that matters, and why.
    pub related: Option<(Place, String)>,
}

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            place,
            message: message.into(),
            help: None,
            related: None,
        }
    }

    /// Adds the next thing to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same as something that keeps nothing from going on.
    #[must_use]
    pub fn warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, place: Place, why: impl Into<String>) -> Self {
        self.related = Some((place, why.into()));
        self
    }
}

/// The entry of `known` nearest to `word`, when it is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &k.to_lowercase()),
                k,
            )
        })
        .filter(|(d, k)| *d <= 1 + k.len().max(word.len()) / 4)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}
