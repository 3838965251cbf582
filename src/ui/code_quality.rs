//! Renders diagnostics and plans as a code quality report of GitLab: the part of the Code Climate
//! format that GitLab reads (<https://docs.gitlab.com/ci/testing/code_quality/>).

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::Plan;
use crate::plan::step::PlanVerdict;

/// Entry of a code quality report.
#[derive(Debug, Serialize)]
pub struct Finding {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Debug, Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Debug, Serialize)]
struct Lines {
    begin: usize,
}

/// Returns the findings for diagnostics. `folder` is the path of the catalog in its repository,
/// because GitLab needs paths relative to the repository. It is empty at the top.
#[must_use]
pub fn diagnostic_findings(diagnostics: &[Diagnostic], folder: &str) -> Vec<Finding> {
    let findings = diagnostics.iter().map(|diagnostic| Finding {
        description: match &diagnostic.help {
            Some(help) => format!("{}; {help}", diagnostic.message),
            None => diagnostic.message.clone(),
        },
        check_name: diagnostic.code.to_owned(),
        fingerprint: String::new(),
        severity: match diagnostic.severity {
            Severity::Error => "critical",
            Severity::Warning => "minor",
        },
        location: location(folder, &diagnostic.span.file, diagnostic.span.line),
    });
    with_fingerprints(findings.collect())
}

/// Returns the findings for a plan: one for each image that a release would change or cannot build.
#[must_use]
pub fn plan_findings(catalog: &Catalog, plan: &Plan, folder: &str) -> Vec<Finding> {
    let decisions = plan
        .decisions
        .iter()
        .filter(|decision| decision.verdict != PlanVerdict::Keep);
    let findings = decisions.map(|decision| {
        let verdict = decision.verdict.as_str();
        let file = catalog
            .images
            .get(&decision.image)
            .map_or("bakeline.yaml", |image| image.file.as_str());
        Finding {
            description: format!(
                "{verdict} image `{}`: {}",
                decision.image,
                decision.reasons.join("; ")
            ),
            check_name: format!("plan: {verdict}"),
            fingerprint: String::new(),
            severity: if decision.verdict == PlanVerdict::Blocked {
                "critical"
            } else {
                "info"
            },
            location: location(folder, file, 1),
        }
    });
    with_fingerprints(findings.collect())
}

fn location(folder: &str, file: &str, line: usize) -> Location {
    let path = if folder.is_empty() {
        file.to_owned()
    } else {
        format!("{folder}/{file}")
    };
    Location {
        path,
        lines: Lines { begin: line.max(1) },
    }
}

/// Sets the fingerprints. They do not contain lines, so that a finding that moves is the same
/// finding. Equal findings of a file are numbered, because GitLab keeps one for each fingerprint.
fn with_fingerprints(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for finding in &mut findings {
        let (name, path) = (&finding.check_name, &finding.location.path);
        let key = format!("{name}\0{path}\0{}", finding.description);
        let count = counts.entry(key.clone()).or_default();
        finding.fingerprint = format!("{:x}", Sha256::digest(format!("{key}\0{count}")));
        *count += 1;
    }
    findings
}
