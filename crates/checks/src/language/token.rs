//! Splits a condition into tokens.

use crate::language::error::SyntaxError;
use crate::text::truncate_for_display;

/// Maximum number of tokens of a condition.
const MAX_TOKENS: usize = 500;

const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".",
];

/// Token of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Keyword or name.
    Word(String),
    /// Text without its quotes.
    Text(String),
    Number(f64),
    /// Operator, bracket, comma or dot.
    Symbol(&'static str),
}

impl Token {
    /// Formats the token for messages.
    pub(super) fn display(&self) -> String {
        match self {
            Self::Word(w) => w.clone(),
            Self::Text(t) => format!("\"{}\"", truncate_for_display(t.as_bytes())),
            Self::Number(n) => n.to_string(),
            Self::Symbol(s) => (*s).to_owned(),
        }
    }
}

/// Splits a condition into tokens.
///
/// # Errors
/// Returns an error if no token starts at a character, or the condition is too long.
pub(super) fn tokenize(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if out.len() > MAX_TOKENS {
            return Err(SyntaxError::TooLong);
        }
        let (token, length) = next_token(rest, first)?;
        out.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(out)
}

/// Returns the token at the start of a text, and its length in bytes.
fn next_token(text: &str, first: char) -> Result<(Token, usize), SyntaxError> {
    let length_while = |accepts: fn(char) -> bool| text.find(|c| !accepts(c)).unwrap_or(text.len());
    if let Some(sign) = SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        return Ok((Token::Symbol(sign), sign.len()));
    }
    if first == '"' || first == '\'' {
        let close = text[1..].find(first).ok_or(SyntaxError::UnclosedQuote)?;
        return Ok((Token::Text(text[1..=close].to_owned()), close + 2));
    }
    if first.is_ascii_digit() {
        let length = length_while(|c| c.is_ascii_digit() || c == '.');
        let digits = &text[..length];
        let number = digits
            .parse()
            .map_err(|_| SyntaxError::InvalidNumber(digits.to_owned()))?;
        return Ok((Token::Number(number), length));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = length_while(|c| c.is_ascii_alphanumeric() || c == '_');
        return Ok((Token::Word(text[..length].to_owned()), length));
    }
    Err(SyntaxError::InvalidCharacter(first))
}
