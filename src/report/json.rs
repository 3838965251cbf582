//! Writes the JSON report of bakeline: the model, with the status of each control.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::model::{Control, Finding, Outcome, Place, Reference, Report, Tag, Waiver};
use super::number::Impact;
use super::pretty::to_pretty_json;
use super::status::{Counts, Status};

/// Version of the document format.
pub const SCHEMA: u32 = 1;

/// JSON document of a report. It can be deserialized as a [`Report`].
#[derive(Debug, Serialize)]
pub struct Document<'r> {
    schema: u32,
    counts: Counts,
    #[serde(flatten)]
    report: &'r Report,
}

impl<'r> Document<'r> {
    /// Creates the document of a report.
    #[must_use]
    pub fn new(report: &'r Report) -> Self {
        Self {
            schema: SCHEMA,
            counts: report.counts(),
            report,
        }
    }
}

/// Renders the report as JSON.
#[must_use]
pub fn write(report: &Report) -> String {
    to_pretty_json(&Document::new(report))
}

/// Control with its status, and with the outcome and results that are consistent.
#[derive(Serialize)]
struct ControlDocument<'c> {
    id: &'c str,
    title: &'c str,
    desc: Option<&'c str>,
    impact: Impact,
    tags: &'c BTreeMap<String, Tag>,
    refs: &'c [Reference],
    code: &'c str,
    place: &'c Place,
    waiver: Option<&'c Waiver>,
    tolerated: bool,
    outcome: Outcome,
    status: Status,
    results: &'c [Finding],
}

impl Serialize for Control {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = ControlDocument {
            id: &self.id,
            title: &self.title,
            desc: self.desc.as_deref(),
            impact: self.impact,
            tags: &self.tags,
            refs: &self.refs,
            code: &self.code,
            place: &self.place,
            waiver: self.waiver.as_ref(),
            tolerated: self.tolerated,
            outcome: self.outcome(),
            status: self.status(),
            results: &self.evidence(),
        };
        document.serialize(serializer)
    }
}
