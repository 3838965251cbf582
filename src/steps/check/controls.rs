//! Runs controls against a machine: collects facts over SSH, judges them, and writes the evidence.

use std::fmt::Display;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::control_hints::control_hints;
use crate::catalog::Image;
use crate::checks::{self, Control, Facts, Gate, Phase, Verdict};
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ImageName, Region, Timestamp, count};
use crate::plan::{Step, StepId};
use crate::ports::{HostKeyPolicy, ScriptLimits, Shell, SshConfig, SshTarget};
use crate::steps::check::collect::{SshFacts, collect_from_instance};
use crate::steps::check::reports;
use crate::steps::check::retry::JudgedFacts;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::store::run_files::keep_file;

/// Input of `bakeline check-build`, which checks an instance during a Packer build.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckRequest {
    /// Image.
    pub image: ImageName,
    /// Phase.
    pub phase: Phase,
    /// Controls of the image and its ancestors.
    pub controls: Vec<Control>,
    /// Login user.
    pub user: String,
    /// Path of the private key.
    pub key: PathBuf,
    /// Path of the known-hosts file.
    pub known_hosts: PathBuf,
    /// Path of the evidence file.
    pub evidence: PathBuf,
    /// Gate that decides which failures count.
    pub gate: Gate,
}

/// Content of the evidence file: facts and verdicts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckReport {
    /// Image.
    pub image: ImageName,
    /// Phase.
    pub phase: Phase,
    /// Duration of the collection in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// Verdict of each control of the phase.
    pub verdicts: Vec<Verdict>,
    /// Facts on which the verdicts are based.
    pub facts: Value,
    /// Parts of the builder's identity that the instance still has, one line each. They fail the
    /// image regardless of its profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsealed: Vec<String>,
}

impl CheckReport {
    /// Returns the verdicts that block the release, one line each. Waivers apply as of `now`.
    #[must_use]
    pub fn blocking_lines(&self, gate: Gate, now: Timestamp) -> Vec<String> {
        let counts = |v: &&Verdict| gate.status(v, utc_date(now)).fails();
        self.verdicts
            .iter()
            .filter(counts)
            .map(Verdict::line)
            .chain(self.unsealed.iter().cloned())
            .collect()
    }

    /// Returns the number of verdicts by status, in one line.
    #[must_use]
    pub fn summary(&self, gate: Gate, now: Timestamp) -> String {
        gate.counts(&self.verdicts, utc_date(now)).line()
    }
}

/// Boot checks of a new AMI.
pub(in crate::steps) struct CheckBoot<'a> {
    pub(in crate::steps) image: &'a ImageName,
    pub(in crate::steps) instance: &'a StepId,
}

#[async_trait]
impl StepEffect for CheckBoot<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            image,
            instance: boot,
        } = *self;
        let output = run_boot_checks(steps, step, image, boot, context).await?;
        keep_file(steps, &evidence_file(image.as_str(), Phase::Boot), context).await;
        Ok(output)
    }
}

/// Returns the day in UTC, on which waivers end.
fn utc_date(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Writes the request for the build-phase checks of an image and returns its path.
pub(in crate::steps) fn write_request(
    steps: &Steps,
    image: &Image,
    phase: Phase,
) -> Result<PathBuf> {
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
        user: image.login_user().to_owned(),
        key: root.join(crate::steps::access::credentials::key_file(
            image.name.as_str(),
        )),
        known_hosts: root.join(format!("{}/known_hosts.{}", image.name, phase.as_str())),
        evidence: root.join(evidence_file(image.name.as_str(), phase)),
        gate: steps.catalog.settings.gate,
    };
    let text = serde_json::to_vec_pretty(&request).map_err(|e| {
        Error::new(ErrorKind::StepFailed, "the check request cannot be written").because(e)
    })?;
    let path = steps.workspace.write(
        &format!("{}/check-{}.request.json", image.name, phase.as_str()),
        &text,
        true,
    );
    path.map_err(|e| {
        Error::new(ErrorKind::StepFailed, "the check request cannot be written").because(e)
    })
}

/// Returns the path of the evidence file of a phase in the run directory.
#[must_use]
pub fn evidence_file(scope: impl Display, phase: Phase) -> String {
    format!("{scope}/facts-{}.json", phase.as_str())
}

/// Checks an instance during a build. Packer has logged in before, so the first host key is trusted
/// and must stay the same.
///
/// # Errors
/// Fails like [`SshFacts::collect`].
pub async fn check_build_instance(
    shell: &dyn Shell,
    request: &CheckRequest,
    host: &str,
    port: u16,
    cancel: &CancellationToken,
) -> Result<CheckReport> {
    let target = SshTarget {
        host: host.to_owned(),
        port: Some(port),
        user: Some(request.user.clone()),
        key: Some(request.key.clone()),
        known_hosts: Some(request.known_hosts.clone()),
        trust: HostKeyPolicy::AcceptNew,
        config: SshConfig::Isolated,
        // With `access: ssm`, host and port are those of the session that Packer opened.
        ssm: None,
    };
    let controls: Vec<&Control> = request.controls.iter().collect();
    let source = SshFacts {
        shell,
        target: &target,
        controls: &controls,
        phase: request.phase,
        limits: ScriptLimits::NEW_INSTANCE,
        cancel,
    };
    let (facts, took) = source
        .collect()
        .await
        .map_err(|e| check_error(e, request.phase, &request.image, cancel))?;
    let verdicts = checks::judge(&controls, &facts, request.phase);
    let judged = JudgedFacts {
        facts,
        verdicts,
        took,
    };
    Ok(check_report(&request.image, request.phase, judged))
}

fn check_report(image: &ImageName, phase: Phase, judged: JudgedFacts) -> CheckReport {
    CheckReport {
        image: image.clone(),
        phase,
        seconds: judged.took.as_secs_f64(),
        verdicts: judged.verdicts,
        facts: serde_json::to_value(&judged.facts).unwrap_or_default(),
        unsealed: Vec::new(),
    }
}

fn check_error(error: Error, phase: Phase, image: &ImageName, cancel: &CancellationToken) -> Error {
    let kind = if cancel.is_cancelled() {
        ErrorKind::Interrupted
    } else {
        ErrorKind::StepFailed
    };
    Error::new(
        kind,
        format!("the {} checks of `{image}` could not run", phase.as_str()),
    )
    .because(error)
}

/// Runs the boot-phase controls on a test instance and writes the evidence and the reports.
pub(in crate::steps) async fn run_boot_checks(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<StepOutput> {
    let definition = steps
        .catalog
        .images
        .get(image)
        .ok_or_else(|| Error::input(format!("image `{image}` is not in the catalog")))?;
    let controls = steps.catalog.controls(image);
    let (judged, host) = collect_from_instance(
        steps,
        step,
        definition.login_user(),
        &controls,
        boot,
        context,
    )
    .await
    .map_err(|e| check_error(e, Phase::Boot, image, &context.cancel))?;
    let unsealed = build_facts(steps, image)
        .map(|build| checks::leftover_identity(&build, &judged.facts))
        .unwrap_or_default();
    let report = CheckReport {
        unsealed,
        ..check_report(image, Phase::Boot, judged)
    };
    write_evidence(steps, image.as_str(), &report)?;
    reports::write_all(steps, &step.scope, image, Phase::Boot, context);
    match failure(steps, image, Phase::Boot) {
        Some(error) => Err(error.hint(instance_hint(steps, &host, &step.region))),
        None => {
            let evidence = steps
                .workspace
                .root()
                .join(evidence_file(image.as_str(), Phase::Boot));
            Ok(StepOutput::Checks {
                summary: report.summary(steps.catalog.settings.gate, steps.clock.now()),
                evidence,
            })
        }
    }
}

/// Returns the facts of the build instance if this run built the image.
fn build_facts(steps: &Steps, image: &ImageName) -> Option<Facts> {
    serde_json::from_value(load_evidence(steps, image.as_str(), Phase::Build)?.facts).ok()
}

fn write_evidence(steps: &Steps, scope: impl Display, report: &CheckReport) -> Result<()> {
    let text = serde_json::to_vec_pretty(report).unwrap_or_default();
    let written = steps
        .workspace
        .write(&evidence_file(scope, report.phase), &text, true);
    written
        .map(drop)
        .map_err(|e| Error::new(ErrorKind::StepFailed, "the evidence cannot be written").because(e))
}

/// Reads the evidence of a phase from the run directory.
pub(in crate::steps) fn load_evidence(
    steps: &Steps,
    scope: impl Display,
    phase: Phase,
) -> Option<CheckReport> {
    serde_json::from_slice(&steps.workspace.read(&evidence_file(scope, phase))?).ok()
}

/// Returns the hint about the instance of a failed check, which is terminated without `--keep-failed`.
fn instance_hint(steps: &Steps, host: &str, region: &Region) -> String {
    match steps.keep_failed {
        true => format!("instance {host} of {region}"),
        false => "`bakeline release --keep-failed` keeps the instance of a failed check".to_owned(),
    }
}

/// Returns the failed controls of a phase as an error with expected and actual values.
pub(in crate::steps) fn failure(steps: &Steps, image: &ImageName, phase: Phase) -> Option<Error> {
    let report = load_evidence(steps, image.as_str(), phase)?;
    let lines = report.blocking_lines(steps.catalog.settings.gate, steps.clock.now());
    if lines.is_empty() {
        return None;
    }
    if !report.unsealed.is_empty() && lines.len() == report.unsealed.len() {
        let text = format!("the AMI of `{image}` is not sealed: {}", lines.join("; "));
        let hint = "seal.sh of the platform must remove or empty these files; \
                    check the catalog template that overrides it";
        return Some(Error::new(ErrorKind::ChecksFailed, text).hint(hint));
    }
    let text = format!(
        "{} of {} of `{image}` failed: {}",
        lines.len(),
        count(report.verdicts.len(), &format!("{} check", phase.as_str())),
        lines.join("; ")
    );
    let file = steps.workspace.root().join(reports::report_file(
        image.as_str(),
        crate::report::Format::Json,
        phase,
    ));
    let (gate, day) = (steps.catalog.settings.gate, utc_date(steps.clock.now()));
    let failed = report
        .verdicts
        .iter()
        .filter(|v| gate.status(v, day).fails());
    let hints = control_hints(&steps.catalog, image, failed.map(|v| v.control.as_str()));
    let error = Error::new(ErrorKind::ChecksFailed, text);
    let error = hints.into_iter().fold(error, Error::hint);
    Some(error.hint(format!("the evidence is {}", file.display())))
}
