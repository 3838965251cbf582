//! Parses matchers for lists.

use crate::matcher::definition::Matcher;
use crate::matcher::parse::values::{parse_bool, parse_values};
use crate::matcher::tree::Tree;
use crate::matcher::value_type::ValueType;
use crate::problem::Problem;

impl Matcher {
    /// Parses a matcher whose operand is a list of values.
    pub(super) fn parse_set(
        name: &str,
        value: &Tree,
        value_type: ValueType,
    ) -> Result<Self, Problem> {
        if name == "in" {
            return Ok(Self::In(parse_values(value, value_type.item_type())?));
        }
        let values = parse_values(value, value_type.operand_type())?;
        Ok(match name {
            "subset_of" => Self::SubsetOf(values),
            "superset_of" => Self::SupersetOf(values),
            "same_set" => Self::SameSet(values),
            _ => Self::Disjoint(values),
        })
    }

    /// Parses a matcher for the items of a list or for their number.
    pub(super) fn parse_items(name: &str, value: &Tree) -> Result<Self, Problem> {
        let inner = |value_type| Self::parse(value, value_type).map(Box::new);
        Ok(match name {
            "duplicates" => Self::Duplicates(parse_bool(value)?),
            "count" => Self::Count(inner(ValueType::Number)?),
            "each" => Self::Each(inner(ValueType::Setting)?),
            "any" => Self::Any(inner(ValueType::Setting)?),
            _ => Self::Not(Box::new(Self::Any(inner(ValueType::Setting)?))),
        })
    }
}
