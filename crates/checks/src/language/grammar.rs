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

use crate::language::error::{ResourceError, SyntaxError};
use crate::language::expression::Expression;
use crate::language::token::{Token, tokenize};
use crate::matcher::pattern::Pattern;
use crate::matcher::tree::Tree;
use crate::registry;
use crate::resource_type::{ResourceRef, ResourceType};
use crate::text::truncate_for_display;

/// Parses a condition.
///
/// # Errors
/// Returns the syntax error.
pub(crate) fn parse(text: &str) -> Result<Expression, SyntaxError> {
    let mut parser = Parser {
        tokens: tokenize(text)?,
        position: 0,
        depth: 0,
    };
    let out = parser.parse_or()?;
    match parser.peek() {
        None => Ok(out),
        Some(token) => Err(SyntaxError::Unexpected(token.display())),
    }
}

/// Maximum depth of nested parentheses.
const MAX_DEPTH: usize = 50;

struct Parser {
    tokens: Vec<Token>,
    position: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn next_token(&mut self) -> Result<Token, SyntaxError> {
        let token = self
            .tokens
            .get(self.position)
            .cloned()
            .ok_or(SyntaxError::Incomplete)?;
        self.position += 1;
        Ok(token)
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.position += usize::from(found);
        found
    }

    fn accept_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(s)) if *s == sign);
        self.position += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &'static str) -> Result<(), SyntaxError> {
        if self.accept_sign(sign) {
            Ok(())
        } else {
            Err(SyntaxError::MissingSymbol(sign))
        }
    }

    fn parse_or(&mut self) -> Result<Expression, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::TooDeep);
        }
        let mut left = self.parse_and()?;
        while self.accept_word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.parse_and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn parse_and(&mut self) -> Result<Expression, SyntaxError> {
        let mut left = self.parse_not()?;
        while self.accept_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.parse_not()?));
        }
        Ok(left)
    }

    fn parse_not(&mut self) -> Result<Expression, SyntaxError> {
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

    fn parse_comparison(&mut self) -> Result<Expression, SyntaxError> {
        let left = self.parse_value()?;
        let operator = match self.peek() {
            Some(Token::Symbol(s @ ("==" | "!=" | "<" | "<=" | ">" | ">="))) => *s,
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

    fn parse_value(&mut self) -> Result<Expression, SyntaxError> {
        match self.next_token()? {
            Token::Symbol("(") => {
                let inner = self.parse_or()?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            Token::Symbol("[") => self.parse_list(),
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
            Token::Symbol(s) => Err(SyntaxError::Unexpected(s.to_owned())),
        }
    }

    /// Parses the items of a list up to the closing bracket.
    fn parse_list(&mut self) -> Result<Expression, SyntaxError> {
        let mut items = Vec::new();
        while !self.accept_sign("]") {
            if !items.is_empty() {
                self.expect_sign(",")?;
            }
            items.push(self.parse_value()?);
        }
        Ok(Expression::List(items))
    }

    /// Parses an input, a property of a resource, or a loop variable.
    fn parse_name(&mut self, word: &str) -> Result<Expression, SyntaxError> {
        if word == "inputs" {
            self.expect_sign(".")?;
            return match self.next_token()? {
                Token::Word(name) => Ok(Expression::Input(name)),
                other => Err(SyntaxError::InvalidInputName(other.display())),
            };
        }
        if let Some(kind) = registry::resource_type(word) {
            return self.parse_fact(kind);
        }
        if matches!(self.peek(), Some(Token::Symbol("." | "("))) {
            let names = registry::RESOURCE_TYPES.iter().map(|kind| kind.name);
            return Err(SyntaxError::Resource(ResourceError::UnknownResource {
                name: word.to_owned(),
                nearest: bakeline_diagnostic::nearest(word, names),
            }));
        }
        Ok(Expression::Variable(word.to_owned()))
    }

    /// Parses the subject and the property of a resource.
    fn parse_fact(&mut self, kind: &'static ResourceType) -> Result<Expression, SyntaxError> {
        let subject = self.parse_subject(kind)?;
        self.expect_sign(".")?;
        let Token::Word(key) = self.next_token()? else {
            return Err(SyntaxError::Resource(ResourceError::MissingProperty {
                resource: kind.name,
            }));
        };
        let name = property_name(kind, key)?;
        let target = ResourceRef {
            kind: kind.name.to_owned(),
            subject,
            parameters: BTreeMap::new(),
        };
        Ok(Expression::Fact(target, name))
    }

    /// Parses the subject in parentheses, or returns the default of the resource.
    fn parse_subject(&mut self, kind: &'static ResourceType) -> Result<String, SyntaxError> {
        let subject = if self.accept_sign("(") {
            let Token::Text(subject) = self.next_token()? else {
                return Err(SyntaxError::Resource(ResourceError::UnquotedSubject {
                    resource: kind.name,
                    subject: kind.subject.name,
                }));
            };
            self.expect_sign(")")?;
            subject
        } else {
            let default = kind.subject.words.first();
            (*default.ok_or(ResourceError::MissingSubject {
                resource: kind.name,
                subject: kind.subject.name,
            })?)
            .to_owned()
        };
        (kind.subject.check)(&subject).map_err(|invalid| ResourceError::InvalidSubject {
            resource: kind.name,
            subject: truncate_for_display(subject.as_bytes()),
            reason: invalid.message,
        })?;
        Ok(subject)
    }
}

/// Returns the name of the property for a key, which can be an alias.
fn property_name(kind: &'static ResourceType, key: String) -> Result<String, ResourceError> {
    let Some(property) = kind.property(&key) else {
        let known: Vec<&str> = kind.properties.iter().map(|p| p.name).collect();
        let resource = kind.name;
        return Err(
            match bakeline_diagnostic::nearest(&key, known.iter().copied()) {
                Some(nearest) => ResourceError::MisspelledProperty {
                    resource,
                    property: key,
                    nearest,
                },
                None => ResourceError::UnknownProperty {
                    resource,
                    property: key,
                    known,
                },
            },
        );
    };
    // A resource with arbitrary keys, such as `config_file`, has one unnamed property. The key is
    // then the name.
    Ok(if property.name.is_empty() {
        key
    } else {
        property.name.to_owned()
    })
}
