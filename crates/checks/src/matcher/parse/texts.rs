//! Parses matchers for texts, and matchers that convert a text first.

use crate::matcher::definition::Matcher;
use crate::matcher::json_pointer;
use crate::matcher::operand::parse_operand;
use crate::matcher::parse::values::parse_values;
use crate::matcher::pattern::Pattern;
use crate::matcher::tree::Tree;
use crate::matcher::value::quantity;
use crate::matcher::value_type::ValueType;
use crate::problem::Problem;
use crate::text::truncate_for_display;

impl Matcher {
    /// Parses a matcher that searches a text or a list.
    pub(super) fn parse_text(
        name: &str,
        value: &Tree,
        value_type: ValueType,
    ) -> Result<Self, Problem> {
        match name {
            "match" => {
                let pattern = parse_operand(value, ValueType::Text)?;
                Pattern::new(&pattern).map_err(|error| {
                    Problem::new(error.to_string(), "escape special characters with `\\`")
                })?;
                Ok(Self::Match(pattern))
            }
            "include" => Ok(Self::Include(parse_operand(
                value,
                value_type.operand_type(),
            )?)),
            "line" => Ok(Self::Line(parse_operand(value, ValueType::Text)?)),
            _ => {
                let lines = parse_values(value, ValueType::Text)?;
                Ok(Self::And(lines.into_iter().map(Self::Line).collect()))
            }
        }
    }

    /// Parses a matcher that converts a text.
    pub(super) fn parse_conversion(name: &str, value: &Tree) -> Result<Self, Problem> {
        match name {
            "version" => {
                let inner = Self::parse(value, ValueType::Version)?;
                Ok(Self::Version(Box::new(inner)))
            }
            "duration" => {
                let inner = Self::parse(&durations_to_seconds(value)?, ValueType::Number)?;
                Ok(Self::Duration(Box::new(inner)))
            }
            _ => Self::parse_pointers(value),
        }
    }

    /// Parses a map from JSON pointers to matchers.
    fn parse_pointers(value: &Tree) -> Result<Self, Problem> {
        let mut each = Vec::new();
        for (pointer, inner) in value.entries() {
            if !json_pointer::is_pointer(pointer) {
                let problem = Problem::new(
                    format!("`{}` is not a JSON pointer", pointer.escape_debug()),
                    "start it with `/`",
                );
                return Err(problem.at_key().under(pointer));
            }
            let value_type = if matches!(inner, Tree::Map(_)) {
                ValueType::List
            } else {
                ValueType::Setting
            };
            let matcher = Self::parse(inner, ValueType::Setting)
                .or_else(|problem| Self::parse(inner, value_type).map_err(|_| problem))
                .map_err(|problem| problem.under(pointer))?;
            each.push((pointer.clone(), matcher));
        }
        if each.is_empty() {
            return Err(Problem::new(
                "it must be a map of JSON pointers",
                "write a map such as `{\"/status\": ok}`",
            ));
        }
        Ok(Self::Json(each))
    }
}

/// Converts all durations of a value to seconds.
fn durations_to_seconds(value: &Tree) -> Result<Tree, Problem> {
    value.map_texts(&mut |text| {
        let seconds = quantity(text).map(Tree::Int);
        seconds.ok_or_else(|| {
            Problem::new(
                format!(
                    "`{}` is not a duration",
                    truncate_for_display(text.as_bytes())
                ),
                "write a duration such as 5m",
            )
        })
    })
}
