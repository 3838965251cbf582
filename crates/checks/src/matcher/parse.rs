//! Parses matchers: their names, the InSpec aliases, and the value types that they accept.

use crate::matcher::Matcher;
use crate::matcher::json_pointer;
use crate::matcher::pattern::Pattern;
use crate::matcher::tree::Tree;
use crate::matcher::value::{operand, quantity};
use crate::matcher::value_type::ValueType;
use crate::problem::{Message, Problem};
use crate::text::truncate_for_display;

/// Names and descriptions of the matchers, for documentation, schema and messages.
pub(crate) const MATCHERS: &[(&str, &str)] = &[
    ("eq", "equal; a value without a matcher means `eq`"),
    ("cmp", "equal, ignoring case and the format of numbers"),
    ("not", "negation of a value or another matcher"),
    ("and", "all matchers of a list"),
    ("or", "at least one matcher of a list"),
    ("absent", "true: no value; false: any value"),
    (
        "match",
        "match of a regular expression; ^ and $ match at line ends, classes are ASCII; lookaround is limited in steps",
    ),
    (
        "include",
        "text that contains the operand, or list with it as an item",
    ),
    ("line", "text with this complete line"),
    ("lines_include", "text with all lines of a list"),
    ("in", "equal to one value of a list"),
    (
        "at_most",
        "not greater; a mode without other bits; durations such as 1m count as seconds",
    ),
    ("at_least", "not less; a mode with at least these bits"),
    (
        "between",
        "from the first to the second value of a list of two",
    ),
    ("version", "matcher for the text as a package version"),
    (
        "duration",
        "matcher for the text as a duration in seconds, such as 90, 1m or 1h30m",
    ),
    (
        "json",
        "JSON text: matchers for the values at JSON pointers such as `/a/0/b`",
    ),
    ("subset_of", "no other items"),
    ("superset_of", "at least these items"),
    ("same_set", "exactly these items, in any order"),
    ("disjoint", "none of these items"),
    ("empty", "true: empty; false: not empty"),
    ("duplicates", "true: with duplicate items; false: without"),
    ("count", "matcher for the number of items"),
    ("each", "matcher for every item"),
    ("any", "matcher for at least one item"),
    ("none", "matcher that no item may match"),
];

/// InSpec alias for the negation of `at_most`.
const MORE_PERMISSIVE: &str = "be_more_permissive_than";

/// InSpec aliases of matchers.
pub(crate) const ALIASES: &[(&str, &str)] = &[
    ("be_in", "in"),
    ("be_empty", "empty"),
    ("be_nil", "absent"),
    ("contain_duplicates", "duplicates"),
    (MORE_PERMISSIVE, "at_most"),
    ("be", "eq"),
    ("be_eq", "eq"),
    ("be_cmp", "cmp"),
    ("be_between", "between"),
    ("contain", "include"),
    ("have_rule", "include"),
    ("have_line", "line"),
    ("match_array", "same_set"),
    ("contain_exactly", "same_set"),
    ("all_match", "each"),
    ("<=", "at_most"),
    (">=", "at_least"),
];

impl Matcher {
    /// Parses a value (equality) or a map of matchers, for a property of this type.
    ///
    /// # Errors
    /// Returns the first problem.
    pub(crate) fn parse(tree: &Tree, value_type: ValueType) -> Result<Self, Problem> {
        let Tree::Map(entries) = tree else {
            let value_type = if value_type == ValueType::List {
                ValueType::Text
            } else {
                value_type
            };
            return Ok(Self::Eq(
                operand(tree, value_type).map_err(|(what, help)| Problem::with_help(what, help))?,
            ));
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

    fn parse_matcher(name: &str, value: &Tree, value_type: ValueType) -> Result<Self, Problem> {
        if name == MORE_PERMISSIVE {
            return Ok(Self::Not(Box::new(Self::parse_matcher(
                "at_most", value, value_type,
            )?)));
        }
        let known = ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .map_or(name, |(_, known)| known);
        let item = if value_type == ValueType::List {
            ValueType::Text
        } else {
            value_type
        };
        let one = || operand(value, item).map_err(|(what, help)| Problem::with_help(what, help));
        Ok(match known {
            "eq" => Self::Eq(one()?),
            "cmp" => Self::Cmp(
                value
                    .scalar_text()
                    .ok_or_else(|| Problem::new("it must be a single value", "write one value"))?,
            ),
            "not" => Self::Not(Box::new(Self::parse(value, value_type)?)),
            "and" => Self::And(Self::parse_list(value, value_type)?),
            "or" => Self::Or(Self::parse_list(value, value_type)?),
            "absent" => Self::Absent(parse_bool(value)?),
            "in" => Self::In(parse_values(value, item)?),
            "between" => {
                let Tree::List(limits) = value else {
                    return Err(limits_problem());
                };
                let [low, high] = limits.as_slice() else {
                    return Err(limits_problem());
                };
                let low = Self::parse_matcher("at_least", low, value_type)
                    .map_err(|p| p.under_item(0))?;
                Self::And(vec![
                    low,
                    Self::parse_matcher("at_most", high, value_type)
                        .map_err(|p| p.under_item(1))?,
                ])
            }
            _ => return Self::parse_by_type(name, known, value, value_type),
        })
    }

    /// Parses a matcher that only some types of values accept.
    fn parse_by_type(
        name: &str,
        known: &str,
        value: &Tree,
        value_type: ValueType,
    ) -> Result<Self, Problem> {
        let one = |value_type| {
            operand(value, value_type).map_err(|(what, help)| Problem::with_help(what, help))
        };
        let only = |kinds: &[ValueType], instead: &str| match kinds.contains(&value_type) {
            true => Ok(()),
            false => Err(Problem::new(
                format!("`{name}` does not apply to this property"),
                format!("use {instead}"),
            )),
        };
        Ok(match known {
            "match" => {
                only(
                    &[
                        ValueType::Text,
                        ValueType::Version,
                        ValueType::Account,
                        ValueType::Setting,
                        ValueType::List,
                    ],
                    "`eq` or `in`",
                )?;
                let pattern = one(ValueType::Text)?;
                Pattern::new(&pattern)
                    .map_err(|e| Problem::new(e, "escape special characters with `\\`"))?;
                Self::Match(pattern)
            }
            "include" => {
                only(
                    &[
                        ValueType::Text,
                        ValueType::Version,
                        ValueType::Setting,
                        ValueType::List,
                    ],
                    "`eq` or `in`",
                )?;
                Self::Include(one(if value_type == ValueType::Setting {
                    value_type
                } else {
                    ValueType::Text
                })?)
            }
            "lines_include" => {
                only(
                    &[ValueType::Text, ValueType::Setting, ValueType::List],
                    "`eq` or `in`",
                )?;
                Self::And(
                    parse_values(value, ValueType::Text)?
                        .into_iter()
                        .map(Self::Line)
                        .collect(),
                )
            }
            "version" | "duration" | "json" => {
                only(
                    &[ValueType::Text, ValueType::Setting],
                    "a matcher for this type of value",
                )?;
                Self::parse_text(known, value)?
            }
            "line" => {
                only(
                    &[ValueType::Text, ValueType::Setting, ValueType::List],
                    "`eq` or `in`",
                )?;
                Self::Line(one(ValueType::Text)?)
            }
            "at_most" | "at_least" => {
                only(
                    &[
                        ValueType::Number,
                        ValueType::Mode,
                        ValueType::Version,
                        ValueType::Setting,
                    ],
                    "`eq`, `match` or `include`",
                )?;
                if value_type == ValueType::Setting
                    && one(value_type).is_ok_and(|limit| quantity(&limit).is_none())
                {
                    return Err(Problem::new(
                        "it is not a number or duration",
                        "write a value such as 300 or 5m",
                    ));
                }
                if known == "at_most" {
                    Self::AtMost(one(value_type)?)
                } else {
                    Self::AtLeast(one(value_type)?)
                }
            }
            "empty" => {
                only(
                    &[ValueType::List, ValueType::Text, ValueType::Setting],
                    "`eq`",
                )?;
                Self::Empty(parse_bool(value)?)
            }
            "subset_of" | "superset_of" | "same_set" | "disjoint" | "duplicates" | "count"
            | "each" | "any" | "none" => {
                only(
                    &[ValueType::List, ValueType::Setting],
                    "a matcher for a single value",
                )?;
                Self::parse_items(known, value, value_type)?
            }
            _ => return Err(unknown_matcher(name)),
        })
    }

    /// Parses a matcher for lists.
    fn parse_items(name: &str, value: &Tree, value_type: ValueType) -> Result<Self, Problem> {
        let items = || {
            parse_values(
                value,
                if value_type == ValueType::Setting {
                    value_type
                } else {
                    ValueType::Text
                },
            )
        };
        Ok(match name {
            "subset_of" => Self::SubsetOf(items()?),
            "superset_of" => Self::SupersetOf(items()?),
            "same_set" => Self::SameSet(items()?),
            "disjoint" => Self::Disjoint(items()?),
            "duplicates" => Self::Duplicates(parse_bool(value)?),
            "count" => Self::Count(Box::new(Self::parse(value, ValueType::Number)?)),
            "each" => Self::Each(Box::new(Self::parse(value, ValueType::Setting)?)),
            "none" => Self::Not(Box::new(Self::Any(Box::new(Self::parse(
                value,
                ValueType::Setting,
            )?)))),
            _ => Self::Any(Box::new(Self::parse(value, ValueType::Setting)?)),
        })
    }

    /// Parses a matcher that converts a text.
    fn parse_text(name: &str, value: &Tree) -> Result<Self, Problem> {
        Ok(match name {
            "version" => Self::Version(Box::new(Self::parse(value, ValueType::Version)?)),
            "duration" => Self::Duration(Box::new(Self::parse(
                &durations_to_seconds(value)?,
                ValueType::Number,
            )?)),
            _ => {
                let mut each = Vec::new();
                for (at, inner) in value.entries() {
                    if !json_pointer::is_pointer(at) {
                        let problem = Problem::new(
                            format!("`{}` is not a JSON pointer", at.escape_debug()),
                            "start it with `/`",
                        );
                        return Err(problem.at_key().under(at));
                    }
                    let value_type = if matches!(inner, Tree::Map(_)) {
                        ValueType::List
                    } else {
                        ValueType::Setting
                    };
                    let read = Self::parse(inner, ValueType::Setting)
                        .or_else(|p| Self::parse(inner, value_type).map_err(|_| p));
                    each.push((at.clone(), read.map_err(|p| p.under(at))?));
                }
                if each.is_empty() {
                    return Err(Problem::new(
                        "it must be a map of JSON pointers",
                        "write a map such as `{\"/status\": ok}`",
                    ));
                }
                Self::Json(each)
            }
        })
    }

    fn parse_list(value: &Tree, value_type: ValueType) -> Result<Vec<Self>, Problem> {
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

/// Returns the problem for an unknown matcher.
fn unknown_matcher(name: &str) -> Problem {
    let names: Vec<&str> = MATCHERS.iter().map(|(name, _)| *name).collect();
    let help = match bakeline_diagnostic::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", names.join(", ")),
    };
    Problem::new(
        format!(
            "unknown matcher `{}`",
            truncate_for_display(name.as_bytes())
        ),
        help,
    )
    .at_key()
}

fn limits_problem() -> Problem {
    Problem::new(
        "it must be a list of two limits",
        "write it as `[LOW, HIGH]`",
    )
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

fn parse_bool(value: &Tree) -> Result<bool, Problem> {
    match value {
        Tree::Bool(v) => Ok(*v),
        _ => Err(Problem::new(
            "it must be true or false",
            "write true or false",
        )),
    }
}

fn parse_values(value: &Tree, value_type: ValueType) -> Result<Vec<String>, Problem> {
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
    let one = |(i, item): (usize, &Tree)| {
        operand(item, value_type)
            .map_err(|(what, help): Message| Problem::with_help(what, help).under_item(i))
    };
    items.iter().enumerate().map(one).collect()
}
