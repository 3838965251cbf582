//! Owns the grammar of `when:`: comparisons of facts, inputs and loop values with `and`, `or`, `not`, `in` and `matches`.
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

use super::facts::brief;
use super::kind::Target;
use super::matcher::regex;
use super::observed::Observed;
use super::resource;
use super::tree::Tree;
use super::value::Value;
use crate::platform::debian::compare_versions;

/// A condition that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Literal(Tree),
    Input(String),
    Variable(String),
    Fact(Target, String),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Compare(&'static str, Box<Expression>, Box<Expression>),
    List(Vec<Expression>),
}

/// What an expression can ask for while it is evaluated.
pub(crate) trait Scope {
    /// A property of a resource.
    fn observe(&self, target: &Target, property: &str) -> Observed;
    /// An input's value.
    fn input(&self, name: &str) -> Result<Tree, String>;
    /// A loop value.
    fn variable(&self, name: &str) -> Option<Tree>;
}

/// Reads a condition.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let out = parser.or()?;
    match parser.peek() {
        None => Ok(out),
        Some(token) => Err(format!("`{}` was not expected here", token.shown())),
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
    fn shown(&self) -> String {
        match self {
            Self::Word(w) => w.clone(),
            Self::Text(t) => format!("\"{}\"", brief(t.as_bytes())),
            Self::Number(n) => n.to_string(),
            Self::Sign(s) => (*s).to_owned(),
        }
    }
}

const SIGNS: &[&str] = &["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", "."];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        if out.len() > 500 {
            return Err("it is too long".to_owned());
        }
        let end = if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            out.push(Token::Sign(sign));
            sign.len()
        } else if c == '"' || c == '\'' {
            let close = rest[1..].find(c).ok_or("a quote is not closed")?;
            out.push(Token::Text(rest[1..=close].to_owned()));
            close + 2
        } else if c.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| format!("`{}` is not a number: quote a version", &rest[..end]))?;
            out.push(Token::Number(number));
            end
        } else if c.is_ascii_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            out.push(Token::Word(rest[..end].to_owned()));
            end
        } else {
            return Err(format!("`{}` can't be in a condition", c.escape_debug()));
        };
        rest = rest[end..].trim_start();
    }
    Ok(out)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, String> {
        let token = self.tokens.get(self.at).cloned().ok_or("it ends too early")?;
        self.at += 1;
        Ok(token)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(format!("a `{sign}` is missing")) }
    }

    fn or(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > 50 {
            return Err("it is nested too deeply".to_owned());
        }
        let mut left = self.and()?;
        while self.word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, String> {
        let mut negations = 0_usize;
        while self.word("not") {
            negations += 1;
        }
        let inner = self.compare()?;
        Ok(if negations % 2 == 1 { Expression::Not(Box::new(inner)) } else { inner })
    }

    fn compare(&mut self) -> Result<Expression, String> {
        let left = self.value()?;
        let operator = match self.peek() {
            Some(Token::Sign(s @ ("==" | "!=" | "<" | "<=" | ">" | ">="))) => *s,
            Some(Token::Word(w)) if w == "in" => "in",
            Some(Token::Word(w)) if w == "matches" => "matches",
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.value()?;
        if let ("matches", Expression::Literal(Tree::Text(pattern))) = (operator, &right) {
            regex(pattern)?;
        }
        Ok(Expression::Compare(operator, Box::new(left), Box::new(right)))
    }

    fn value(&mut self) -> Result<Expression, String> {
        match self.next()? {
            Token::Sign("(") => {
                let inner = self.or()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                let mut items = Vec::new();
                while !self.sign("]") {
                    if !items.is_empty() {
                        self.expect(",")?;
                    }
                    items.push(self.value()?);
                }
                Ok(Expression::List(items))
            }
            Token::Text(text) => Ok(Expression::Literal(Tree::Text(text))),
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
            Token::Number(n) if n.fract() == 0.0 && n.abs() < 1e15 => Ok(Expression::Literal(Tree::Int(n as i64))),
            Token::Number(n) => Ok(Expression::Literal(Tree::Float(n))),
            Token::Word(w) if w == "true" || w == "false" => Ok(Expression::Literal(Tree::Bool(w == "true"))),
            Token::Word(w) => self.named(&w),
            Token::Sign(s) => Err(format!("`{s}` was not expected here")),
        }
    }

    fn named(&mut self, word: &str) -> Result<Expression, String> {
        if word == "inputs" {
            self.expect(".")?;
            return match self.next()? {
                Token::Word(name) => Ok(Expression::Input(name)),
                other => Err(format!("`{}` is no name of an input", other.shown())),
            };
        }
        let Some(kind) = resource::kind(word) else {
            return if matches!(self.peek(), Some(Token::Sign("." | "("))) {
                let names = resource::KINDS.iter().map(|k| k.name);
                let near = crate::diagnostic::nearest(word, names);
                Err(match near {
                    Some(near) => format!("there is no resource `{word}`: did you mean `{near}`?"),
                    None => format!("there is no resource `{word}`"),
                })
            } else {
                Ok(Expression::Variable(word.to_owned()))
            };
        };
        let subject = if self.sign("(") {
            let Token::Text(subject) = self.next()? else {
                return Err(format!("`{word}` takes a {} in quotes", kind.subject.name));
            };
            self.expect(")")?;
            subject
        } else {
            let first = kind.subject.words.first();
            (*first.ok_or_else(|| format!("`{word}` needs a {}: `{word}(\"…\")`", kind.subject.name))?).to_owned()
        };
        (kind.subject.check)(&subject).map_err(|(what, _)| format!("{word}(\"{}\"): {what}", brief(subject.as_bytes())))?;
        self.expect(".")?;
        let Token::Word(name) = self.next()? else { return Err(format!("a property of `{word}` is missing")) };
        let Some(property) = kind.property(&name) else {
            let names: Vec<&str> = kind.properties.iter().map(|p| p.name).collect();
            return Err(format!("`{word}` has no property `{name}`: use one of {}", names.join(", ")));
        };
        let name = if property.name.is_empty() { name } else { property.name.to_owned() };
        let target = Target { kind: kind.name.to_owned(), subject, parameters: BTreeMap::new() };
        Ok(Expression::Fact(target, name))
    }
}

/// A value while a condition is evaluated; none: there is no value.
type Found = Result<Option<Tree>, String>;

impl Expression {
    /// Every resource it asks about, with the property.
    pub(crate) fn facts<'e>(&'e self, out: &mut Vec<(&'e Target, &'e str)>) {
        match self {
            Self::Fact(target, property) => out.push((target, property)),
            Self::Not(inner) => inner.facts(out),
            Self::And(a, b) | Self::Or(a, b) | Self::Compare(_, a, b) => {
                a.facts(out);
                b.facts(out);
            }
            Self::List(items) => items.iter().for_each(|i| i.facts(out)),
            Self::Literal(_) | Self::Input(_) | Self::Variable(_) => {}
        }
    }

    /// Every input and every loop value it names.
    pub(crate) fn names<'e>(&'e self, inputs: &mut Vec<&'e str>, variables: &mut Vec<&'e str>) {
        match self {
            Self::Input(name) => inputs.push(name),
            Self::Variable(name) => variables.push(name),
            Self::Not(inner) => inner.names(inputs, variables),
            Self::And(a, b) | Self::Or(a, b) | Self::Compare(_, a, b) => {
                a.names(inputs, variables);
                b.names(inputs, variables);
            }
            Self::List(items) => items.iter().for_each(|i| i.names(inputs, variables)),
            Self::Literal(_) | Self::Fact(..) => {}
        }
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// A fact that could not be determined, or values that can't be compared.
    pub(crate) fn holds(&self, scope: &dyn Scope) -> Result<bool, String> {
        match self.found(scope)? {
            None | Some(Tree::Bool(false)) => Ok(false),
            Some(Tree::Bool(true)) => Ok(true),
            Some(other) => Err(format!("{} is no condition: compare it with something", other.describe())),
        }
    }

    fn found(&self, scope: &dyn Scope) -> Found {
        let truth = |held: bool| Ok(Some(Tree::Bool(held)));
        match self {
            Self::Literal(tree) => Ok(Some(tree.clone())),
            Self::Input(name) => scope.input(name).map(Some),
            Self::Variable(name) => {
                scope.variable(name).map(Some).ok_or_else(|| format!("there is no `{name}` here"))
            }
            Self::Fact(target, property) => match scope.observe(target, property) {
                Observed::Value(value) => Ok(Some(plain(&value))),
                Observed::Missing(_) => Ok(None),
                Observed::Unknown(why) => Err(format!("{}.{property}: {why}", target.shown())),
                Observed::Skipped(why) => Err(format!("{}.{property}: {why}", target.shown())),
            },
            Self::Not(inner) => truth(!inner.holds(scope)?),
            Self::And(a, b) => truth(a.holds(scope)? && b.holds(scope)?),
            Self::Or(a, b) => truth(a.holds(scope)? || b.holds(scope)?),
            Self::List(items) => {
                let found: Result<Vec<_>, String> = items.iter().map(|i| i.found(scope)).collect();
                Ok(Some(Tree::List(found?.into_iter().flatten().collect())))
            }
            Self::Compare(operator, a, b) => truth(compare(operator, a.found(scope)?.as_ref(), b.found(scope)?.as_ref())?),
        }
    }
}

fn plain(value: &Value) -> Tree {
    match value {
        Value::Bool(v, _) => Tree::Bool(*v),
        Value::Number(n) => Tree::Int(*n),
        Value::List(items) => Tree::List(items.iter().cloned().map(Tree::Text).collect()),
        other => Tree::Text(String::from_utf8_lossy(&other.bytes()).into_owned()),
    }
}

fn compare(operator: &str, a: Option<&Tree>, b: Option<&Tree>) -> Result<bool, String> {
    let (Some(a), Some(b)) = (a, b) else {
        // What is not there is equal to nothing, and in no order.
        return Ok(operator == "!=" && a.is_some() != b.is_some());
    };
    let spelled = |tree: &Tree| tree.spelled().ok_or_else(|| format!("{} can't be compared", tree.describe()));
    Ok(match operator {
        "in" => b.items().iter().any(|item| item.spelled() == a.spelled()),
        "matches" => regex(&spelled(b)?)?.is_match(spelled(a)?.as_bytes()),
        "==" => a.spelled() == b.spelled() && a.items().len() == b.items().len(),
        "!=" => a.spelled() != b.spelled(),
        _ => {
            let (a, b) = (spelled(a)?, spelled(b)?);
            let order = match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => a.total_cmp(&b),
                _ => compare_versions(&a, &b),
            };
            match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            }
        }
    })
}


#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
