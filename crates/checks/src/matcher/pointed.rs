//! Owns the matcher `json`: a text read as JSON, and what it has at a pointer (RFC 6901).

use serde_json::Value as Json;

use crate::matcher::pattern::Patterns;
use crate::matcher::value::Value;
use crate::matcher::{Matcher, Unfit};

/// Whether what is at each pointer satisfies its matcher.
pub(super) fn fits(
    each: &[(String, Matcher)],
    value: &Value,
    patterns: &Patterns,
) -> Result<bool, Unfit> {
    let json: Json =
        serde_json::from_slice(&value.bytes()).map_err(|e| format!("it is no JSON: {e}"))?;
    let mut out = true;
    for (at, matcher) in each {
        out &= match json.pointer(at) {
            None | Some(Json::Null) if matcher.wants_nothing() => true,
            None | Some(Json::Null) => return Err(Unfit::Missing(format!("has nothing at {at}"))),
            Some(found) => matcher.fits(&plain(found), patterns)?,
        };
    }
    Ok(out)
}

/// What a pointer is: for messages about one that is none.
pub(super) fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

/// A scalar as a setting, the items of a list, the keys of a map.
fn plain(found: &Json) -> Value {
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
