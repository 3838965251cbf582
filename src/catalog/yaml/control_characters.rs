//! Owns the refusal of characters that can't be seen: control characters and direction marks.

use crate::catalog::codes;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile};

/// What text may contain besides letters: line feed and tab. Direction marks can make a text look like another
/// (CVE-2021-42574), so they count as control characters.
fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text is free of them as it stands; each of the first few is reported.
pub(crate) fn report_control_characters(
    source: &SourceFile<'_>,
    diagnostics: &mut Diagnostics,
) -> bool {
    let before = diagnostics.error_count();
    let text = source.text;
    for (at, c) in text.char_indices().filter(|(_, c)| is_control(*c)) {
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
        if diagnostics.error_count() >= before + 5 {
            break;
        }
    }
    diagnostics.error_count() == before
}

/// Escapes such as `"\0"` make control characters that the text itself does not show.
pub(crate) fn report_escaped_control_characters(
    source: &SourceFile<'_>,
    root: &Node,
    diagnostics: &mut Diagnostics,
) {
    root.scalars(&mut |text, span| {
        if let Some(c) = text.chars().find(|c| is_control(*c)) {
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
