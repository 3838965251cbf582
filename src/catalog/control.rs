//! Owns the refusal of characters that can't be seen: control characters and direction marks.

use super::codes;
use super::node::Node;
use super::source::{Sink, Source};

/// What text may contain besides letters: line feed and tab. Direction marks can make a text look like another
/// (CVE-2021-42574), so they count as control characters.
fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text is free of them as it stands; each of the first few is reported.
pub(crate) fn plain_text(source: &Source<'_>, sink: &mut Sink) -> bool {
    let before = sink.errors();
    let text = source.text;
    for (at, c) in text.char_indices().filter(|(_, c)| is_control(*c)) {
        if c == '\r' && text[at..].starts_with("\r\n") {
            continue;
        }
        sink.error(
            codes::CONTROL,
            source.place(at..at + c.len_utf8()),
            format!(
                "the control character {} is not allowed",
                c.escape_unicode()
            ),
        )
        .help("remove it, then save the file as plain UTF-8 text");
        if sink.errors() >= before + 5 {
            break;
        }
    }
    sink.errors() == before
}

/// Escapes such as `"\0"` make control characters that the text itself does not show.
pub(crate) fn visible_values(source: &Source<'_>, root: &Node, sink: &mut Sink) {
    root.scalars(&mut |text, span| {
        if let Some(c) = text.chars().find(|c| is_control(*c)) {
            sink.error(
                codes::CONTROL,
                source.place(span.clone()),
                format!(
                    "the control character {} is not allowed",
                    c.escape_unicode()
                ),
            )
            .help("remove the escape sequence");
        }
    });
}
