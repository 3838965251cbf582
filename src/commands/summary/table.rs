//! Builds the tables of decisions and results.

use super::locations::LocationSummary;
use super::{ImageSummary, RunSummary};
use crate::plan::Plan;
use crate::plan::release::base_reason;
use crate::plan::step::{Decision, PlanVerdict};
use crate::ui::table::Table;

/// Returns the table of decisions.
pub(crate) fn decision_table(plan: &Plan) -> Table {
    let mut table = Table::with_text(&["IMAGE", "ACTION", "VERSION"], "REASON");
    for decision in &plan.decisions {
        let version = decision
            .version
            .map_or_else(|| "-".to_owned(), |v| v.to_string());
        let values = vec![
            decision.image.to_string(),
            decision.verdict.as_str().to_owned(),
            version,
        ];
        let mut reasons = decision.reasons.clone();
        reasons.extend(decision.base.is_some().then(|| base_line(decision)));
        table.push_text(values, reasons);
    }
    table
}

/// Returns the line about the base of a build.
fn base_line(decision: &Decision) -> String {
    let verb = match decision.verdict {
        PlanVerdict::Adopt => "built on",
        _ => "builds on",
    };
    format!("{verb} {}", base_cell(decision))
}

/// Returns the base of an image, and the reason for it unless the reasons of the build contain it.
pub(crate) fn base_cell(decision: &Decision) -> String {
    match (&decision.base, base_reason(decision)) {
        (Some(base), Some(because)) => format!("{base} (because {because})"),
        (Some(base), None) => base.clone(),
        (None, _) => "-".to_owned(),
    }
}

/// Returns the table of results: one row for each AMI, and for each location without one.
pub(super) fn result_table(report: &RunSummary) -> Table {
    let rows: Vec<ResultRow> = report.images.iter().flat_map(image_rows).collect();
    let home = report.images.first().map(|image| image.region.to_string());
    let is_home = |row: &ResultRow| Some(&row.location) == home.as_ref();
    let several = !rows.iter().all(is_home);
    let mut header = vec!["IMAGE", "VERSION", "AMI"];
    header.extend(several.then_some("LOCATION"));
    let mut table = Table::with_text(&header, "STATUS");
    for row in rows {
        let mut values = vec![row.image, row.version, row.ami];
        values.extend(several.then_some(row.location));
        table.push_text(values, row.status);
    }
    table
}

struct ResultRow {
    image: String,
    version: String,
    ami: String,
    location: String,
    status: Vec<String>,
}

fn image_rows(image: &ImageSummary) -> Vec<ResultRow> {
    let dash = || "-".to_owned();
    let version = image.version.filter(|_| image.failure.is_none());
    let version = version.map_or_else(dash, |v| v.to_string());
    let row = |ami: Option<&crate::model::AmiId>, location: String, status: String| ResultRow {
        image: image.image.to_string(),
        version: version.clone(),
        ami: ami.map_or_else(dash, ToString::to_string),
        location,
        status: vec![status],
    };
    let mut rows: Vec<ResultRow> = Vec::new();
    let home = image.region.to_string();
    // The locations of a revocation contain home.
    if !image.locations.iter().any(|at| at.location == home) {
        let mut own = row(image.ami.as_ref(), home, image.status.to_owned());
        own.status[0] = match (&image.kept, &image.checks) {
            (Some(version), _) => format!("{}, {version} stays current", image.status),
            (None, Some(checks)) => format!("{}, boot checks: {checks}", image.status),
            (None, None) => image.status.to_owned(),
        };
        rows.push(own);
    }
    for at in &image.locations {
        let known = at.ami.as_ref().map(ToString::to_string);
        let shared = rows.iter_mut().find(|row| Some(&row.ami) == known.as_ref());
        match shared {
            Some(row) => row.status.push(shared_line(at)),
            None => {
                let own = row(at.ami.as_ref(), at.location.clone(), at.status.to_owned());
                let version = at.version.map(|version| version.to_string());
                rows.push(ResultRow {
                    version: version.unwrap_or_else(|| own.version.clone()),
                    ..own
                });
            }
        }
    }
    rows
}

/// Returns the line about an account that launches the AMI of another row.
fn shared_line(at: &LocationSummary) -> String {
    format!("{} in {}", at.status, at.location)
}
