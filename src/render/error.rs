//! Defines the error of a template, and finds its position.

/// Error in a template, or a value that its language cannot represent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("template `{template}`: {message}")]
pub struct RenderError {
    /// Path of the template.
    pub template: String,
    /// Byte range in the template, if known.
    pub at: Option<std::ops::Range<usize>>,
    /// Description of the problem, with line and column if Tera reports them.
    pub message: String,
}

/// Returns the range of the first use of a variable between two delimiters.
pub(super) fn find_first_use(
    text: &str,
    name: &str,
    delimiters: [(&str, &str); 2],
) -> Option<std::ops::Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_inside = |at: usize| {
        let before = &text[..at];
        let open = delimiters.map(|(open, _)| before.rfind(open));
        let close = delimiters.map(|(_, close)| before.rfind(close));
        let (open, close) = (open.into_iter().max(), close.into_iter().max());
        open > close && open.flatten().is_some()
    };
    text.match_indices(name)
        .map(|(at, _)| at..at + name.len())
        .find(|r| {
            is_inside(r.start)
                && !text[..r.start].ends_with(is_word)
                && !text[r.end..].starts_with(is_word)
        })
}
