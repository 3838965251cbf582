//! Reads the encoded details of denials, which EC2 adds to its messages for
//! `sts:DecodeAuthorizationMessage`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

/// Sentence before the encoded details.
const ENCODED: &str = "Encoded authorization failure message:";
/// Text in place of encoded details.
pub const DETAILS_OMITTED: &str = "(encoded details omitted)";

/// Replaces the encoded details in a text by explanations. Keeps details without an explanation.
pub async fn explain_encoded_details<E: Future<Output = Option<String>>>(
    text: &str,
    explain: impl Fn(String) -> E,
) -> String {
    let mut explained: BTreeMap<&str, String> = BTreeMap::new();
    for details in encoded_details(text) {
        if explained.contains_key(details) {
            continue;
        }
        if let Some(reason) = explain(details.to_owned()).await {
            explained.insert(details, reason);
        }
    }
    replace_encoded_details(text, |details| explained.get(details).cloned())
}

/// Returns the encoded details in a text.
#[must_use]
pub fn encoded_details(text: &str) -> Vec<&str> {
    text.split(ENCODED)
        .skip(1)
        .map(|part| split_details(part).0)
        .collect()
}

/// Replaces the encoded details in a text, unless the replacement is `None`.
fn replace_encoded_details(text: &str, replacement: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = text.split(ENCODED);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (details, rest) = split_details(part);
        match replacement(details) {
            Some(new) => out.extend([new.as_str(), rest]),
            None => out.extend([ENCODED, part]),
        }
    }
    out
}

/// Replaces the encoded details in a text, which have hundreds of characters, by [`DETAILS_OMITTED`].
#[must_use]
pub fn omit_encoded_details(text: &str) -> String {
    replace_encoded_details(text, |_| Some(DETAILS_OMITTED.to_owned()))
}

/// Splits the text after [`ENCODED`] into the encoded details and the rest.
fn split_details(part: &str) -> (&str, &str) {
    let part = part.trim_start();
    let is_encoded = |c: char| c.is_ascii_alphanumeric() || "-_=+/".contains(c);
    let end = part.find(|c| !is_encoded(c)).unwrap_or(part.len());
    part.split_at(end)
}

/// Explains the decoded details of a denial (STS API Reference, `DecodeAuthorizationMessage`) in one
/// phrase: the statement that denies the request, the resource, and the values in the request that the
/// statement compares. Returns `None` if the text has another format.
#[must_use]
pub fn explain_denial(decoded: &str) -> Option<String> {
    let details: Details = serde_json::from_str(decoded).ok()?;
    let statements: Vec<&Statement> = details.matched_statements.items.iter().collect();
    let names: Vec<String> = statements
        .iter()
        .filter(|one| !one.statement_id.is_empty())
        .map(|one| format!("`{}`", one.statement_id))
        .collect();
    let mut out = match (details.explicit_deny, names.is_empty()) {
        (true, false) => format!("denied by the statement {}", names.join(", ")),
        (true, true) => "denied by a statement without an ID".to_owned(),
        (false, _) => "not allowed by any statement".to_owned(),
    };
    let context = &details.context;
    let _ = write!(out, ": {} on {}", context.action, context.resource);
    let compared = statements.iter().flat_map(|one| &one.conditions.items);
    let values: Vec<String> = compared
        .map(|condition| format!("{} = {}", condition.key, context.values(&condition.key)))
        .collect();
    if !values.is_empty() {
        let _ = write!(out, " with {}", values.join(", "));
    }
    Some(out)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    explicit_deny: bool,
    #[serde(default)]
    matched_statements: Items<Statement>,
    context: Context,
}

/// List in the format of STS.
#[derive(Deserialize)]
struct Items<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(default)]
    statement_id: String,
    #[serde(default)]
    conditions: Items<Condition>,
}

#[derive(Deserialize)]
struct Context {
    action: String,
    resource: String,
    #[serde(default)]
    conditions: Items<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    key: String,
    #[serde(default)]
    values: Items<Value>,
}

impl Context {
    /// Returns the values of a condition key in the request. The names of keys ignore case.
    fn values(&self, key: &str) -> String {
        let mut conditions = self.conditions.items.iter();
        match conditions.find(|one| one.key.eq_ignore_ascii_case(key)) {
            Some(found) => {
                let values: Vec<&str> = found.values.items.iter().map(|v| &*v.value).collect();
                format!("`{}`", values.join("`, `"))
            }
            None => "(not set)".to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Value {
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcdefghijklmnop_-9";

    #[test]
    fn encoded_details_are_omitted() {
        let text = format!(
            "UnauthorizedOperation: with an explicit deny. Encoded authorization failure message: \
             {BLOB}\n\tstatus code: 403"
        );
        assert_eq!(
            omit_encoded_details(&text),
            "UnauthorizedOperation: with an explicit deny. (encoded details omitted)\n\tstatus code: 403"
        );
        assert_eq!(encoded_details(&text), [BLOB]);
        assert_eq!(omit_encoded_details("plain"), "plain");
        assert!(encoded_details("plain").is_empty());
        let twice = format!("{ENCODED} {BLOB}; {ENCODED} {BLOB}");
        let expected = format!("{DETAILS_OMITTED}; {DETAILS_OMITTED}");
        assert_eq!(omit_encoded_details(&twice), expected);
        assert_eq!(omit_encoded_details(ENCODED), DETAILS_OMITTED);
        assert_eq!(replace_encoded_details(&twice, |_| None), twice);
    }

    #[test]
    fn explained_denial_names_statement_resource_and_compared_values() {
        let details = |deny: bool, statements: &str| {
            format!(
                r#"{{"allowed":false,"explicitDeny":{deny},"matchedStatements":{{"items":[{statements}]}},
                "failures":{{"items":[]}},"context":{{"principal":{{"id":"AROA:x","arn":"arn:aws:sts::1:x"}},
                "action":"ec2:RunInstances","resource":"arn:aws:ec2:eu-central-1:1:instance/*",
                "conditions":{{"items":[{{"key":"ec2:MetadataHttpTokens","values":{{"items":[{{"value":"optional"}}]}}}},
                {{"key":"aws:Region","values":{{"items":[{{"value":"eu-central-1"}}]}}}}]}}}}}}"#
            )
        };
        let conditions = r#""conditions":{"items":[{"key":"ec2:MetadataHttpTokens","values":{"items":[{"value":"required"}]}}]}"#;
        let request = "ec2:RunInstances on arn:aws:ec2:eu-central-1:1:instance/*";
        for (deny, statements, expected) in [
            (
                true,
                format!(r#"{{"statementId":"RequireImdsV2","effect":"DENY",{conditions}}}"#),
                format!(
                    "denied by the statement `RequireImdsV2`: {request} with ec2:MetadataHttpTokens = `optional`"
                ),
            ),
            (
                true,
                r#"{"statementId":"","effect":"DENY"}"#.to_owned(),
                format!("denied by a statement without an ID: {request}"),
            ),
            (
                false,
                String::new(),
                format!("not allowed by any statement: {request}"),
            ),
        ] {
            assert_eq!(explain_denial(&details(deny, &statements)), Some(expected));
        }
        assert_eq!(explain_denial("not JSON"), None);
        assert_eq!(explain_denial("{}"), None);
    }
}
