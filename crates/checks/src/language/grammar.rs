//! Parses `when` conditions into an [`Expression`].
//!
//! ```text
//! or      = and { "or" and }
//! and     = not { "and" not }
//! not     = "not" not | compare
//! compare = value [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "matches") value ]
//! value   = "(" or ")" | "[" [ value { "," value } ] "]" | text | number | "true" | "false"
//!         | KIND [ "(" text ")" ] "." PROPERTY | "inputs" "." NAME | NAME
//! ```

use std::collections::BTreeMap;

use crate::kind::Target;
use crate::language::expression::Expression;
use crate::matcher::pattern::Pattern;
use crate::matcher::tree::Tree;
use crate::registry;
use crate::text::truncate_for_display;

/// Parses a condition.
///
/// # Errors
/// Returns the syntax error.
pub(crate) fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser {
        tokens: tokenize(text)?,
        position: 0,
        depth: 0,
    };
    let out = parser.parse_or()?;
    match parser.peek() {
        None => Ok(out),
        Some(token) => Err(format!("unexpected `{}`", token.text())),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

impl Token {
    fn text(&self) -> String {
        match self {
            Self::Word(w) => w.clone(),
            Self::Text(t) => format!("\"{}\"", truncate_for_display(t.as_bytes())),
            Self::Number(n) => n.to_string(),
            Self::Sign(s) => (*s).to_owned(),
        }
    }
}

const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".",
];

fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        if out.len() > 500 {
            return Err("the condition is too long".to_owned());
        }
        let end = if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            out.push(Token::Sign(sign));
            sign.len()
        } else if c == '"' || c == '\'' {
            let close = rest[1..].find(c).ok_or("a closing quote is missing")?;
            out.push(Token::Text(rest[1..=close].to_owned()));
            close + 2
        } else if c.is_ascii_digit() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| {
                format!("`{}` is not a number: put versions in quotes", &rest[..end])
            })?;
            out.push(Token::Number(number));
            end
        } else if c.is_ascii_alphabetic() || c == '_' {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            out.push(Token::Word(rest[..end].to_owned()));
            end
        } else {
            return Err(format!(
                "`{}` is not allowed in a condition",
                c.escape_debug()
            ));
        };
        rest = rest[end..].trim_start();
    }
    Ok(out)
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn next_token(&mut self) -> Result<Token, String> {
        let token = self
            .tokens
            .get(self.position)
            .cloned()
            .ok_or("the condition is incomplete")?;
        self.position += 1;
        Ok(token)
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.position += usize::from(found);
        found
    }

    fn accept_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.position += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), String> {
        if self.accept_sign(sign) {
            Ok(())
        } else {
            Err(format!("`{sign}` is missing"))
        }
    }

    fn parse_or(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > 50 {
            return Err("the condition is nested too deeply".to_owned());
        }
        let mut left = self.parse_and()?;
        while self.accept_word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.parse_and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn parse_and(&mut self) -> Result<Expression, String> {
        let mut left = self.parse_not()?;
        while self.accept_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.parse_not()?));
        }
        Ok(left)
    }

    fn parse_not(&mut self) -> Result<Expression, String> {
        let mut negations = 0_usize;
        while self.accept_word("not") {
            negations += 1;
        }
        let inner = self.parse_comparison()?;
        Ok(if negations % 2 == 1 {
            Expression::Not(Box::new(inner))
        } else {
            inner
        })
    }

    fn parse_comparison(&mut self) -> Result<Expression, String> {
        let left = self.parse_value()?;
        let operator = match self.peek() {
            Some(Token::Sign(s @ ("==" | "!=" | "<" | "<=" | ">" | ">="))) => *s,
            Some(Token::Word(w)) if w == "in" => "in",
            Some(Token::Word(w)) if w == "matches" => "matches",
            _ => return Ok(left),
        };
        self.position += 1;
        let right = self.parse_value()?;
        if let ("matches", Expression::Literal(Tree::Text(pattern))) = (operator, &right) {
            Pattern::new(pattern)?;
        }
        Ok(Expression::Compare(
            operator,
            Box::new(left),
            Box::new(right),
        ))
    }

    fn parse_value(&mut self) -> Result<Expression, String> {
        match self.next_token()? {
            Token::Sign("(") => {
                let inner = self.parse_or()?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                let mut items = Vec::new();
                while !self.accept_sign("]") {
                    if !items.is_empty() {
                        self.expect_sign(",")?;
                    }
                    items.push(self.parse_value()?);
                }
                Ok(Expression::List(items))
            }
            Token::Text(text) => Ok(Expression::Literal(Tree::Text(text))),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the number is whole and small"
            )]
            Token::Number(n) if n.fract() == 0.0 && n.abs() < 1e15 => {
                Ok(Expression::Literal(Tree::Int(n as i64)))
            }
            Token::Number(n) => Ok(Expression::Literal(Tree::Float(n))),
            Token::Word(w) if w == "true" || w == "false" => {
                Ok(Expression::Literal(Tree::Bool(w == "true")))
            }
            Token::Word(w) => self.parse_name(&w),
            Token::Sign(s) => Err(format!("unexpected `{s}`")),
        }
    }

    fn parse_name(&mut self, word: &str) -> Result<Expression, String> {
        if word == "inputs" {
            self.expect_sign(".")?;
            return match self.next_token()? {
                Token::Word(name) => Ok(Expression::Input(name)),
                other => Err(format!("`{}` is not the name of an input", other.text())),
            };
        }
        let Some(kind) = registry::kind(word) else {
            return if matches!(self.peek(), Some(Token::Sign("." | "("))) {
                let names = registry::KINDS.iter().map(|k| k.name);
                let near = bakeline_diagnostic::nearest(word, names);
                Err(match near {
                    Some(near) => format!("unknown resource `{word}`: did you mean `{near}`?"),
                    None => format!("unknown resource `{word}`"),
                })
            } else {
                Ok(Expression::Variable(word.to_owned()))
            };
        };
        let subject = if self.accept_sign("(") {
            let Token::Text(subject) = self.next_token()? else {
                return Err(format!("`{word}` takes a {} in quotes", kind.subject.name));
            };
            self.expect_sign(")")?;
            subject
        } else {
            let first = kind.subject.words.first();
            (*first.ok_or_else(|| {
                format!("`{word}` needs a {}: `{word}(\"…\")`", kind.subject.name)
            })?)
            .to_owned()
        };
        (kind.subject.check)(&subject).map_err(|invalid| {
            format!(
                "{word}(\"{}\"): {}",
                truncate_for_display(subject.as_bytes()),
                invalid.message
            )
        })?;
        self.expect_sign(".")?;
        let Token::Word(name) = self.next_token()? else {
            return Err(format!("the property of `{word}` is missing"));
        };
        let Some(property) = kind.property(&name) else {
            let names: Vec<&str> = kind.properties.iter().map(|p| p.name).collect();
            return Err(
                match bakeline_diagnostic::nearest(&name, names.iter().copied()) {
                    Some(near) => {
                        format!("`{word}` has no property `{name}`: did you mean `{near}`?")
                    }
                    None => format!(
                        "`{word}` has no property `{name}`: use one of {}",
                        names.join(", ")
                    ),
                },
            );
        };
        let name = if property.name.is_empty() {
            name
        } else {
            property.name.to_owned()
        };
        let target = Target {
            kind: kind.name.to_owned(),
            subject,
            parameters: BTreeMap::new(),
        };
        Ok(Expression::Fact(target, name))
    }
}
