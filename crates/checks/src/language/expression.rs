//! Owns the meaning of `when:`: comparisons of facts, inputs and loop values with `and`, `or`, `not`, `in` and `matches`.

use crate::facts::observed::Observed;
use crate::kind::{Of, Target};
use crate::matcher::pattern::Patterns;
use crate::matcher::tree::Tree;
use crate::matcher::value::Value;
use crate::registry;
use bakeline_platform::debian::compare_versions;

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
    /// Patterns that were compiled already.
    fn patterns(&self) -> &Patterns;
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

    /// Whether it holds everywhere or nowhere, whatever is found.
    pub(crate) fn constant(&self) -> Option<bool> {
        match self {
            Self::Literal(Tree::Bool(held)) => Some(*held),
            Self::Not(inner) => inner.constant().map(|held| !held),
            Self::And(a, b) => match (a.constant(), b.constant()) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), other) | (other, Some(true)) => other,
                (None, None) => None,
            },
            Self::Or(a, b) => match (a.constant(), b.constant()) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), other) | (other, Some(false)) => other,
                (None, None) => None,
            },
            Self::Compare(operator, a, b) => match (a.literal(), b.literal()) {
                (Some(a), Some(b)) => {
                    compare((operator, false), Some(&a), Some(&b), &Patterns::default()).ok()
                }
                (_, Some(Tree::List(none))) if none.is_empty() && *operator == "in" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it is, where it says so itself.
    fn literal(&self) -> Option<Tree> {
        match self {
            Self::Literal(tree) => Some(tree.clone()),
            Self::List(items) => items
                .iter()
                .map(Self::literal)
                .collect::<Option<_>>()
                .map(Tree::List),
            _ => None,
        }
    }

    /// Whether it is a fact that is in the order of versions.
    fn is_version(&self) -> bool {
        let Self::Fact(target, property) = self else {
            return false;
        };
        registry::kind_of(target)
            .and_then(|kind| kind.property(property))
            .is_some_and(|property| property.of == Of::Version)
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// A fact that could not be determined, or values that can't be compared.
    pub(crate) fn holds(&self, scope: &dyn Scope) -> Result<bool, String> {
        match self.found(scope)? {
            None | Some(Tree::Bool(false)) => Ok(false),
            Some(Tree::Bool(true)) => Ok(true),
            Some(other) => Err(format!(
                "{} is no condition: compare it with something",
                other.describe()
            )),
        }
    }

    fn found(&self, scope: &dyn Scope) -> Found {
        let truth = |held: bool| Ok(Some(Tree::Bool(held)));
        match self {
            Self::Literal(tree) => Ok(Some(tree.clone())),
            Self::Input(name) => scope.input(name).map(Some),
            Self::Variable(name) => scope
                .variable(name)
                .map(Some)
                .ok_or_else(|| format!("there is no `{name}` here")),
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
            Self::Compare(operator, a, b) => {
                let (left, right) = (a.found(scope)?, b.found(scope)?);
                let versions = a.is_version() || b.is_version();
                truth(compare(
                    (operator, versions),
                    left.as_ref(),
                    right.as_ref(),
                    scope.patterns(),
                )?)
            }
        }
    }
}

fn plain(value: &Value) -> Tree {
    let list = |items: &[String]| Tree::List(items.iter().cloned().map(Tree::Text).collect());
    match value {
        Value::Bool(v, _) => Tree::Bool(*v),
        Value::Number(n) => Tree::Int(*n),
        Value::List(items) => list(items),
        Value::Setting(values) if values.len() != 1 => list(values),
        other => Tree::Text(String::from_utf8_lossy(&other.bytes()).into_owned()),
    }
}

/// Two texts are in the order of versions, as is what is compared with a version; with a number, in that of numbers.
fn compare(
    (operator, versions): (&str, bool),
    a: Option<&Tree>,
    b: Option<&Tree>,
    patterns: &Patterns,
) -> Result<bool, String> {
    let (Some(a), Some(b)) = (a, b) else {
        // What is not there is equal to nothing, and in no order.
        return Ok(operator == "!=" && a.is_some() != b.is_some());
    };
    let spelled = |tree: &Tree| {
        tree.spelled()
            .ok_or_else(|| format!("{} can't be compared", tree.describe()))
    };
    Ok(match operator {
        "in" => b.items().iter().any(|item| item.spelled() == a.spelled()),
        "matches" => patterns.found(&spelled(b)?, spelled(a)?.as_bytes())?,
        "==" => a.spelled() == b.spelled() && a.items().len() == b.items().len(),
        "!=" => a.spelled() != b.spelled(),
        _ => {
            let number = |tree: &Tree| matches!(tree, Tree::Int(_) | Tree::Float(_));
            let numbers = !versions && (number(a) || number(b));
            let (a, b) = (spelled(a)?, spelled(b)?);
            let order = match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) if numbers => a.total_cmp(&b),
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
