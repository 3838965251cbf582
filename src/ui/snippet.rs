//! Renders diagnostics with the affected source lines.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::catalog::codes;
use crate::diagnostic::{Diagnostic, Severity};

/// Renders diagnostics. `texts` contains the files by path.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], texts: &BTreeMap<String, String>, color: bool) -> String {
    let texts = mask_secrets(diagnostics, texts);
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let snippets: Vec<String> = diagnostics
        .iter()
        .map(|d| {
            let text = renderer.render(&snippet_groups(d, &texts));
            let has_source = d.span.line > 0 && texts.contains_key(&d.span.file);
            // Without source lines, the renderer leaves no room for line numbers.
            match has_source || d.related.is_some() {
                true => text,
                false => text.replace('\n', "\n "),
            }
        })
        .collect();
    snippets.join("\n\n")
}

/// Replaces literal secrets in the texts by asterisks of the same length.
fn mask_secrets(
    diagnostics: &[Diagnostic],
    texts: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut out = texts.clone();
    for diagnostic in diagnostics.iter().filter(|d| d.code == codes::SECRET) {
        if let Some(text) = out.get_mut(&diagnostic.span.file) {
            let span = diagnostic.span.range.clone();
            if let Some(secret) = text.get(span.clone()) {
                let stars: String = secret
                    .bytes()
                    .map(|b| if b == b'\n' { '\n' } else { '*' })
                    .collect();
                text.replace_range(span, &stars);
            }
        }
    }
    out
}

fn snippet_groups<'d>(
    diagnostic: &'d Diagnostic,
    texts: &'d BTreeMap<String, String>,
) -> Vec<Group<'d>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code);
    let span = &diagnostic.span;
    let mut group = match texts.get(&span.file) {
        Some(text) if span.line > 0 => title.element(
            Snippet::source(text.as_str())
                .path(span.file.as_str())
                .annotation(AnnotationKind::Primary.span(span.range.clone())),
        ),
        _ => title.element(annotate_snippets::Origin::path(span.file.as_str())),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut out = vec![group];
    if let Some((other, note)) = &diagnostic.related {
        let title = Level::NOTE.secondary_title(note.as_str());
        if let Some(text) = texts.get(&other.file).filter(|_| other.line > 0) {
            let snippet = Snippet::source(text.as_str())
                .path(other.file.as_str())
                .annotation(AnnotationKind::Context.span(other.range.clone()));
            out.push(title.element(snippet));
        } else {
            out.push(title.element(annotate_snippets::Origin::path(other.file.as_str())));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;

    #[test]
    fn file_without_line_is_indented_like_others() {
        let finding = Diagnostic::error(codes::SECRET, Span::file("images/a.yaml"), "wrong");
        let text = render(&[finding], &BTreeMap::new(), false);
        assert!(text.ends_with("\n --> images/a.yaml"), "{text}");
    }
}
