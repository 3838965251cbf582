//! Parses matchers that compare the order of values.

use crate::matcher::definition::Matcher;
use crate::matcher::operand::parse_operand;
use crate::matcher::tree::Tree;
use crate::matcher::value::quantity;
use crate::matcher::value_type::ValueType;
use crate::problem::Problem;

impl Matcher {
    /// Parses `at_most` or `at_least`.
    pub(super) fn parse_limit(
        name: &str,
        value: &Tree,
        value_type: ValueType,
    ) -> Result<Self, Problem> {
        let limit = parse_operand(value, value_type)?;
        if value_type == ValueType::Setting && quantity(&limit).is_none() {
            return Err(Problem::new(
                "it is not a number or duration",
                "write a value such as 300 or 5m",
            ));
        }
        Ok(if name == "at_most" {
            Self::AtMost(limit)
        } else {
            Self::AtLeast(limit)
        })
    }

    /// Parses `between`: a list of the lowest and the highest value.
    pub(super) fn parse_between(value: &Tree, value_type: ValueType) -> Result<Self, Problem> {
        let limits = match value {
            Tree::List(limits) => limits.as_slice(),
            _ => &[],
        };
        let [low, high] = limits else {
            return Err(Problem::new(
                "it must be a list of two limits",
                "write it as `[LOW, HIGH]`",
            ));
        };
        let limit = |name, value, position| {
            Self::parse_matcher(name, value, value_type)
                .map_err(|problem| problem.under_item(position))
        };
        Ok(Self::And(vec![
            limit("at_least", low, 0)?,
            limit("at_most", high, 1)?,
        ]))
    }
}
