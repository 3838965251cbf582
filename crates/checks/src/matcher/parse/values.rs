//! Parses operands that are booleans or lists.

use crate::matcher::operand::parse_operand;
use crate::matcher::tree::Tree;
use crate::matcher::value_type::ValueType;
use crate::problem::Problem;

/// Parses an operand that is a boolean.
pub(super) fn parse_bool(value: &Tree) -> Result<bool, Problem> {
    match value {
        Tree::Bool(v) => Ok(*v),
        _ => Err(Problem::new(
            "it must be true or false",
            "write true or false",
        )),
    }
}

/// Parses a list of operands.
pub(super) fn parse_values(value: &Tree, value_type: ValueType) -> Result<Vec<String>, Problem> {
    let items = match value {
        Tree::List(items) if items.is_empty() => {
            return Err(Problem::new("the list is empty", "add a value to the list"));
        }
        Tree::List(items) => items,
        _ => {
            return Err(Problem::new(
                "it must be a list",
                "write it as a list: `- …`",
            ));
        }
    };
    items
        .iter()
        .enumerate()
        .map(|(i, item)| {
            parse_operand(item, value_type).map_err(|error| Problem::from(error).under_item(i))
        })
        .collect()
}
