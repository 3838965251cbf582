//! Owns the reports that a run leaves of each phase: every format, in the run directory. None of them can fail a run.

use serde::Serialize;
use serde_json::{Value, json};

use super::Steps;
use super::check::{CheckReport, evidence};
use crate::catalog::{self, Catalog};
use crate::checks::{self, Facts, Phase};
use crate::engine::StepContext;
use crate::model::{ImageName, Timestamp};
use crate::report::fill::{About, fill};
use crate::report::model::{Input, Profile, Report};
use crate::report::{self, Format, html, json};

/// The file of a report in the run directory.
#[must_use]
pub fn file(scope: &str, format: Format, phase: Phase) -> String {
    format!("{scope}/{}", format.file_name(phase))
}

/// The report of an image that was judged; `target` is what people call what was inspected.
#[must_use]
pub fn report(
    catalog: &Catalog,
    evidence: &CheckReport,
    facts: &Facts,
    target: &str,
    judged: Timestamp,
) -> Report {
    let image = &evidence.image;
    let about = About {
        target,
        phase: evidence.phase,
        judged,
        seconds: evidence.seconds,
        gate: catalog.settings.gate,
    };
    let profiles = catalog
        .profiles(image)
        .iter()
        .map(|p| profile(p, facts))
        .collect();
    fill(
        &about,
        profiles,
        &catalog.controls(image),
        &evidence.verdicts,
        facts,
    )
}

fn profile(of: &catalog::Profile, facts: &Facts) -> Profile {
    let value = |tree: Option<checks::Tree>| tree.map_or(Value::Null, |tree| json!(tree));
    Profile {
        name: of.name.clone(),
        title: of.title.clone(),
        version: of.version.clone(),
        summary: of.summary.clone(),
        license: of.license.clone(),
        maintainer: of.maintainer.clone(),
        sha256: of.sha256.clone(),
        file: of.file.clone(),
        inputs: checks::input_values(&of.inputs, facts)
            .into_iter()
            .map(|g| Input::new(g.name, value(g.value), g.sensitive))
            .collect(),
        controls: Vec::new(),
    }
}

/// Our own JSON with the verdicts as the judge said them.
#[derive(Serialize)]
struct Whole<'r> {
    #[serde(flatten)]
    document: json::Document<'r>,
    image: &'r ImageName,
    verdicts: &'r [checks::Verdict],
}

/// A report as a text; our own JSON also has each control's verdict as the judge said it, in one list.
///
/// # Errors
/// The catalog's template of the page is wrong.
pub fn text(
    catalog: &Catalog,
    evidence: &CheckReport,
    report: &Report,
    format: Format,
) -> Result<String, String> {
    if format == Format::Json {
        let CheckReport {
            image, verdicts, ..
        } = evidence;
        return Ok(report::pretty(&Whole {
            document: json::Document::new(report),
            image,
            verdicts,
        }));
    }
    let page = catalog
        .files
        .get(html::TEMPLATE)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    report::write(report, format, &page.unwrap_or_default()).map_err(|e| e.to_string())
}

/// Writes all of them, of the phase's evidence if there is any; what can't be written is said, and that is all.
pub(super) fn write(
    steps: &Steps,
    scope: &str,
    image: &ImageName,
    phase: Phase,
    context: &StepContext<'_>,
) {
    let Some(evidence) = evidence(steps, scope, phase) else {
        return;
    };
    let Ok(facts) = serde_json::from_value::<Facts>(evidence.facts.clone()) else {
        return;
    };
    let report = report(
        &steps.catalog,
        &evidence,
        &facts,
        image.as_str(),
        steps.clock.now(),
    );
    for format in Format::ALL {
        let written = text(&steps.catalog, &evidence, &report, format).and_then(|text| {
            let path = file(scope, format, phase);
            steps
                .workspace
                .write(&path, text.as_bytes(), false)
                .map_err(|e| e.to_string())
        });
        if let Err(why) = written {
            (context.note)(&format!(
                "warning: no {} report of the {} checks: {why}",
                format.as_str(),
                phase.as_str()
            ));
        }
    }
}
