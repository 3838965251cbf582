//! Writes InSpec's exec-json. It is valid by InSpec's schemas, and readers show the intended status
//! (docs/reference/reports.md).

use serde_json::{Map, Value, json};

use super::model::{
    Control, Finding, FindingOutcome, Input, Outcome, Profile, Reference, Report, Tag,
};
use super::pretty::to_pretty_json;
use super::status::Status;

/// Tags that must be a single string, because inspecjs throws on a list.
const STRING_TAGS: [&str; 2] = ["severity", "severityoverride"];

/// Renders the document, with one entry per profile.
#[must_use]
pub fn write(report: &Report) -> String {
    let platform = &report.platform;
    let profiles: Vec<Value> = report
        .profiles
        .iter()
        .map(|p| profile_json(p, report))
        .collect();
    to_pretty_json(&json!({
        "platform": { "name": platform.name, "release": platform.release, "target_id": report.target },
        "profiles": profiles,
        "statistics": { "duration": report.seconds },
        "version": report.tool,
        "passthrough": { "bakeline": { "target": report.target, "phase": report.phase, "arch": platform.arch } },
    }))
}

fn profile_json(profile: &Profile, report: &Report) -> Value {
    let ids: Vec<&String> = profile.controls.iter().map(|c| &c.id).collect();
    let controls: Vec<Value> = profile
        .controls
        .iter()
        .map(|c| control_json(c, report))
        .collect();
    let mut out = json!({
        "name": profile.name,
        "sha256": profile.sha256,
        "supports": [],
        "attributes": profile.inputs.iter().map(input_json).collect::<Vec<_>>(),
        "groups": [{ "id": profile.file, "controls": ids }],
        "controls": controls,
        "status": "loaded",
    });
    let Profile {
        title,
        version,
        summary,
        license,
        maintainer,
        ..
    } = profile;
    let known = [
        ("title", title),
        ("version", version),
        ("summary", summary),
        ("license", license),
        ("maintainer", maintainer),
    ];
    for (key, value) in known {
        if let Some(value) = value {
            out[key] = json!(value);
        }
    }
    out
}

fn input_json(input: &Input) -> Value {
    json!({ "name": input.name(), "options": { "value": input.value(), "sensitive": input.sensitive() } })
}

fn control_json(control: &Control, report: &Report) -> Value {
    let desc = control.desc.as_deref();
    let descriptions: Vec<Value> = desc
        .iter()
        .map(|d| json!({ "label": "default", "data": d }))
        .collect();
    json!({
        "id": control.id,
        "title": control.title,
        "desc": desc,
        "descriptions": descriptions,
        "impact": control.impact,
        "refs": control.refs.iter().map(reference_json).collect::<Vec<_>>(),
        "tags": tags_json(control),
        "code": control.code,
        "source_location": { "ref": control.place.file, "line": control.place.line },
        "waiver_data": waiver_json(control),
        "results": control.evidence().iter().map(|f| result_json(f, control, report)).collect::<Vec<_>>(),
    })
}

fn reference_json(reference: &Reference) -> Value {
    match reference {
        Reference::Text(text) => json!({ "ref": text }),
        Reference::Url(url) => json!({ "url": url }),
    }
}

fn tags_json(control: &Control) -> Map<String, Value> {
    let value = |name: &str, tag: &Tag| {
        if STRING_TAGS.contains(&name) {
            json!(tag.text())
        } else {
            json!(tag)
        }
    };
    control
        .tags
        .iter()
        .map(|(name, tag)| (name.clone(), value(name, tag)))
        .collect()
}

/// Returns the waiver data. Waived controls are evaluated too; `skipped_due_to_waiver` excludes
/// their failures from the count.
fn waiver_json(control: &Control) -> Value {
    let Some(waiver) = &control.waiver else {
        return json!({});
    };
    json!({
        "justification": waiver.justification,
        "owner": waiver.owner,
        "expiration_date": waiver.expires,
        "run": true,
        "skipped_due_to_waiver": control.status() == Status::Waived,
        "message": if waiver.expired { waiver.line() } else { String::new() },
    })
}

fn result_json(finding: &Finding, control: &Control, report: &Report) -> Value {
    let mut out = json!({
        "code_desc": format!("{}: expected {}", finding.subject(), finding.expected),
        "run_time": finding.seconds,
        "start_time": report.started,
        "resource": finding.resource,
        "resource_class": finding.resource,
        "resource_params": "[]",
        "resource_id": finding.shown,
    });
    let more = match &finding.outcome {
        // Readers count a control with one passed result as passed.
        FindingOutcome::Passed if control.outcome() == Outcome::Skipped => {
            json!({ "status": "skipped", "skip_message": "passed, but other results of the control were skipped" })
        }
        FindingOutcome::Passed => json!({ "status": "passed" }),
        FindingOutcome::Failed => json!({ "status": "failed", "message": finding.message }),
        FindingOutcome::Skipped { reason } => {
            json!({ "status": "skipped", "skip_message": reason })
        }
        FindingOutcome::Error { reason } => error_json(reason, finding, control),
    };
    if let (Value::Object(out), Value::Object(more)) = (&mut out, more) {
        out.extend(more);
    }
    out
}

/// Returns an error result. Readers treat a control with a backtrace as an error, so a control that
/// failed has none.
fn error_json(reason: &str, finding: &Finding, control: &Control) -> Value {
    let mut out = json!({
        "status": "failed",
        "message": format!("could not be determined: {reason}"),
        "exception": "Bakeline::Undetermined",
    });
    if control.outcome() == Outcome::Error {
        let place = format!("{}:{}", control.place.file, control.place.line);
        out["backtrace"] = json!([place, finding.subject()]);
    }
    out
}
