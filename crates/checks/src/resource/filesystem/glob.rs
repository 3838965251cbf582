//! Matches shell patterns of configuration files (glob(7)).

use regex::Regex;

/// Returns true if a path matches a pattern. `*` and `?` do not match a slash. A text without
/// wildcards is not a pattern.
pub(crate) fn is_match(pattern: &str, path: &str) -> bool {
    compile(pattern).is_some_and(|regex| regex.is_match(path))
}

/// Compiles a pattern; none for a text without wildcards.
pub(crate) fn compile(pattern: &str) -> Option<Regex> {
    pattern
        .contains(['*', '?', '['])
        .then(|| Regex::new(&to_regex(pattern)).ok())
        .flatten()
}

fn to_regex(pattern: &str) -> String {
    let mut out = String::from("^");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let mut end = c.len_utf8();
        match c {
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => match bracket_expression(rest) {
                Some((class, length)) => {
                    out.push_str(&class);
                    end = length;
                }
                None => out.push_str("\\["),
            },
            c => out.push_str(&regex::escape(&c.to_string())),
        }
        rest = &rest[end..];
    }
    out + "$"
}

/// Parses a bracket expression at the start of a text. Returns the regex and its length. A leading
/// `]` is a member.
fn bracket_expression(text: &str) -> Option<(String, usize)> {
    let inner = text.strip_prefix('[')?;
    let (not, inner) = inner
        .strip_prefix(['!', '^'])
        .map_or(("", inner), |inner| ("^/", inner));
    let first = inner.chars().next()?.len_utf8();
    let close = inner[first..].find(']')? + first;
    let length = text.len() - inner.len() + close + 1;
    Some((
        format!(
            "[{not}{}]",
            regex::escape(&inner[..close]).replace("\\-", "-")
        ),
        length,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glob_patterns_match_paths() {
        for (pattern, path, expected) in [
            (
                "net/ipv4/conf/*/rp_filter",
                "net/ipv4/conf/all/rp_filter",
                true,
            ),
            (
                "net/ipv4/conf/*/rp_filter",
                "net/ipv4/conf/a/b/rp_filter",
                false,
            ),
            ("net/*/conf/*/x", "net/ipv6/conf/all/x", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a[b-d]c", "acc", true),
            ("a[!b-d]c", "acc", false),
            ("a[!b]c", "a/c", false),
            ("a[]x]c", "a]c", true),
            ("a[.c", "a[.c", true),
            ("a[.c*", "a[.cc", true),
            ("a.c*", "abc", false),
            ("abc", "abc", false),
            ("é*", "ée", true),
        ] {
            assert_eq!(is_match(pattern, path), expected, "{pattern} {path}");
        }
    }
}
