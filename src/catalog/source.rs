//! Owns one text with its name, and the collector that findings about texts go to.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Place, Severity};

/// A text, and where its lines begin.
#[derive(Debug)]
pub(crate) struct Text {
    text: String,
    lines: Vec<usize>,
}

impl Text {
    pub(crate) fn new(text: String) -> Self {
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { text, lines }
    }
}

/// One of the catalog's texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Its repository-relative path.
    pub(crate) file: &'a str,
    /// Its content.
    pub(crate) text: &'a str,
    lines: &'a [usize],
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a str, text: &'a Text) -> Self {
        Self {
            file,
            text: &text.text,
            lines: &text.lines,
        }
    }

    /// The place of a byte range.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let line = self
            .lines
            .partition_point(|begins| *begins <= span.start.min(self.text.len()))
            .max(1);
        let begins = self.lines.get(line - 1).copied().unwrap_or_default();
        Place::in_line(self.file, self.text, (line, begins), span)
    }

    /// Where a tab is in the indentation of the line that `at` is in.
    pub(crate) fn indent_tab(&self, at: usize) -> Option<usize> {
        let start = self.text.get(..at)?.rfind('\n').map_or(0, |i| i + 1);
        let rest = &self.text[start..];
        let indent = &rest[..rest.find(|c| c != ' ' && c != '\t').unwrap_or(rest.len())];
        indent.find('\t').map(|i| start + i)
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    found: Vec<Diagnostic>,
}

/// The finding just added, to say more about it.
pub(crate) struct Last<'a>(&'a mut Diagnostic);

impl Last<'_> {
    /// Adds the next thing to do.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the next thing to do, when it is known.
    pub(crate) fn maybe_help(self, help: Option<String>) -> Self {
        self.0.help = help.or(self.0.help.take());
        self
    }

    /// Adds a second place.
    pub(crate) fn related(self, place: Place, why: impl Into<String>) -> Self {
        self.0.related = Some((place, why.into()));
        self
    }
}

impl Sink {
    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> Last<'_> {
        self.found.push(Diagnostic::error(code, place, message));
        let last = self.found.len() - 1;
        Last(&mut self.found[last])
    }

    /// Adds a warning.
    pub(crate) fn warn(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> Last<'_> {
        self.found
            .push(Diagnostic::error(code, place, message).warning());
        let last = self.found.len() - 1;
        Last(&mut self.found[last])
    }

    /// Takes over the findings of another collector.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// Whether something at or inside a place has been reported, so that what follows from it need not be.
    pub(crate) fn touched(&self, place: &Place) -> bool {
        let inside = |p: &Place| p.file == place.file && place.span.contains(&p.span.start);
        self.found.iter().any(|d| inside(&d.place))
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.found
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .count()
    }

    /// The findings in the order of files and places, each once. What lies inside a secret is left out: its message
    /// might quote it.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let secrets: Vec<Place> = self
            .found
            .iter()
            .filter(|d| d.code == super::codes::SECRET)
            .map(|d| d.place.clone())
            .collect();
        let overlaps = |p: &Place| {
            secrets.iter().any(|s| {
                s.file == p.file
                    && p.line > 0
                    && p.span.start < s.span.end
                    && s.span.start < p.span.end
            })
        };
        let mut found = self.found;
        found.retain(|d| d.code == super::codes::SECRET || !overlaps(&d.place));
        found.sort_by(|a, b| key(a).cmp(&key(b)));
        found.dedup();
        found
    }
}

fn key(d: &Diagnostic) -> (&str, usize, usize, &str, &str) {
    (
        &d.place.file,
        d.place.span.start,
        d.place.span.end,
        d.code,
        &d.message,
    )
}
