//! Owns how a matcher is written: the names, InSpec's words for them, and which property takes which.

use crate::matcher::Matcher;
use crate::matcher::pattern::Pattern;
use crate::matcher::pointed;
use crate::matcher::tree::Tree;
use crate::matcher::value::{operand, quantity};
use crate::matcher::value_type::Of;
use crate::problem::{Problem, Wrong};
use crate::text::brief;

/// The matchers' names, with what each is for: docs, schema and messages are made of it.
pub(crate) const MATCHERS: &[(&str, &str)] = &[
    ("eq", "equal; what a bare value means"),
    ("cmp", "equal without regard to case, numbers as numbers"),
    ("not", "the opposite of a value or another matcher"),
    ("and", "every one of a list of matchers"),
    ("or", "at least one of a list of matchers"),
    ("absent", "true: there is no value; false: there is one"),
    (
        "match",
        "a regular expression is found; ^ and $ match at line ends, classes are ASCII; with lookaround it is bounded in steps",
    ),
    (
        "include",
        "a text is found; in a list: it is one of the items",
    ),
    ("line", "one whole line is just this"),
    ("lines_include", "each text of a list is one whole line"),
    ("in", "equal to one of a list"),
    (
        "at_most",
        "no greater; a mode with no other bits; durations such as 1m are seconds",
    ),
    ("at_least", "no less; a mode with at least these bits"),
    (
        "between",
        "no less than the first and no greater than the second of a list of two",
    ),
    (
        "version",
        "a matcher for the text as a version, in the package manager's order",
    ),
    (
        "duration",
        "a matcher for the text as a duration: 90, 1m and 1h30m are numbers of seconds",
    ),
    (
        "json",
        "the text is JSON: matchers for what is at JSON pointers, such as `/a/0/b`",
    ),
    ("subset_of", "no item but these"),
    ("superset_of", "all of these items, perhaps more"),
    ("same_set", "just these items, in any order"),
    ("disjoint", "none of these items"),
    ("empty", "whether there is nothing in it"),
    ("duplicates", "whether an item is there twice"),
    ("count", "a matcher for the number of items"),
    ("each", "a matcher for every item"),
    ("any", "a matcher that at least one item satisfies"),
    ("none", "a matcher that no item satisfies"),
];

/// The one that means the opposite of what it stands for: more than at most.
const MORE_PERMISSIVE: &str = "be_more_permissive_than";

/// InSpec's words for them.
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
    /// Reads a bare value (equality) or a map of matchers (all of which hold), for a property of this kind.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn read(tree: &Tree, of: Of) -> Result<Self, Problem> {
        let Tree::Map(entries) = tree else {
            let of = if of == Of::List { Of::Text } else { of };
            return Ok(Self::Eq(
                operand(tree, of).map_err(|(what, help)| Problem::maybe(what, help))?,
            ));
        };
        let mut all = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            all.push(Self::named(name, value, of).map_err(|p| p.under(name))?);
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

    fn named(name: &str, value: &Tree, of: Of) -> Result<Self, Problem> {
        if name == MORE_PERMISSIVE {
            return Ok(Self::Not(Box::new(Self::named("at_most", value, of)?)));
        }
        let known = ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .map_or(name, |(_, known)| known);
        let item = if of == Of::List { Of::Text } else { of };
        let one = || operand(value, item).map_err(|(what, help)| Problem::maybe(what, help));
        Ok(match known {
            "eq" => Self::Eq(one()?),
            "cmp" => Self::Cmp(
                value
                    .spelled()
                    .ok_or_else(|| Problem::new("it must be one value", "write a value"))?,
            ),
            "not" => Self::Not(Box::new(Self::read(value, of)?)),
            "and" => Self::And(Self::several(value, of)?),
            "or" => Self::Or(Self::several(value, of)?),
            "absent" => Self::Absent(truth(value)?),
            "in" => Self::In(list(value, item)?),
            "between" => {
                let Tree::List(limits) = value else {
                    return Err(two());
                };
                let [low, high] = limits.as_slice() else {
                    return Err(two());
                };
                let low = Self::named("at_least", low, of).map_err(|p| p.under_item(0))?;
                Self::And(vec![
                    low,
                    Self::named("at_most", high, of).map_err(|p| p.under_item(1))?,
                ])
            }
            _ => return Self::of_kind(name, known, value, of),
        })
    }

    /// What only some kinds of values can be asked.
    fn of_kind(name: &str, known: &str, value: &Tree, of: Of) -> Result<Self, Problem> {
        let one = |of| operand(value, of).map_err(|(what, help)| Problem::maybe(what, help));
        let only = |kinds: &[Of], instead: &str| match kinds.contains(&of) {
            true => Ok(()),
            false => Err(Problem::new(
                format!("`{name}` is not for this property"),
                format!("use {instead}"),
            )),
        };
        Ok(match known {
            "match" => {
                only(
                    &[Of::Text, Of::Version, Of::Account, Of::Setting, Of::List],
                    "`eq` or `in`",
                )?;
                let pattern = one(Of::Text)?;
                Pattern::new(&pattern).map_err(|e| {
                    Problem::new(e, "put a `\\` before a character that is meant as itself")
                })?;
                Self::Match(pattern)
            }
            "include" => {
                only(
                    &[Of::Text, Of::Version, Of::Setting, Of::List],
                    "`eq` or `in`",
                )?;
                Self::Include(one(if of == Of::Setting { of } else { Of::Text })?)
            }
            "lines_include" => {
                only(&[Of::Text, Of::Setting, Of::List], "`eq` or `in`")?;
                Self::And(list(value, Of::Text)?.into_iter().map(Self::Line).collect())
            }
            "version" | "duration" | "json" => {
                only(&[Of::Text, Of::Setting], "a matcher for such a value")?;
                Self::of_text(known, value)?
            }
            "line" => {
                only(&[Of::Text, Of::Setting, Of::List], "`eq` or `in`")?;
                Self::Line(one(Of::Text)?)
            }
            "at_most" | "at_least" => {
                only(
                    &[Of::Number, Of::Mode, Of::Version, Of::Setting],
                    "`eq`, `match` or `include`",
                )?;
                if of == Of::Setting && one(of).is_ok_and(|limit| quantity(&limit).is_none()) {
                    return Err(Problem::new(
                        "it is neither a number nor a duration",
                        "write one such as 300 or 5m",
                    ));
                }
                if known == "at_most" {
                    Self::AtMost(one(of)?)
                } else {
                    Self::AtLeast(one(of)?)
                }
            }
            "empty" => {
                only(&[Of::List, Of::Text, Of::Setting], "`eq`")?;
                Self::Empty(truth(value)?)
            }
            "subset_of" | "superset_of" | "same_set" | "disjoint" | "duplicates" | "count"
            | "each" | "any" | "none" => {
                only(&[Of::List, Of::Setting], "a matcher for one value")?;
                Self::of_items(known, value, of)?
            }
            _ => return Err(unknown(name)),
        })
    }

    /// What is expected of a list.
    fn of_items(name: &str, value: &Tree, of: Of) -> Result<Self, Problem> {
        let items = || list(value, if of == Of::Setting { of } else { Of::Text });
        Ok(match name {
            "subset_of" => Self::SubsetOf(items()?),
            "superset_of" => Self::SupersetOf(items()?),
            "same_set" => Self::SameSet(items()?),
            "disjoint" => Self::Disjoint(items()?),
            "duplicates" => Self::Duplicates(truth(value)?),
            "count" => Self::Count(Box::new(Self::read(value, Of::Number)?)),
            "each" => Self::Each(Box::new(Self::read(value, Of::Setting)?)),
            "none" => Self::Not(Box::new(Self::Any(Box::new(Self::read(
                value,
                Of::Setting,
            )?)))),
            _ => Self::Any(Box::new(Self::read(value, Of::Setting)?)),
        })
    }

    /// What is expected of a text that is read as something else.
    fn of_text(name: &str, value: &Tree) -> Result<Self, Problem> {
        Ok(match name {
            "version" => Self::Version(Box::new(Self::read(value, Of::Version)?)),
            "duration" => Self::Duration(Box::new(Self::read(&seconds(value)?, Of::Number)?)),
            _ => {
                let mut each = Vec::new();
                for (at, inner) in value.entries() {
                    if !pointed::is_pointer(at) {
                        let problem = Problem::new(
                            format!("`{}` is no JSON pointer", at.escape_debug()),
                            "begin it with `/`",
                        );
                        return Err(problem.at_key().under(at));
                    }
                    let of = if matches!(inner, Tree::Map(_)) {
                        Of::List
                    } else {
                        Of::Setting
                    };
                    let read = Self::read(inner, Of::Setting)
                        .or_else(|p| Self::read(inner, of).map_err(|_| p));
                    each.push((at.clone(), read.map_err(|p| p.under(at))?));
                }
                if each.is_empty() {
                    return Err(Problem::new(
                        "it must be a map of JSON pointers",
                        "write one such as `{\"/status\": ok}`",
                    ));
                }
                Self::Json(each)
            }
        })
    }

    fn several(value: &Tree, of: Of) -> Result<Vec<Self>, Problem> {
        let Tree::List(items) = value else {
            return Err(Problem::new(
                "it must be a list of matchers",
                "write it as a list: `- …`",
            ));
        };
        if items.is_empty() {
            return Err(Problem::new(
                "it needs at least one matcher",
                "add one to the list",
            ));
        }
        items
            .iter()
            .enumerate()
            .map(|(i, item)| Self::read(item, of).map_err(|p| p.under_item(i)))
            .collect()
    }
}

/// That there is no such matcher.
fn unknown(name: &str) -> Problem {
    let names: Vec<&str> = MATCHERS.iter().map(|(name, _)| *name).collect();
    let help = match bakeline_diagnostic::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", names.join(", ")),
    };
    Problem::new(
        format!("there is no matcher `{}`", brief(name.as_bytes())),
        help,
    )
    .at_key()
}

fn two() -> Problem {
    Problem::new(
        "it must be a list of two limits",
        "write it as `[LOW, HIGH]`",
    )
}

/// The same with every duration as a number of seconds.
fn seconds(value: &Tree) -> Result<Tree, Problem> {
    value.replaced(&mut |text| {
        let known = quantity(text).map(Tree::Int);
        known.ok_or_else(|| {
            Problem::new(
                format!("`{}` is no duration", brief(text.as_bytes())),
                "write one such as 5m",
            )
        })
    })
}

fn truth(value: &Tree) -> Result<bool, Problem> {
    match value {
        Tree::Bool(v) => Ok(*v),
        _ => Err(Problem::new(
            "it must be true or false",
            "write true or false",
        )),
    }
}

fn list(value: &Tree, of: Of) -> Result<Vec<String>, Problem> {
    let items = match value {
        Tree::List(items) if items.is_empty() => {
            return Err(Problem::new(
                "it needs at least one value",
                "add one to the list",
            ));
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
        operand(item, of).map_err(|(what, help): Wrong| Problem::maybe(what, help).under_item(i))
    };
    items.iter().enumerate().map(one).collect()
}
