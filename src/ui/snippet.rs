//! Owns showing what is wrong with a text: the line, the place under it, and the next thing to do.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::catalog::codes;
use crate::diagnostic::{Diagnostic, Severity};

/// Renders findings; `texts` are the files by path.
#[must_use]
pub fn render(findings: &[Diagnostic], texts: &BTreeMap<String, String>, colour: bool) -> String {
    let texts = masked(findings, texts);
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let shown: Vec<String> = findings
        .iter()
        .map(|f| renderer.render(&groups(f, &texts)))
        .collect();
    shown.join("\n\n")
}

/// The texts with every literal secret replaced by stars of the same length, so that no snippet shows one.
fn masked(findings: &[Diagnostic], texts: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut out = texts.clone();
    for finding in findings.iter().filter(|f| f.code == codes::SECRET) {
        if let Some(text) = out.get_mut(&finding.span.file) {
            let span = finding.span.range.clone();
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

fn groups<'f>(finding: &'f Diagnostic, texts: &'f BTreeMap<String, String>) -> Vec<Group<'f>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(finding.message.as_str())
        .id(finding.code);
    let place = &finding.span;
    let mut group = match texts.get(&place.file) {
        Some(text) if place.line > 0 => title.element(
            Snippet::source(text.as_str())
                .path(place.file.as_str())
                .annotation(AnnotationKind::Primary.span(place.range.clone())),
        ),
        _ => title.element(annotate_snippets::Origin::path(place.file.as_str())),
    };
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut out = vec![group];
    if let Some((other, why)) = &finding.related {
        let title = Level::NOTE.secondary_title(why.as_str());
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
