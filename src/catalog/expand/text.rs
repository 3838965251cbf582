//! Splits texts at their variables: `${name}`, and `$${` for a literal `${`.

use std::ops::Range;

/// Key of the architectures of an image, and variable for the architecture.
pub(super) const ARCH: &str = "arch";

/// Part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Text without variables.
    Literal(&'t str),
    /// Path of a value: the name of a variable, and keys of maps below it. A key can be `${NAME}`:
    /// the value of another variable.
    Variable(&'t str),
}

/// Text that cannot be split, with the byte range of the problem within the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TextError {
    /// `${` without `}`.
    #[error("`${{` has no closing `}}`")]
    Unterminated {
        /// Position of `${`.
        at: Range<usize>,
    },
    /// `${…}` inside of `${…}` that is not a key of a path.
    #[error("`{text}` has a variable inside of a variable")]
    Nested {
        /// Text with its braces.
        text: String,
        /// Position of the text.
        at: Range<usize>,
    },
    /// `${…}` around text that is not the name of a variable.
    #[error("`{name}` is not the name of a variable")]
    Name {
        /// Text between the braces.
        name: String,
        /// Position of the text with its braces.
        at: Range<usize>,
    },
}

impl TextError {
    /// Returns the position of the problem within the text.
    pub(super) fn range(&self) -> Range<usize> {
        match self {
            Self::Unterminated { at } | Self::Nested { at, .. } | Self::Name { at, .. } => {
                at.clone()
            }
        }
    }
}

/// Splits a text. Placeholders for which `is_kept` returns true are literal text.
///
/// # Errors
/// Fails for `${` without `}` and for a placeholder without the name of a variable.
pub(super) fn split_text<'t>(
    text: &'t str,
    is_kept: &dyn Fn(&str) -> bool,
) -> Result<Vec<Piece<'t>>, TextError> {
    let mut pieces = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(at) = text[from..].find("${").map(|at| from + at) {
        if text[start..at].ends_with('$') {
            // The first `$` is dropped, and `${` starts the next literal.
            pieces.push(Piece::Literal(&text[start..at - 1]));
            (start, from) = (at, at + 2);
            continue;
        }
        let Some(end) = find_closing_brace(text, at + 2) else {
            return Err(TextError::Unterminated { at: at..text.len() });
        };
        let name = &text[at + 2..end];
        from = end + 1;
        if is_kept(name) {
            continue;
        }
        if name.contains("${") && !is_path(name) {
            let end = text[from..].find('}').map_or(from, |end| from + end + 1);
            let (text, at) = (text[at..end].to_owned(), at..end);
            return Err(TextError::Nested { text, at });
        }
        if !is_path(name) {
            let (name, at) = (name.to_owned(), at..from);
            return Err(TextError::Name { name, at });
        }
        pieces.push(Piece::Literal(&text[start..at]));
        pieces.push(Piece::Variable(name));
        start = from;
    }
    pieces.push(Piece::Literal(&text[start..]));
    pieces.retain(|piece| *piece != Piece::Literal(""));
    Ok(pieces)
}

/// Returns the position of the `}` that closes a placeholder. `from` is the start of its name.
fn find_closing_brace(text: &str, from: usize) -> Option<usize> {
    let end = from + text[from..].find('}')?;
    match text[from..end].rfind("${") {
        Some(inner) if text[from..from + inner].ends_with('.') => find_closing_brace(text, end + 1),
        _ => Some(end),
    }
}

/// Returns the name of the variable in a key `${NAME}` of a path.
pub(super) fn variable_in_key(key: &str) -> Option<&str> {
    let name = key.strip_prefix("${")?.strip_suffix('}')?;
    is_name(name).then_some(name)
}

/// Returns true if the text contains a placeholder or an escaped one.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.contains("${")
}

/// Returns true if the text has the syntax of a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns true for the name of a variable, with keys of maps below it.
fn is_path(text: &str) -> bool {
    let is_plain = |part: &str| {
        part.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let is_key =
        |part: &str| !part.is_empty() && (is_plain(part) || variable_in_key(part).is_some());
    let (name, keys) = text.split_once('.').unwrap_or((text, "x"));
    is_name(name) && keys.split('.').all(is_key)
}

#[cfg(test)]
mod tests {
    use super::{Piece, TextError, split_text};

    fn joined(text: &str) -> String {
        let pieces = split_text(text, &|name| name.starts_with("inputs."));
        let show = |piece: &Piece<'_>| match piece {
            Piece::Literal(text) => format!("<{text}>"),
            Piece::Variable(name) => format!("[{name}]"),
        };
        match pieces {
            Ok(pieces) => pieces.iter().map(show).collect(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn texts_are_split_at_variables() {
        for (text, pieces) in [
            ("", ""),
            ("plain", "<plain>"),
            ("${a}", "[a]"),
            ("x-${a}-${b.c-d}y", "<x->[a]<->[b.c-d]<y>"),
            ("$${a}", "<${a}>"),
            ("x$${a}${b}", "<x><${a}>[b]"),
            ("$$${a}", "<$><${a}>"),
            ("$a ${inputs.x} $", "<$a ${inputs.x} $>"),
            ("ü${a}ß", "<ü>[a]<ß>"),
            ("x${a.${b}}${c}y", "<x>[a.${b}][c]<y>"),
            ("${a.${b}.${c}.d}", "[a.${b}.${c}.d]"),
        ] {
            assert_eq!(joined(text), pieces, "{text}");
        }
    }

    #[test]
    fn invalid_placeholder_is_an_error_with_its_position() {
        let error = |text| split_text(text, &|_| false).expect_err(text);
        assert_eq!(error("ab${c"), TextError::Unterminated { at: 2..5 });
        for text in [
            "${}", "${1}", "${a b}", "${a.}", "${.a}", "${a-b}", "${a:-b}",
        ] {
            assert_eq!(error(text).range(), 0..text.len(), "{text}");
        }
    }
}
