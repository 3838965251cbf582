//! Writes the reports of each phase into the run directory, in every format. A failure does not
//! fail the run.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Value, json};

use crate::catalog::{self, Catalog};
use crate::checks::{self, Facts, Phase};
use crate::engine::StepContext;
use crate::model::{ImageName, Timestamp};
use crate::plan::Scope;
use crate::render::RenderError;
use crate::report::build::{ReportContext, assemble_report};
use crate::report::model::{Input, Profile, Report};
use crate::report::{self, Format, html, json};
use crate::steps::check::controls::{CheckReport, load_evidence};
use crate::steps::context::Steps;

/// Returns the path of a report in the run directory.
#[must_use]
pub fn report_file(scope: impl Display, format: Format, phase: Phase) -> String {
    format!("{scope}/{}", format.file_name(phase))
}

/// Returns the report of a judged image. `target` is the display name of the inspected machine.
#[must_use]
pub fn build_report(
    catalog: &Catalog,
    evidence: &CheckReport,
    facts: &Facts,
    target: &str,
    judged: Timestamp,
) -> Report {
    let image = &evidence.image;
    let about = ReportContext {
        target,
        phase: evidence.phase,
        judged,
        seconds: evidence.seconds,
        gate: catalog.settings.gate,
    };
    let profiles = catalog
        .profiles(image)
        .iter()
        .map(|p| report_profile(p, facts))
        .collect();
    assemble_report(
        &about,
        profiles,
        &catalog.controls(image),
        &evidence.verdicts,
        facts,
    )
}

fn report_profile(profile: &catalog::Profile, facts: &Facts) -> Profile {
    let value = |tree: Option<checks::Tree>| tree.map_or(Value::Null, |tree| json!(tree));
    Profile {
        name: profile.name.clone(),
        title: profile.title.clone(),
        version: profile.version.clone(),
        summary: profile.summary.clone(),
        license: profile.license.clone(),
        maintainer: profile.maintainer.clone(),
        sha256: profile.sha256.clone(),
        file: profile.file.clone(),
        inputs: checks::input_values(&profile.inputs, facts)
            .into_iter()
            .map(|g| Input::new(g.name, value(g.value), g.sensitive))
            .collect(),
        controls: Vec::new(),
    }
}

/// JSON report with the complete verdicts.
#[derive(Serialize)]
struct JsonReport<'r> {
    #[serde(flatten)]
    document: json::Document<'r>,
    image: &'r ImageName,
    verdicts: &'r [checks::Verdict],
}

/// Renders a report. The JSON format also contains the complete verdicts of all controls, in one
/// list.
///
/// # Errors
/// Fails if the catalog's template of the HTML page is not valid.
pub fn render_report(
    catalog: &Catalog,
    evidence: &CheckReport,
    report: &Report,
    format: Format,
) -> Result<String, RenderError> {
    if format == Format::Json {
        let CheckReport {
            image, verdicts, ..
        } = evidence;
        return Ok(report::to_pretty_json(&JsonReport {
            document: json::Document::new(report),
            image,
            verdicts,
        }));
    }
    let page = catalog
        .files
        .get(html::TEMPLATE)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    report::write(report, format, &page.unwrap_or_default())
}

/// Writes the reports of a phase in all formats if the phase has evidence. A failure causes a
/// warning.
pub(in crate::steps) fn write_all(
    steps: &Steps,
    scope: &Scope,
    image: &ImageName,
    phase: Phase,
    context: &StepContext<'_>,
) {
    let Some(evidence) = load_evidence(steps, scope, phase) else {
        return;
    };
    let Ok(facts) = serde_json::from_value::<Facts>(evidence.facts.clone()) else {
        return;
    };
    let report = build_report(
        &steps.catalog,
        &evidence,
        &facts,
        image.as_str(),
        steps.clock.now(),
    );
    for format in Format::ALL {
        let rendered = render_report(&steps.catalog, &evidence, &report, format);
        let written = rendered.map_err(|e| e.to_string()).and_then(|text| {
            let path = report_file(scope, format, phase);
            steps
                .workspace
                .write(&path, text.as_bytes(), false)
                .map_err(|e| e.to_string())
        });
        if let Err(why) = written {
            (context.note)(&format!(
                "warning: the {} report of the {} checks could not be written: {why}",
                format.as_str(),
                phase.as_str()
            ));
        }
    }
}
