//! Owns running controls against a machine: one collection over SSH, the judgement, and the evidence left of both.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::collect::{collect, from_booted};
use super::{Steps, reports};
use crate::catalog::{Access, Image};
use crate::checks::{self, Control, Facts, Gate, Phase, Verdict};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::model::{ImageName, Timestamp};
use crate::plan::{Step, StepId};
use crate::ports::{Bounds, Shell, SshConfig, Target, Trust};

/// What another process of ours needs to check an instance that Packer is building.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckRequest {
    /// The image, for people.
    pub image: ImageName,
    /// The phase.
    pub phase: Phase,
    /// Every control of the image and its ancestors.
    pub controls: Vec<Control>,
    /// The login user.
    pub user: String,
    /// The private key's file.
    pub key: PathBuf,
    /// The known-hosts file.
    pub known_hosts: PathBuf,
    /// Whether to go through an SSM session.
    pub ssm: bool,
    /// Where the evidence goes.
    pub evidence: PathBuf,
    /// Which failures count.
    pub gate: Gate,
}

/// What was found, and what it means; the evidence file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckReport {
    /// The image.
    pub image: ImageName,
    /// The phase.
    pub phase: Phase,
    /// How long the collection took.
    #[serde(default)]
    pub seconds: f64,
    /// One verdict for each control of the phase.
    pub verdicts: Vec<Verdict>,
    /// What they were judged from.
    pub facts: Value,
    /// Parts of the builder's identity that the instance still has, one line each. They fail the image whatever its
    /// profiles say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsealed: Vec<String>,
}

impl CheckReport {
    /// The verdicts that keep the image from being released, one line each; waivers are as good as they are on that day.
    #[must_use]
    pub fn bad(&self, gate: Gate, now: Timestamp) -> Vec<String> {
        let counts = |v: &&Verdict| gate.status(v, day(now)).fails();
        self.verdicts
            .iter()
            .filter(counts)
            .map(Verdict::line)
            .chain(self.unsealed.iter().cloned())
            .collect()
    }

    /// How many verdicts count as what, in one line.
    #[must_use]
    pub fn line(&self, gate: Gate, now: Timestamp) -> String {
        gate.counts(&self.verdicts, day(now)).line()
    }
}

/// The day in UTC, on which waivers end.
fn day(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Writes the request for the build-phase checks of one image and returns its path.
pub(super) fn request(steps: &Steps, image: &Image, phase: Phase) -> Result<PathBuf> {
    let root = steps.workspace.root();
    let request = CheckRequest {
        image: image.name.clone(),
        phase,
        controls: steps
            .catalog
            .controls(&image.name)
            .into_iter()
            .cloned()
            .collect(),
        user: image.platform.login_user().to_owned(),
        key: root.join(super::access::key_file(image.name.as_str())),
        known_hosts: root.join(format!("{}/known_hosts.{}", image.name, phase.as_str())),
        ssm: steps.catalog.settings.builder.access == Access::Ssm,
        evidence: root.join(evidence_file(image.name.as_str(), phase)),
        gate: steps.catalog.settings.gate,
    };
    let text = serde_json::to_vec_pretty(&request).map_err(|e| {
        Error::new(Kind::StepFailed, "the check request can't be written").because(e)
    })?;
    let path = steps.workspace.write(
        &format!("{}/check-{}.request.json", image.name, phase.as_str()),
        &text,
        true,
    );
    path.map_err(|e| Error::new(Kind::StepFailed, "the check request can't be written").because(e))
}

/// The facts of a phase, with the verdicts, in the run directory.
#[must_use]
pub fn evidence_file(scope: &str, phase: Phase) -> String {
    format!("{scope}/facts-{}.json", phase.as_str())
}

/// Collects and judges inside a build, where Packer has logged in before: the key that the host shows first must stay.
///
/// # Errors
/// As [`collect`].
pub async fn run(
    shell: &dyn Shell,
    request: &CheckRequest,
    host: &str,
    port: u16,
    cancel: &CancellationToken,
) -> Result<CheckReport> {
    let target = Target {
        host: host.to_owned(),
        port: Some(port),
        user: Some(request.user.clone()),
        key: Some(request.key.clone()),
        known_hosts: Some(request.known_hosts.clone()),
        trust: Trust::FirstUse,
        config: SshConfig::Ours,
        ssm: request.ssm,
    };
    let controls: Vec<&Control> = request.controls.iter().collect();
    let collected = collect(
        shell,
        &target,
        (&controls, request.phase),
        Bounds::FRESH,
        cancel,
    )
    .await;
    let (facts, took) =
        collected.map_err(|e| could_not(e, request.phase, &request.image, cancel))?;
    Ok(judged(
        &request.image,
        request.phase,
        &controls,
        &facts,
        took,
    ))
}

fn judged(
    image: &ImageName,
    phase: Phase,
    controls: &[&Control],
    facts: &Facts,
    took: Duration,
) -> CheckReport {
    let verdicts = checks::judge(controls, facts, phase);
    let facts = serde_json::to_value(facts).unwrap_or_default();
    CheckReport {
        image: image.clone(),
        phase,
        seconds: took.as_secs_f64(),
        verdicts,
        facts,
        unsealed: Vec::new(),
    }
}

fn could_not(error: Error, phase: Phase, image: &ImageName, cancel: &CancellationToken) -> Error {
    let kind = if cancel.is_cancelled() {
        Kind::Interrupted
    } else {
        Kind::StepFailed
    };
    Error::new(
        kind,
        format!("the {} checks of `{image}` could not run", phase.as_str()),
    )
    .because(error)
}

pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<Value> {
    let known = steps
        .catalog
        .images
        .get(image)
        .ok_or_else(|| Error::input(format!("no image `{image}`")))?;
    let controls = steps.catalog.controls(image);
    let (facts, took, host) = from_booted(
        steps,
        step,
        known.platform.login_user(),
        &controls,
        boot,
        context,
    )
    .await
    .map_err(|e| could_not(e, Phase::Boot, image, &context.cancel))?;
    let mut report = judged(image, Phase::Boot, &controls, &facts, took);
    report.unsealed = build_facts(steps, image)
        .map(|build| checks::leftover_identity(&build, &facts))
        .unwrap_or_default();
    save(steps, image.as_str(), &report)?;
    reports::write(steps, &step.scope, image, Phase::Boot, context);
    match failed(steps, image, Phase::Boot) {
        Some(error) => Err(error.hint(format!("instance {host} of {}", step.region))),
        None => {
            let evidence = steps
                .workspace
                .root()
                .join(evidence_file(image.as_str(), Phase::Boot));
            Ok(
                json!({ "summary": report.line(steps.catalog.settings.gate, steps.clock.now()), "evidence": evidence }),
            )
        }
    }
}

/// Returns the facts of the builder, if this run built the image.
fn build_facts(steps: &Steps, image: &ImageName) -> Option<Facts> {
    serde_json::from_value(evidence(steps, image.as_str(), Phase::Build)?.facts).ok()
}

fn save(steps: &Steps, scope: &str, report: &CheckReport) -> Result<()> {
    let text = serde_json::to_vec_pretty(report).unwrap_or_default();
    let written = steps
        .workspace
        .write(&evidence_file(scope, report.phase), &text, true);
    written
        .map(drop)
        .map_err(|e| Error::new(Kind::StepFailed, "the evidence can't be written").because(e))
}

/// What a phase left in the run directory.
pub(super) fn evidence(steps: &Steps, scope: &str, phase: Phase) -> Option<CheckReport> {
    serde_json::from_slice(&steps.workspace.read(&evidence_file(scope, phase))?).ok()
}

/// The failed controls in the evidence of a phase, as an error with expected and actual.
pub(super) fn failed(steps: &Steps, image: &ImageName, phase: Phase) -> Option<Error> {
    let report = evidence(steps, image.as_str(), phase)?;
    let lines = report.bad(steps.catalog.settings.gate, steps.clock.now());
    if lines.is_empty() {
        return None;
    }
    if !report.unsealed.is_empty() && lines.len() == report.unsealed.len() {
        let text = format!("the AMI of `{image}` is not sealed: {}", lines.join("; "));
        let hint = "seal.sh of its platform must remove or empty these files; compare a template that overrides it";
        return Some(Error::new(Kind::ChecksFailed, text).hint(hint));
    }
    let text = format!(
        "{} of {} {} checks of `{image}` failed: {}",
        lines.len(),
        report.verdicts.len(),
        phase.as_str(),
        lines.join("; ")
    );
    let file = steps.workspace.root().join(reports::file(
        image.as_str(),
        crate::report::Format::Json,
        phase,
    ));
    Some(Error::new(Kind::ChecksFailed, text).hint(format!("the evidence is {}", file.display())))
}
