//! Lists the names of matchers, their InSpec aliases, and the types of values that they accept.

use crate::matcher::value_type::ValueType;
use crate::problem::Problem;
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
        "contains a match of the regular expression; for a list, at least one item does; ^ and \
         $ match at the start and end of each line; classes are ASCII; patterns with \
         lookaround have a step limit",
    ),
    (
        "include",
        "text that contains the operand, or list with it as an item",
    ),
    (
        "line",
        "text with this complete line, or list with it as an item",
    ),
    (
        "lines_include",
        "text that contains every line of the operand; for a list, items that include all of them",
    ),
    (
        "in",
        "equal to one of the operands; for a list, each item is equal to one of them",
    ),
    (
        "at_most",
        "less than or equal; for a mode: no bits other than these; durations such as 1m count \
         as seconds",
    ),
    ("at_least", "not less; for a mode: at least these bits"),
    (
        "between",
        "from the first to the second value of a list of two",
    ),
    (
        "version",
        "interprets the text as a package version and applies a matcher to it",
    ),
    (
        "duration",
        "interprets the text as a duration (90, 1m, 1h30m) and applies a matcher to its \
         seconds",
    ),
    (
        "json",
        "JSON text: matchers for the values at JSON pointers such as `/a/0/b`",
    ),
    ("subset_of", "every item is in the operand"),
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

/// InSpec alias of `at_most`. The parser negates the resulting matcher.
pub(super) const MORE_PERMISSIVE: &str = "be_more_permissive_than";

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

/// Returns the name of the matcher for a name or an alias.
pub(super) fn canonical_name(name: &str) -> &str {
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map_or(name, |(_, known)| known)
}

/// Returns a problem if a matcher does not accept this type of value. `written` is its name in the
/// check, which can be an alias.
pub(super) fn require_type(
    written: &str,
    known: &str,
    value_type: ValueType,
) -> Result<(), Problem> {
    use ValueType::{Account, List, Mode, Number, Setting, Text, Version};
    let (accepted, instead): (&[ValueType], &str) = match known {
        "match" => (&[Text, Version, Account, Setting, List], "`eq` or `in`"),
        "include" => (&[Text, Version, Setting, List], "`eq` or `in`"),
        "line" | "lines_include" => (&[Text, Setting, List], "`eq` or `in`"),
        "version" | "duration" | "json" => (&[Text, Setting], "a matcher for this type of value"),
        "at_most" | "at_least" => (
            &[Number, Mode, Version, Setting],
            "`eq`, `match` or `include`",
        ),
        "empty" => (&[List, Text, Setting], "`eq`"),
        "subset_of" | "superset_of" | "same_set" | "disjoint" | "duplicates" | "count" | "each"
        | "any" | "none" => (&[List, Setting], "a matcher for a single value"),
        _ => return Ok(()),
    };
    if accepted.contains(&value_type) {
        return Ok(());
    }
    Err(Problem::new(
        format!("`{written}` does not apply to this property"),
        format!("use {instead}"),
    ))
}

/// Returns the problem for an unknown matcher.
pub(super) fn unknown_matcher(name: &str) -> Problem {
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
