//! Parses matchers: a value, which means equality, or a map of matchers.

mod lists;
pub(crate) mod names;
mod order;
mod texts;
mod values;

use crate::matcher::definition::Matcher;
use crate::matcher::operand::parse_operand;
use crate::matcher::tree::Tree;
use crate::matcher::value_type::ValueType;
use crate::problem::Problem;

use names::{MORE_PERMISSIVE, canonical_name, require_type, unknown_matcher};
use values::parse_bool;

impl Matcher {
    /// Parses a value (equality) or a map of matchers, for a property of this type.
    ///
    /// # Errors
    /// Returns the first problem.
    pub(crate) fn parse(tree: &Tree, value_type: ValueType) -> Result<Self, Problem> {
        let Tree::Map(entries) = tree else {
            return Ok(Self::Eq(parse_operand(tree, value_type.item_type())?));
        };
        let mut all = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            all.push(Self::parse_matcher(name, value, value_type).map_err(|p| p.under(name))?);
        }
        match all.len() {
            0 => Err(Problem::new(
                "an empty map expects nothing",
                "name one matcher, such as `eq`",
            )),
            1 => Ok(all.remove(0)),
            _ => Ok(Self::And(all)),
        }
    }

    /// Parses one entry of a map of matchers.
    fn parse_matcher(name: &str, value: &Tree, value_type: ValueType) -> Result<Self, Problem> {
        if name == MORE_PERMISSIVE {
            let at_most = Self::parse_matcher("at_most", value, value_type)?;
            return Ok(Self::Not(Box::new(at_most)));
        }
        let known = canonical_name(name);
        require_type(name, known, value_type)?;
        match known {
            "eq" => Ok(Self::Eq(parse_operand(value, value_type.item_type())?)),
            "cmp" => Self::parse_loose_equality(value),
            "not" => Ok(Self::Not(Box::new(Self::parse(value, value_type)?))),
            "and" => Ok(Self::And(Self::parse_each(value, value_type)?)),
            "or" => Ok(Self::Or(Self::parse_each(value, value_type)?)),
            "absent" => Ok(Self::Absent(parse_bool(value)?)),
            "at_most" | "at_least" => Self::parse_limit(known, value, value_type),
            "between" => Self::parse_between(value, value_type),
            "match" | "include" | "line" | "lines_include" => {
                Self::parse_text(known, value, value_type)
            }
            "version" | "duration" | "json" => Self::parse_conversion(known, value),
            "empty" => Ok(Self::Empty(parse_bool(value)?)),
            "in" | "subset_of" | "superset_of" | "same_set" | "disjoint" => {
                Self::parse_set(known, value, value_type)
            }
            "duplicates" | "count" | "each" | "any" | "none" => Self::parse_items(known, value),
            _ => Err(unknown_matcher(name)),
        }
    }

    fn parse_loose_equality(value: &Tree) -> Result<Self, Problem> {
        value
            .scalar_text()
            .map(Self::Cmp)
            .ok_or_else(|| Problem::new("it must be a single value", "write one value"))
    }

    /// Parses a list of matchers.
    fn parse_each(value: &Tree, value_type: ValueType) -> Result<Vec<Self>, Problem> {
        let Tree::List(items) = value else {
            return Err(Problem::new(
                "it must be a list of matchers",
                "write it as a list: `- …`",
            ));
        };
        if items.is_empty() {
            return Err(Problem::new("the list is empty", "add a value to the list"));
        }
        items
            .iter()
            .enumerate()
            .map(|(i, item)| Self::parse(item, value_type).map_err(|p| p.under_item(i)))
            .collect()
    }
}
