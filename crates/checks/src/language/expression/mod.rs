//! Evaluates `when` expressions: comparisons of facts and inputs, joined by `and`, `or` and `not`.

use crate::facts::observation::Observation;
use crate::language::error::EvaluationError;
use crate::matcher::context::MatchContext;
use crate::matcher::tree::Tree;
use crate::matcher::value::Value;
use crate::registry;
use crate::resource_type::{ResourceRef, ValueType};

/// Parsed condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Literal(Tree),
    Input(String),
    Variable(String),
    Fact(ResourceRef, String),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Compare(&'static str, Box<Expression>, Box<Expression>),
    List(Vec<Expression>),
}

/// Values that an expression can use.
pub(crate) trait ConditionValues {
    /// Observes a property of a resource.
    fn observe(&self, target: &ResourceRef, property: &str) -> Observation;
    /// Returns the value of an input.
    fn input(&self, name: &str) -> Result<Tree, EvaluationError>;
    /// Returns the value of a loop variable.
    fn variable(&self, name: &str) -> Option<Tree>;
    /// Returns the cache of patterns and the order of versions.
    fn context(&self) -> &MatchContext;
}

/// Value of a part of an expression; `None` if the fact has no value.
type EvaluationResult = Result<Option<Tree>, EvaluationError>;

impl Expression {
    /// Collects the properties that the expression uses.
    pub(crate) fn collect_properties<'e>(&'e self, out: &mut Vec<(&'e ResourceRef, &'e str)>) {
        match self {
            Self::Fact(target, property) => out.push((target, property)),
            Self::Not(inner) => inner.collect_properties(out),
            Self::And(a, b) | Self::Or(a, b) | Self::Compare(_, a, b) => {
                a.collect_properties(out);
                b.collect_properties(out);
            }
            Self::List(items) => items.iter().for_each(|i| i.collect_properties(out)),
            Self::Literal(_) | Self::Input(_) | Self::Variable(_) => {}
        }
    }

    /// Collects the names of inputs and variables that the expression uses.
    pub(crate) fn collect_names<'e>(
        &'e self,
        inputs: &mut Vec<&'e str>,
        variables: &mut Vec<&'e str>,
    ) {
        match self {
            Self::Input(name) => inputs.push(name),
            Self::Variable(name) => variables.push(name),
            Self::Not(inner) => inner.collect_names(inputs, variables),
            Self::And(a, b) | Self::Or(a, b) | Self::Compare(_, a, b) => {
                a.collect_names(inputs, variables);
                b.collect_names(inputs, variables);
            }
            Self::List(items) => items
                .iter()
                .for_each(|i| i.collect_names(inputs, variables)),
            Self::Literal(_) | Self::Fact(..) => {}
        }
    }

    /// Returns the result if the literals alone determine it, without facts, inputs or variables.
    pub(crate) fn constant_result(&self) -> Option<bool> {
        match self {
            Self::Literal(Tree::Bool(held)) => Some(*held),
            Self::Not(inner) => inner.constant_result().map(|held| !held),
            Self::And(a, b) => match (a.constant_result(), b.constant_result()) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), other) | (other, Some(true)) => other,
                (None, None) => None,
            },
            Self::Or(a, b) => match (a.constant_result(), b.constant_result()) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), other) | (other, Some(false)) => other,
                (None, None) => None,
            },
            Self::Compare(operator, a, b) => match (a.literal_value(), b.literal_value()) {
                (Some(a), Some(b)) => compare(
                    (operator, false),
                    Some(&a),
                    Some(&b),
                    &MatchContext::default(),
                )
                .ok(),
                (_, Some(Tree::List(items))) if items.is_empty() && *operator == "in" => {
                    Some(false)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the value of a literal.
    fn literal_value(&self) -> Option<Tree> {
        match self {
            Self::Literal(tree) => Some(tree.clone()),
            Self::List(items) => items
                .iter()
                .map(Self::literal_value)
                .collect::<Option<_>>()
                .map(Tree::List),
            _ => None,
        }
    }

    /// Returns whether the expression is a property of type version.
    fn is_version(&self) -> bool {
        let Self::Fact(target, property) = self else {
            return false;
        };
        registry::resource_type_of(target)
            .and_then(|kind| kind.property(property))
            .is_some_and(|property| property.of == ValueType::Version)
    }

    /// Evaluates the condition.
    ///
    /// # Errors
    /// Returns an error if a fact is unknown or values cannot be compared.
    pub(crate) fn holds(&self, values: &dyn ConditionValues) -> Result<bool, EvaluationError> {
        match self.evaluate(values)? {
            None | Some(Tree::Bool(false)) => Ok(false),
            Some(Tree::Bool(true)) => Ok(true),
            Some(other) => Err(EvaluationError::NotCondition(other.describe())),
        }
    }

    fn evaluate(&self, values: &dyn ConditionValues) -> EvaluationResult {
        let boolean = |held: bool| Ok(Some(Tree::Bool(held)));
        match self {
            Self::Literal(tree) => Ok(Some(tree.clone())),
            Self::Input(name) => values.input(name).map(Some),
            Self::Variable(name) => values
                .variable(name)
                .map(Some)
                .ok_or_else(|| EvaluationError::UnknownName(name.clone())),
            Self::Fact(target, property) => match values.observe(target, property) {
                Observation::Value(value) => Ok(Some(value_to_tree(&value))),
                Observation::Missing(_) => Ok(None),
                Observation::Unknown(reason) | Observation::Skipped(reason) => {
                    Err(EvaluationError::Unobserved {
                        resource: target.display_name(),
                        property: property.clone(),
                        reason,
                    })
                }
            },
            Self::Not(inner) => boolean(!inner.holds(values)?),
            Self::And(a, b) => boolean(a.holds(values)? && b.holds(values)?),
            Self::Or(a, b) => boolean(a.holds(values)? || b.holds(values)?),
            Self::List(items) => {
                let evaluated = items.iter().map(|item| item.evaluate(values));
                let present = evaluated.filter_map(Result::transpose);
                Ok(Some(Tree::List(present.collect::<Result<_, _>>()?)))
            }
            Self::Compare(operator, a, b) => {
                let (left, right) = (a.evaluate(values)?, b.evaluate(values)?);
                let versions = a.is_version() || b.is_version();
                boolean(compare(
                    (operator, versions),
                    left.as_ref(),
                    right.as_ref(),
                    values.context(),
                )?)
            }
        }
    }
}

fn value_to_tree(value: &Value) -> Tree {
    let list = |items: &[String]| Tree::List(items.iter().cloned().map(Tree::Text).collect());
    match value {
        Value::Bool(v, _) => Tree::Bool(*v),
        Value::Number(n) => Tree::Int(*n),
        Value::List(items) => list(items),
        Value::Setting(values) if values.len() != 1 => list(values),
        other => Tree::Text(String::from_utf8_lossy(&other.bytes()).into_owned()),
    }
}

/// Applies an operator. `==`, `!=` and `in` compare texts and lists. `<` and similar operators
/// compare numbers if one side is a number and the property is not a version, otherwise versions.
fn compare(
    (operator, versions): (&str, bool),
    a: Option<&Tree>,
    b: Option<&Tree>,
    context: &MatchContext,
) -> Result<bool, EvaluationError> {
    let (Some(a), Some(b)) = (a, b) else {
        // With a missing value, only `!=` can hold, and only if the other value exists.
        return Ok(operator == "!=" && a.is_some() != b.is_some());
    };
    let require_text = |tree: &Tree| {
        tree.scalar_text()
            .ok_or(EvaluationError::NotComparable(tree.describe()))
    };
    Ok(match operator {
        "in" => b.items().iter().any(|item| is_equal(item, a)),
        "matches" => context
            .patterns
            .is_match(&require_text(b)?, require_text(a)?.as_bytes())?,
        "==" => is_equal(a, b),
        "!=" => !is_equal(a, b),
        _ => {
            let number = |tree: &Tree| matches!(tree, Tree::Int(_) | Tree::Float(_));
            let numbers = !versions && (number(a) || number(b));
            let (a, b) = (require_text(a)?, require_text(b)?);
            let order = match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) if numbers => a.total_cmp(&b),
                _ => context.versions.compare(&a, &b),
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

/// Returns whether two scalars have the same text, or two lists the same items in the same order.
fn is_equal(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::List(a), Tree::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        _ => match (a.scalar_text(), b.scalar_text()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests;
