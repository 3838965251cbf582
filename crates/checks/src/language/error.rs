//! Defines the errors of conditions, inputs and placeholders.

use thiserror::Error;

use crate::matcher::pattern::PatternError;
use crate::problem::Problem;

/// Syntax error of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum SyntaxError {
    /// Condition with too many tokens.
    #[error("the condition is too long")]
    TooLong,
    /// Condition with too many nested parentheses.
    #[error("the condition is nested too deeply")]
    TooDeep,
    /// Condition that ends too early.
    #[error("the condition is incomplete")]
    Incomplete,
    /// Text without a closing quote.
    #[error("a closing quote is missing")]
    UnclosedQuote,
    /// Digits and dots that are not a number.
    #[error("`{0}` is not a number: put versions in quotes")]
    InvalidNumber(String),
    /// Character that no token starts with.
    #[error("`{}` is not allowed in a condition", .0.escape_debug())]
    InvalidCharacter(char),
    /// Token that cannot follow the previous one.
    #[error("unexpected `{0}`")]
    Unexpected(String),
    /// Missing operator, bracket, comma or dot.
    #[error("`{0}` is missing")]
    MissingSymbol(&'static str),
    /// Invalid pattern after `matches`.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Token after `inputs.` that is not a name.
    #[error("`{0}` is not the name of an input")]
    InvalidInputName(String),
    /// Error in the name, subject or property of a resource.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

/// Invalid use of a resource in a condition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ResourceError {
    /// Unknown name of a resource.
    #[error("unknown resource `{name}`{}", suggest(*.nearest))]
    UnknownResource {
        /// Name in the condition.
        name: String,
        /// Similar name of a resource.
        nearest: Option<&'static str>,
    },
    /// Subject without quotes.
    #[error("`{resource}` takes a {subject} in quotes")]
    UnquotedSubject {
        /// Name of the resource.
        resource: &'static str,
        /// Name of its subject, such as `path`.
        subject: &'static str,
    },
    /// Missing subject.
    #[error("`{resource}` needs a {subject}: `{resource}(\"…\")`")]
    MissingSubject {
        /// Name of the resource.
        resource: &'static str,
        /// Name of its subject, such as `path`.
        subject: &'static str,
    },
    /// Subject that the resource does not accept.
    #[error("{resource}(\"{subject}\"): {reason}")]
    InvalidSubject {
        /// Name of the resource.
        resource: &'static str,
        /// Subject, shortened for messages.
        subject: String,
        /// Reason why the resource rejects the subject.
        reason: String,
    },
    /// Missing property.
    #[error("the property of `{resource}` is missing")]
    MissingProperty {
        /// Name of the resource.
        resource: &'static str,
    },
    /// Unknown property, similar to a known one.
    #[error("`{resource}` has no property `{property}`: did you mean `{nearest}`?")]
    MisspelledProperty {
        /// Name of the resource.
        resource: &'static str,
        /// Property in the condition.
        property: String,
        /// Similar property of the resource.
        nearest: &'static str,
    },
    /// Unknown property.
    #[error("`{resource}` has no property `{property}`: use one of {}", .known.join(", "))]
    UnknownProperty {
        /// Name of the resource.
        resource: &'static str,
        /// Property in the condition.
        property: String,
        /// Properties of the resource.
        known: Vec<&'static str>,
    },
}

fn suggest(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(": did you mean `{name}`?"))
}

/// Reason why a condition, an input or a value with placeholders has no value on a target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum EvaluationError {
    /// Condition that cannot be parsed.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Pattern that cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Name that is not a loop variable.
    #[error("unknown name `{0}`")]
    UnknownName(String),
    /// Name that is not an input of the control.
    #[error("unknown input `{0}`")]
    UnknownInput(String),
    /// Input without a choice for the target.
    #[error("the input `{0}` has no value for this target")]
    InputWithoutValue(String),
    /// Property that could not be observed.
    #[error("{resource}.{property}: {reason}")]
    Unobserved {
        /// Resource and its subject.
        resource: String,
        /// Property of the resource.
        property: String,
        /// Reason why the property could not be observed.
        reason: String,
    },
    /// Value that is neither true nor false.
    #[error("{0} is not a condition: compare it with a value")]
    NotCondition(&'static str),
    /// Value without an order, such as a list.
    #[error("{0} has no order: use `==`, `!=` or `in`")]
    NotComparable(&'static str),
    /// Value that cannot be inserted into a text, such as a list.
    #[error("{0} cannot be part of a text")]
    NotPartOfText(&'static str),
    /// Expected value that is not a matcher after its placeholders have been replaced.
    #[error("{}", .0.message)]
    InvalidMatcher(Problem),
    /// List where a resource needs one subject.
    #[error("a list cannot be the subject of a resource")]
    ListAsSubject,
}
