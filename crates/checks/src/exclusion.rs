//! Defines exclusions: paths that a search ignores, each with its reason.

use crate::matcher::tree::Tree;
use crate::problem::Problem;

/// Largest number of characters of a path or a reason.
const LONGEST: usize = 300;

/// Path that a search ignores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exclusion {
    /// Absolute path or shell pattern.
    pub(crate) path: String,
    /// Reason for reports.
    pub(crate) reason: String,
}

/// Parses a list of maps with the keys `path` and `reason`.
///
/// # Errors
/// Returns the first problem, with its place in the list.
pub(crate) fn parse_exclusions(list: &Tree) -> Result<Vec<Exclusion>, Problem> {
    let Tree::List(items) = list else {
        let message = format!("it must be a list of exclusions, not {}", list.describe());
        return Err(Problem::new(message, HELP));
    };
    let each = |(i, item)| parse_exclusion(item).map_err(|problem| problem.under_item(i));
    items.iter().enumerate().map(each).collect()
}

const HELP: &str = "write each exclusion as `{path: /opt/app/test/*, reason: public test keys}`";

/// Parses one exclusion.
pub(crate) fn parse_exclusion(item: &Tree) -> Result<Exclusion, Problem> {
    if let Some((key, _)) = item
        .entries()
        .iter()
        .find(|(key, _)| key != "path" && key != "reason")
    {
        let message = format!("unknown key `{}` of an exclusion", key.escape_debug());
        return Err(Problem::new(message, HELP).at_key().under(key));
    }
    let line = |key: &str| {
        let text = item
            .get(key)
            .and_then(Tree::text)
            .map(str::trim)
            .unwrap_or_default();
        if text.is_empty() || text.chars().count() > LONGEST || text.contains(char::is_control) {
            let message = match item.get(key) {
                None => format!("the exclusion has no `{key}`"),
                Some(_) => format!("the `{key}` must be one line of 1 to {LONGEST} characters"),
            };
            return Err(Problem::new(message, HELP));
        }
        Ok(text.to_owned())
    };
    let (path, reason) = (line("path")?, line("reason")?);
    if !path.starts_with('/') {
        let message = format!("`{path}` is not an absolute path");
        return Err(Problem::new(message, "start it with `/`").under("path"));
    }
    Ok(Exclusion { path, reason })
}

impl Exclusion {
    /// Returns the line in the parameter of a resource: path and reason, separated by a tab.
    pub(crate) fn as_line(&self) -> String {
        format!("{}\t{}", self.path, self.reason)
    }

    /// Parses such a line; `None` for other text.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let (path, reason) = line.split_once('\t')?;
        Some(Self {
            path: path.to_owned(),
            reason: reason.to_owned(),
        })
    }
}

/// Returns the JSON Schema of an exclusion.
pub(crate) fn exclusion_schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["path", "reason"],
        "properties": {
            "path": {"type": "string", "description": "Absolute path or shell pattern. `*` does not match a slash. Everything below the path is excluded, too."},
            "reason": {"type": "string", "minLength": 1, "description": "Reason for the exclusion, which reports show."},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(yaml: &str) -> Result<Vec<Exclusion>, Problem> {
        parse_exclusions(&serde_saphyr::from_str(yaml).expect("YAML"))
    }

    #[test]
    fn exclusion_needs_path_and_reason() {
        let all = parse("[{path: /opt/a*, reason: public test keys}]").expect("valid");
        assert_eq!(all[0].as_line(), "/opt/a*\tpublic test keys");
        assert_eq!(
            Exclusion::from_line(&all[0].as_line()).as_ref(),
            all.first()
        );
        for (yaml, part) in [
            ("[{path: /opt/a}]", "no `reason`"),
            ("[{path: /opt/a, reason: \" \"}]", "`reason` must be"),
            ("[{path: /opt/a, reason: \"a\\nb\"}]", "`reason` must be"),
            ("[{reason: x}]", "no `path`"),
            ("[{path: opt/a, reason: x}]", "not an absolute path"),
            ("[{path: /a, reason: x, until: y}]", "unknown key `until`"),
            ("[/opt/a]", "no `path`"),
            ("/opt/a", "must be a list"),
        ] {
            let problem = parse(yaml).expect_err(yaml);
            assert!(problem.message.contains(part), "{yaml}: {problem:?}");
        }
    }
}
