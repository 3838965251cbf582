//! Owns how a matcher is written: the names, InSpec's words for them, and which property takes which.

use super::facts::brief;
use super::kind::Of;
use super::matcher::{Matcher, regex};
use super::problem::{Problem, Wrong};
use super::tree::Tree;
use super::value::{operand, quantity};

/// The matchers' names, with what each is for: docs, schema and messages are made of it.
pub(crate) const MATCHERS: &[(&str, &str)] = &[
    ("eq", "equal; what a bare value means"),
    ("cmp", "equal without regard to case, numbers as numbers"),
    ("not", "the opposite of a value or another matcher"),
    ("and", "every one of a list of matchers"),
    ("or", "at least one of a list of matchers"),
    ("absent", "true: there is no value; false: there is one"),
    ("match", "a regular expression is found; ^ and $ match at line ends, classes are ASCII"),
    ("include", "a text is found; in a list: it is one of the items"),
    ("line", "one whole line is just this"),
    ("in", "equal to one of a list"),
    ("at_most", "no greater; a mode with no other bits; durations such as 1m are seconds"),
    ("at_least", "no less; a mode with at least these bits"),
    ("subset_of", "no item but these"),
    ("superset_of", "all of these items, perhaps more"),
    ("same_set", "just these items, in any order"),
    ("disjoint", "none of these items"),
    ("empty", "whether there is nothing in it"),
    ("duplicates", "whether an item is there twice"),
    ("count", "a matcher for the number of items"),
    ("each", "a matcher for every item"),
    ("any", "a matcher that at least one item satisfies"),
];

/// InSpec's words for them.
const ALIASES: &[(&str, &str)] = &[
    ("be_in", "in"),
    ("be_empty", "empty"),
    ("be_nil", "absent"),
    ("contain_duplicates", "duplicates"),
    ("be_more_permissive_than", "at_least"),
];

impl Matcher {
    /// Reads a bare value (equality) or a map of matchers (all of which hold), for a property of this kind.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn read(tree: &Tree, of: Of) -> Result<Self, Problem> {
        let Tree::Map(entries) = tree else {
            let of = if of == Of::List { Of::Text } else { of };
            return Ok(Self::Eq(operand(tree, of).map_err(|(what, help)| Problem::maybe(what, help))?));
        };
        let mut all = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            all.push(Self::named(name, value, of).map_err(|p| p.under(name))?);
        }
        match all.len() {
            0 => Err(Problem::new("an empty map expects nothing", "name one matcher, such as `eq`")),
            1 => Ok(all.remove(0)),
            _ => Ok(Self::And(all)),
        }
    }

    fn named(name: &str, value: &Tree, of: Of) -> Result<Self, Problem> {
        let known = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, known)| known);
        let item = if of == Of::List { Of::Text } else { of };
        let one = |of| operand(value, of).map_err(|(what, help)| Problem::maybe(what, help));
        let only = |kinds: &[Of], instead: &str| {
            let fits = kinds.contains(&of);
            if fits {
                Ok(())
            } else {
                Err(Problem::new(format!("`{name}` is not for this property"), format!("use {instead}")))
            }
        };
        Ok(match known {
            "eq" => Self::Eq(one(item)?),
            "cmp" => Self::Cmp(value.spelled().ok_or_else(|| Problem::new("it must be one value", "write a value"))?),
            "not" => Self::Not(Box::new(Self::read(value, of)?)),
            "and" => Self::And(Self::several(value, of)?),
            "or" => Self::Or(Self::several(value, of)?),
            "absent" => Self::Absent(truth(value)?),
            "match" => {
                only(&[Of::Text, Of::Version, Of::Account, Of::Setting, Of::List], "`eq` or `in`")?;
                let pattern = one(Of::Text)?;
                regex(&pattern)
                    .map_err(|e| Problem::new(e, "put a `\\` before a character that is meant as itself"))?;
                Self::Match(pattern)
            }
            "include" => {
                only(&[Of::Text, Of::Version, Of::Setting, Of::List], "`eq` or `in`")?;
                Self::Include(one(if of == Of::Setting { of } else { Of::Text })?)
            }
            "line" => {
                only(&[Of::Text, Of::Setting, Of::List], "`eq` or `in`")?;
                Self::Line(one(Of::Text)?)
            }
            "in" => Self::In(list(value, item)?),
            "at_most" | "at_least" => {
                only(&[Of::Number, Of::Mode, Of::Version, Of::Setting], "`eq`, `match` or `include`")?;
                if of == Of::Setting && one(of).is_ok_and(|limit| quantity(&limit).is_none()) {
                    return Err(Problem::new("it is neither a number nor a duration", "write one such as 300 or 5m"));
                }
                if known == "at_most" { Self::AtMost(one(of)?) } else { Self::AtLeast(one(of)?) }
            }
            "empty" => {
                only(&[Of::List, Of::Text, Of::Setting], "`eq`")?;
                Self::Empty(truth(value)?)
            }
            "subset_of" | "superset_of" | "same_set" | "disjoint" | "duplicates" | "count" | "each" | "any" => {
                only(&[Of::List, Of::Setting], "a matcher for one value")?;
                Self::of_items(known, value, of)?
            }
            _ => {
                let names: Vec<&str> = MATCHERS.iter().map(|(name, _)| *name).collect();
                let help = match crate::diagnostic::nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("use one of {}", names.join(", ")),
                };
                return Err(Problem::new(format!("there is no matcher `{}`", brief(name.as_bytes())), help).at_key());
            }
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
            _ => Self::Any(Box::new(Self::read(value, Of::Setting)?)),
        })
    }

    fn several(value: &Tree, of: Of) -> Result<Vec<Self>, Problem> {
        let Tree::List(items) = value else {
            return Err(Problem::new("it must be a list of matchers", "write it as a list: `- …`"));
        };
        if items.is_empty() {
            return Err(Problem::new("it needs at least one matcher", "add one to the list"));
        }
        items.iter().enumerate().map(|(i, item)| Self::read(item, of).map_err(|p| p.under_item(i))).collect()
    }
}

fn truth(value: &Tree) -> Result<bool, Problem> {
    match value {
        Tree::Bool(v) => Ok(*v),
        _ => Err(Problem::new("it must be true or false", "write true or false")),
    }
}

fn list(value: &Tree, of: Of) -> Result<Vec<String>, Problem> {
    let items = match value {
        Tree::List(items) if items.is_empty() => {
            return Err(Problem::new("it needs at least one value", "add one to the list"));
        }
        Tree::List(items) => items,
        _ => return Err(Problem::new("it must be a list", "write it as a list: `- …`")),
    };
    let one = |(i, item): (usize, &Tree)| {
        operand(item, of).map_err(|(what, help): Wrong| Problem::maybe(what, help).under_item(i))
    };
    items.iter().enumerate().map(one).collect()
}
