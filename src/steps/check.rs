//! Owns running controls against a machine: one collection over SSH, the judgement, and the evidence left of both.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Steps, text_of};
use crate::catalog::{Access, Image};
use crate::checks::{self, CollectOptions, Control, Outcome, Phase, Verdict};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::model::ImageName;
use crate::plan::{Step, StepId};
use crate::ports::{Shell, Target};

/// How long a fresh instance may take to let us in.
const PATIENCE: Duration = Duration::from_secs(300);

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
}

/// What was found, and what it means; the evidence file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckReport {
    /// The image.
    pub image: ImageName,
    /// The phase.
    pub phase: Phase,
    /// One verdict for each control of the phase.
    pub verdicts: Vec<Verdict>,
    /// What they were judged from.
    pub facts: serde_json::Value,
}

impl CheckReport {
    /// The verdicts that keep the image from being released.
    pub fn bad(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|v| matches!(v.outcome, Outcome::Failed | Outcome::Error))
    }
}

/// Writes the request for the build-phase checks of one image and returns its path.
pub(super) fn request(steps: &Steps, image: &Image, phase: Phase) -> Result<PathBuf> {
    let root = steps.workspace.root();
    let request = CheckRequest {
        image: image.name.clone(),
        phase,
        controls: steps.catalog.controls(&image.name).into_iter().cloned().collect(),
        user: image.platform.login_user().to_owned(),
        key: root.join(super::access::key_file(image.name.as_str())),
        known_hosts: root.join(format!("{}/known_hosts.{}", image.name, phase.as_str())),
        ssm: steps.catalog.settings.builder.access == Access::Ssm,
        evidence: root.join(evidence_file(&image.name, phase)),
    };
    let text = serde_json::to_vec_pretty(&request)
        .map_err(|e| Error::new(Kind::StepFailed, "the check request can't be written").because(e))?;
    let path = steps.workspace.write(&format!("{}/check-{}.request.json", image.name, phase.as_str()), &text, false);
    path.map_err(|e| Error::new(Kind::StepFailed, "the check request can't be written").because(e))
}

/// An instance of this run by its address or, through SSM, its id.
pub(super) fn target(steps: &Steps, image: &Image, host: &str, what: &str) -> Target {
    let root = steps.workspace.root();
    Target {
        host: host.to_owned(),
        port: 22,
        user: image.platform.login_user().to_owned(),
        key: root.join(super::access::key_file(image.name.as_str())),
        known_hosts: root.join(format!("{}/known_hosts.{what}", image.name)),
        ssm: steps.catalog.settings.builder.access == Access::Ssm,
    }
}

/// The evidence of a phase in the run directory.
#[must_use]
pub fn evidence_file(image: &ImageName, phase: Phase) -> String {
    format!("{image}/checks-{}.json", phase.as_str())
}

/// Collects and judges: the one way, inside a build and on a booted instance.
///
/// # Errors
/// The machine can't be reached, or the collection came back incomplete.
pub async fn run(
    shell: &dyn Shell,
    request: &CheckRequest,
    host: &str,
    port: u16,
    cancel: &CancellationToken,
) -> Result<CheckReport> {
    let target = Target {
        host: host.to_owned(),
        port,
        user: request.user.clone(),
        key: request.key.clone(),
        known_hosts: request.known_hosts.clone(),
        ssm: request.ssm,
    };
    let nonce = nonce(&target, request);
    let controls: Vec<&Control> = request.controls.iter().collect();
    let script = checks::collector(&controls, CollectOptions { nonce: &nonce, root: None, phase: request.phase });
    let out = shell.run(&target, &script, PATIENCE, cancel).await;
    let kind = || if cancel.is_cancelled() { Kind::Interrupted } else { Kind::StepFailed };
    let out = out.map_err(|e| {
        Error::new(kind(), format!("the {} checks of `{}` could not run", request.phase.as_str(), request.image))
            .because(e)
    })?;
    let facts = checks::parse(&nonce, &out).map_err(|e| {
        Error::new(Kind::StepFailed, format!("the facts of `{}` are incomplete", request.image)).because(e)
    })?;
    let verdicts = checks::judge(&controls, &facts, request.phase);
    let facts = serde_json::to_value(&facts).unwrap_or_default();
    Ok(CheckReport { image: request.image.clone(), phase: request.phase, verdicts, facts })
}

/// Tells our frames from whatever else a login prints; unguessable enough for mistakes, which is what checks catch.
fn nonce(target: &Target, request: &CheckRequest) -> String {
    let text = format!("{} {} {:?} {}", target.host, target.port, request.evidence, std::process::id());
    format!("{:x}", Sha256::digest(text.as_bytes())).chars().take(16).collect()
}

pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<Value> {
    let known = steps.catalog.images.get(image).ok_or_else(|| Error::input(format!("no image `{image}`")))?;
    let path = request(steps, known, Phase::Boot)?;
    let request: CheckRequest = steps
        .workspace
        .read(&format!("{image}/check-boot.request.json"))
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| Error::new(Kind::StepFailed, format!("{} can't be read back", path.display())))?;
    let key = if request.ssm { "instance" } else { "address" };
    let host = text_of(&context.outputs, boot, key)?;
    let report = run(&*steps.shell, &request, &host, 22, &context.cancel)
        .await
        .map_err(|e| e.hint(format!("instance {} of {}", host, step.region)))?;
    save(steps, &report)?;
    match failed(steps, image, Phase::Boot) {
        Some(error) => Err(error),
        None => Ok(json!({ "summary": checks::summary(&report.verdicts).line(), "evidence": request.evidence })),
    }
}

fn save(steps: &Steps, report: &CheckReport) -> Result<()> {
    let text = serde_json::to_vec_pretty(report).unwrap_or_default();
    let written = steps.workspace.write(&evidence_file(&report.image, report.phase), &text, false);
    written.map(drop).map_err(|e| Error::new(Kind::StepFailed, "the evidence can't be written").because(e))
}

/// The failed controls in the evidence of a phase, as an error with expected and actual.
pub(super) fn failed(steps: &Steps, image: &ImageName, phase: Phase) -> Option<Error> {
    let bytes = steps.workspace.read(&evidence_file(image, phase))?;
    let report: CheckReport = serde_json::from_slice(&bytes).ok()?;
    let lines: Vec<String> = report.bad().map(Verdict::line).collect();
    if lines.is_empty() {
        return None;
    }
    let text = format!(
        "{} of {} {} checks of `{image}` failed: {}",
        lines.len(),
        report.verdicts.len(),
        phase.as_str(),
        lines.join("; ")
    );
    let hint = format!("the evidence is {}", steps.workspace.root().join(evidence_file(image, phase)).display());
    Some(Error::new(Kind::ChecksFailed, text).hint(hint))
}
