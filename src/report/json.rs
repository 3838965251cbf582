//! Owns our own JSON: the whole of a report, with what each control counts as.

use serde_json::{Value, json};

use super::model::Report;

/// Counts the shapes of the document.
pub const SCHEMA: u32 = 1;

/// The document. A [`Report`] can be read back from it.
#[must_use]
pub fn write(report: &Report) -> String {
    let mut out = json!({ "schema": SCHEMA, "counts": report.counts() });
    merge(&mut out, serde_json::to_value(report).unwrap_or_default());
    for (at, profile) in report.profiles.iter().enumerate() {
        for (index, control) in profile.controls.iter().enumerate() {
            let shown = &mut out["profiles"][at]["controls"][index];
            shown["outcome"] = json!(control.outcome());
            shown["status"] = json!(control.status());
            shown["results"] = json!(control.evidence());
        }
    }
    super::pretty(&out)
}

fn merge(out: &mut Value, more: Value) {
    if let (Value::Object(out), Value::Object(more)) = (out, more) {
        out.extend(more);
    }
}
