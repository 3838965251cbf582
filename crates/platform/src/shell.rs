//! Quotes texts for POSIX sh, the shell of all platforms.

/// Quotes a text as one word of POSIX sh. All text in scripts and command lines is quoted by
/// this function. The text must not contain NUL.
#[must_use]
pub fn sh_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_not_expanded() {
        for (text, word) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("$(id)`id`\"\\", "'$(id)`id`\"\\'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(sh_quote(text), word);
        }
    }
}
