//! Implements the matcher `json`: compares the values at JSON pointers (RFC 6901).

use serde_json::Value as Json;

use crate::matcher::context::MatchContext;
use crate::matcher::definition::Matcher;
use crate::matcher::error::{MatchError, ValueError};
use crate::matcher::value::Value;

/// Returns whether the value at each pointer matches.
pub(super) fn matches(
    each: &[(String, Matcher)],
    value: &Value,
    context: &MatchContext,
) -> Result<bool, MatchError> {
    let json: Json = serde_json::from_slice(&value.bytes()).map_err(|e| ValueError::Json {
        reason: e.to_string(),
    })?;
    let mut matched = true;
    for (at, matcher) in each {
        matched &= match json.pointer(at) {
            None | Some(Json::Null) if matcher.accepts_missing() => true,
            None | Some(Json::Null) => {
                return Err(MatchError::Missing {
                    pointer: at.clone(),
                });
            }
            Some(found) => matcher.matches(&json_value(found), context)?,
        };
    }
    Ok(matched)
}

/// Returns whether `text` is a JSON pointer.
pub(super) fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

/// Converts JSON: a scalar to a setting, a list to its items, a map to its keys.
fn json_value(found: &Json) -> Value {
    let text = |json: &Json| match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    match found {
        Json::Array(items) => Value::List(items.iter().map(text).collect()),
        Json::Object(map) => Value::List(map.keys().cloned().collect()),
        scalar => Value::Setting(vec![text(scalar)]),
    }
}
