//! Reports invisible characters: control characters and direction marks.

use crate::catalog::codes;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile};

/// Returns true for control characters except line feed and tab, and for direction marks.
///
/// Direction marks can make a text look like another one (CVE-2021-42574).
fn is_forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns true if the text has no invisible characters. Reports the first five.
pub(crate) fn report_control_characters(
    source: &SourceFile<'_>,
    diagnostics: &mut Diagnostics,
) -> bool {
    let errors_before = diagnostics.error_count();
    let text = source.text;
    for (at, c) in text.char_indices().filter(|(_, c)| is_forbidden(*c)) {
        if c == '\r' && text[at..].starts_with("\r\n") {
            continue;
        }
        diagnostics
            .error(
                codes::CONTROL,
                source.span(at..at + c.len_utf8()),
                format!(
                    "the control character {} is not allowed",
                    c.escape_unicode()
                ),
            )
            .help("remove it, then save the file as plain UTF-8 text");
        if diagnostics.error_count() >= errors_before + 5 {
            break;
        }
    }
    diagnostics.error_count() == errors_before
}

/// Reports invisible characters in values. Escapes such as `"\0"` do not show them in the text.
pub(crate) fn report_escaped_control_characters(
    source: &SourceFile<'_>,
    root: &Node,
    diagnostics: &mut Diagnostics,
) {
    root.visit_scalars(&mut |text, span| {
        if let Some(c) = text.chars().find(|c| is_forbidden(*c)) {
            diagnostics
                .error(
                    codes::CONTROL,
                    source.span(span.clone()),
                    format!(
                        "the control character {} is not allowed",
                        c.escape_unicode()
                    ),
                )
                .help("remove the escape sequence");
        }
    });
}
