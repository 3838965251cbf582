//! Collects diagnostics for the texts of the catalog.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Severity, Span};

/// Content of a file, with the offsets of its lines.
#[derive(Debug)]
pub(crate) struct SourceText {
    text: String,
    line_starts: Vec<usize>,
}

impl SourceText {
    pub(crate) fn new(text: String) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { text, line_starts }
    }
}

/// A file of the catalog: path and content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceFile<'a> {
    /// Path relative to the repository.
    pub(crate) path: &'a str,
    /// Content.
    pub(crate) text: &'a str,
    line_starts: &'a [usize],
}

impl<'a> SourceFile<'a> {
    pub(crate) fn new(path: &'a str, text: &'a SourceText) -> Self {
        Self {
            path,
            text: &text.text,
            line_starts: &text.line_starts,
        }
    }

    /// Returns the span of a byte range.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let line = self
            .line_starts
            .partition_point(|start| *start <= range.start.min(self.text.len()))
            .max(1);
        let line_start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        Span::from_line(self.path, self.text, line, line_start, range)
    }

    /// Returns the byte range of a text within a byte range, or the whole byte range if the file
    /// writes the text differently, such as with escape sequences.
    pub(crate) fn find_range(&self, within: &Range<usize>, text: &str) -> Range<usize> {
        let found = self.text.get(within.clone()).and_then(|t| t.find(text));
        found.map_or_else(
            || within.clone(),
            |at| within.start + at..within.start + at + text.len(),
        )
    }

    /// Returns the offset of the first tab in the indentation of the line that contains `at`.
    pub(crate) fn find_indent_tab(&self, at: usize) -> Option<usize> {
        let start = self.text.get(..at)?.rfind('\n').map_or(0, |i| i + 1);
        let rest = &self.text[start..];
        let indent = &rest[..rest.find(|c| c != ' ' && c != '\t').unwrap_or(rest.len())];
        indent.find('\t').map(|i| start + i)
    }
}

/// Position of an inserted value, and the definition of its variable.
#[derive(Debug, Clone)]
pub(crate) struct Inserted {
    pub(crate) range: Range<usize>,
    pub(crate) name: String,
    pub(crate) definition: Span,
}

/// Diagnostics of a catalog.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    items: Vec<Diagnostic>,
}

/// The diagnostic that was added last, for more details.
pub(crate) struct DiagnosticBuilder<'a>(&'a mut Diagnostic);

impl DiagnosticBuilder<'_> {
    /// Sets the help.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Sets the help if there is one.
    pub(crate) fn help_if_known(self, help: Option<String>) -> Self {
        self.0.help = help.or(self.0.help.take());
        self
    }

    /// Sets the second position and the reason.
    pub(crate) fn add_related(self, span: Span, reason: impl Into<String>) -> Self {
        self.0.related = Some((span, reason.into()));
        self
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(items: Vec<Diagnostic>) -> Self {
        Self { items }
    }
}

impl Diagnostics {
    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> DiagnosticBuilder<'_> {
        self.push(Diagnostic::error(code, span, message))
    }

    /// Adds a warning.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> DiagnosticBuilder<'_> {
        self.push(Diagnostic::warning(code, span, message))
    }

    fn push(&mut self, diagnostic: Diagnostic) -> DiagnosticBuilder<'_> {
        self.items.push(diagnostic);
        let last = self.items.len() - 1;
        DiagnosticBuilder(&mut self.items[last])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Moves all diagnostics of `other` to the end.
    pub(crate) fn append(&mut self, other: Self) {
        self.items.extend(other.items);
    }

    /// Returns true if a diagnostic starts inside the span. Consequences need no second report.
    pub(crate) fn has_diagnostic_in(&self, span: &Span) -> bool {
        let starts_inside =
            |other: &Span| other.file == span.file && span.range.contains(&other.range.start);
        self.items.iter().any(|d| starts_inside(&d.span))
    }

    /// Returns the number of diagnostics.
    pub(crate) fn count(&self) -> usize {
        self.items.len()
    }

    /// Adds the definition of a variable to the diagnostics from index `first` on that are about
    /// its inserted value.
    pub(crate) fn add_definitions(&mut self, first: usize, file: &str, inserted: &[Inserted]) {
        for item in &mut self.items[first..] {
            if item.related.is_some() || item.span.file != file {
                continue;
            }
            let range = &item.span.range;
            let place = inserted
                .iter()
                .find(|i| i.range.start <= range.start && range.end <= i.range.end);
            if let Some(place) = place {
                let reason = format!("`{}` is defined here", place.name);
                item.related = Some((place.definition.clone(), reason));
            }
        }
    }

    /// Returns the number of errors.
    pub(crate) fn error_count(&self) -> usize {
        self.items
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .count()
    }

    /// Returns the diagnostics by file and position, without duplicates.
    ///
    /// Drops diagnostics inside a secret, because their messages could quote it.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let secrets: Vec<Span> = self
            .items
            .iter()
            .filter(|d| d.code == crate::catalog::codes::SECRET)
            .map(|d| d.span.clone())
            .collect();
        let is_secret = |span: &Span| {
            secrets.iter().any(|secret| {
                secret.file == span.file
                    && span.line > 0
                    && span.range.start < secret.range.end
                    && secret.range.start < span.range.end
            })
        };
        let mut items = self.items;
        items.retain(|d| d.code == crate::catalog::codes::SECRET || !is_secret(&d.span));
        items.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        items.dedup();
        items
    }
}

fn sort_key(d: &Diagnostic) -> (&str, usize, usize, &str, &str) {
    (
        &d.span.file,
        d.span.range.start,
        d.span.range.end,
        d.code,
        &d.message,
    )
}
