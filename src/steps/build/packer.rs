//! Runs a Packer build: renders, validates and builds. Its undo removes the remains of a failed
//! build.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::discard::{ami_key, deregister_candidate, find_by_name};
use super::login_failure::{connect_failure, login_failure, rights_failure};
use super::script_failure::{failed_script, script_failure};
use crate::catalog::Image;
use crate::checks::Phase;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result, omit_encoded_details};
use crate::model::{Ami, AmiId, ImageName, Tags, Version};
use crate::plan::{AmiRef, Step, StepId, StepName};
use crate::ports::{BuildJob, BuildOutcome, BuilderError, ImageQuery, Secret};
use crate::render::packer::{RENDERED, RunValues, files};
use crate::steps::access::boot;
use crate::steps::context::{StepEffect, Steps};

/// File in the build folder in which a program started by Packer reports its error for the user.
pub const FAILED: &str = "failed.txt";

/// Build of an AMI with Packer.
pub(in crate::steps) struct Build<'s> {
    pub(in crate::steps) image: &'s ImageName,
    pub(in crate::steps) version: &'s Version,
    pub(in crate::steps) ami_name: &'s str,
    pub(in crate::steps) base: &'s AmiRef,
    pub(in crate::steps) tags: &'s Tags,
}

#[async_trait]
impl StepEffect for Build<'_> {
    async fn probe(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<Option<StepOutput>> {
        let found = find_by_name(steps, step, self.ami_name)
            .await?
            .filter(|a| a.status == "available");
        let base = context.outputs.ami(self.base)?;
        Ok(found.map(|ami| StepOutput::Build {
            ami: ami.id,
            base,
            log: None,
        }))
    }

    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let base = context.outputs.ami(self.base)?;
        let job = prepare(steps, step, self, &base, context).await?;
        steps
            .builder
            .validate(&job)
            .await
            .map_err(|e| build_error(e, &job))?;
        let outcome = steps
            .builder
            .build(&job, &context.cancel, context.note)
            .await
            .map_err(|e| build_error(e, &job))?;
        record_instance(steps, step, self.image, &outcome);
        crate::steps::check::reports::write_all(
            steps,
            &step.scope,
            self.image,
            Phase::Build,
            context,
        );
        if outcome.cancelled {
            return Err(Error::new(
                ErrorKind::Interrupted,
                "cancelled; Packer removed its temporary resources",
            ));
        }
        match outcome
            .artifacts
            .iter()
            .find(|(region, _)| *region == step.region)
        {
            Some((_, ami)) if outcome.code == Some(0) => {
                steps.creations.record(
                    ami_key(step, self.ami_name),
                    Some(ami.0.clone()),
                    steps.clock.now(),
                );
                Ok(StepOutput::Build {
                    ami: ami.clone(),
                    base,
                    log: Some(job.log),
                })
            }
            _ => Err(failure_error(steps, self, &outcome, &job)),
        }
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self {
            image, ami_name, ..
        } = *self;
        // An instance that cannot be terminated does not keep the AMI, which does not depend on it.
        let instances = boot::terminate_all(steps, step, image, None).await;
        let images = deregister_candidate(steps, step, ami_name).await;
        match (instances, images) {
            (Err(one), Err(other)) => Err(Error::new(
                ErrorKind::Stuck,
                format!("{}; {}", one.one_line(), other.one_line()),
            )),
            (one, other) => one.and(other),
        }
    }
}

/// Records the instance that a failed build may have left. Directly after the launch, EC2 answers
/// Packer that the instance does not exist, and lists omit it, so the undo searches for it.
fn record_instance(steps: &Steps, step: &Step, image: &ImageName, outcome: &BuildOutcome) {
    let has_ended = outcome.code == Some(0) && !outcome.artifacts.is_empty();
    // Packer does not report the ID if it is stopped during the call.
    let is_unknown = outcome.launched && (outcome.cancelled || outcome.code.is_none());
    if has_ended || outcome.instance.is_none() && !is_unknown {
        return;
    }
    let id = outcome.instance.as_ref().map(|id| id.0.clone());
    let key = boot::instance_key(step, image);
    steps.creations.record(key, id, steps.clock.now());
}

async fn prepare(
    steps: &Steps,
    step: &Step,
    build: &Build<'_>,
    base: &AmiId,
    context: &StepContext<'_>,
) -> Result<BuildJob> {
    let image =
        steps.catalog.images.get(build.image).ok_or_else(|| {
            Error::input(format!("image `{}` is not in the catalog", build.image))
        })?;
    let base_ami = describe_base(steps, step, base).await?;
    let folder = format!("{}/packer", step.scope);
    let request = crate::steps::check::controls::write_request(steps, image, Phase::Build)?;
    let key_file = steps
        .workspace
        .root()
        .join(crate::steps::access::credentials::key_file(&step.scope));
    let values = RunValues {
        region: step.region.to_string(),
        base_ami: base.to_string(),
        ami_name: build.ami_name.to_owned(),
        tags: build.tags.clone(),
        run_tags: steps.temporary_tags(&step.scope),
        key_name: context
            .outputs
            .key_pair(&StepId::new(step.scope.clone(), StepName::Key))?,
        key_file: key_file.display().to_string(),
        group: context
            .outputs
            .group(&StepId::new(step.scope.clone(), StepName::Group))?,
        root_device: base_ami.root_device,
        other_devices: base_ami.other_devices,
        kms_key: steps.catalog.settings.build_key().map(str::to_owned),
        endpoint: steps.endpoint.clone(),
        poll_seconds: steps.poll_seconds(),
        user_data: image
            .platform
            .deadline(crate::plan::release::EXPIRES.as_hours()),
        environment: build_environment(steps, build),
        program: steps.program.display().to_string(),
        check_request: request.display().to_string(),
        packer: steps.builder.version().await.map_err(input_error)?,
    };
    let rendered = files(&steps.catalog, image, &values).map_err(|e| {
        Error::input(format!("image `{}` cannot be rendered", build.image)).because(e)
    })?;
    for (name, content) in &rendered {
        let written = steps
            .workspace
            .write(&format!("{folder}/{name}"), content, false);
        written.map_err(|e| {
            Error::new(ErrorKind::StepFailed, "the build folder cannot be written").because(e)
        })?;
    }
    let key = steps
        .workspace
        .read(&crate::steps::access::credentials::key_file(&step.scope))
        .unwrap_or_default();
    Ok(BuildJob {
        dir: steps.workspace.root().join(folder),
        template: RENDERED.to_owned(),
        log: steps
            .workspace
            .root()
            .join(format!("{}/packer.log", step.scope)),
        secrets: vec![Secret::new(String::from_utf8_lossy(&key).trim())],
        keep_failed: steps.keep_failed,
    })
}

/// Returns the description of the base AMI. The query accepts any owner, because a vendor owns most
/// base AMIs.
async fn describe_base(steps: &Steps, step: &Step, base: &AmiId) -> Result<Ami> {
    let query = ImageQuery {
        ids: vec![base.clone()],
        owners: vec!["*".to_owned()],
        ..ImageQuery::default()
    };
    let found = steps
        .cloud
        .images(&step.region, &query)
        .await?
        .into_iter()
        .next();
    found.ok_or_else(|| {
        Error::new(
            ErrorKind::StepFailed,
            format!("base AMI {base} does not exist in {}", step.region),
        )
    })
}

fn build_environment(steps: &Steps, build: &Build<'_>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::from([
        (
            "BAKELINE_CATALOG".to_owned(),
            steps.catalog.settings.name.to_string(),
        ),
        (
            "BAKELINE_IMAGE".to_owned(),
            build.image.published().to_owned(),
        ),
        ("BAKELINE_VERSION".to_owned(), build.version.to_string()),
        ("BAKELINE_RUN".to_owned(), steps.run.to_string()),
    ]);
    if let Some(commit) = &steps.commit {
        out.insert("BAKELINE_COMMIT".to_owned(), commit.clone());
    }
    out
}

fn input_error(error: BuilderError) -> Error {
    let refused = Error::input(error.message);
    match error.hint {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
}

fn build_error(error: BuilderError, job: &BuildJob) -> Error {
    let folder = format!("the rendered build is in {}", job.dir.display());
    input_error(error).hint(folder)
}

/// Returns the error of a failed build. The results of its own checks come first, because Packer's
/// error then only repeats them.
fn failure_error(
    steps: &Steps,
    build: &Build<'_>,
    outcome: &BuildOutcome,
    job: &BuildJob,
) -> Error {
    let log = format!("the complete log is {}", job.log.display());
    if let Some(failed) = crate::steps::check::controls::failure(steps, build.image, Phase::Build) {
        return failed.hint(log);
    }
    if let Some(why) = steps
        .workspace
        .read(&format!("{}/packer/{FAILED}", build.image))
    {
        return Error::new(
            ErrorKind::StepFailed,
            String::from_utf8_lossy(&why).into_owned(),
        )
        .hint(log);
    }
    let lines = informative_lines(&outcome.errors);
    if let Some(failed) = script_failure(steps, build.image, &lines) {
        return failed.hint(log);
    }
    let image = steps.catalog.images.get(build.image);
    let of_login = |one: &Image| {
        login_failure(&steps.catalog, one, &lines)
            .or_else(|| rights_failure(one, &lines))
            .or_else(|| connect_failure(&one.builder(&steps.catalog.settings), &lines))
    };
    if let Some(failed) = image.and_then(of_login) {
        return failed.hint(log);
    }
    let messages = lines
        .iter()
        .rev()
        .take(3)
        .rev()
        .copied()
        .collect::<Vec<_>>()
        .join(" | ");
    let status = match (outcome.code, outcome.artifacts.is_empty()) {
        (Some(0), _) => "Packer succeeded but reported no AMI".to_owned(),
        (Some(code), _) => match failed_script(steps, build.image) {
            Some(script) => format!("Packer exited {code} in `{script}`"),
            None => format!("Packer exited {code}"),
        },
        (None, _) => "Packer was killed".to_owned(),
    };
    let text = if messages.is_empty() {
        status
    } else {
        format!("{status}: {messages}")
    };
    // The log contains the encoded details.
    let (text, _) = omit_encoded_details(&text);
    Error::new(ErrorKind::StepFailed, text).hint(log)
}

/// Returns the error lines without Packer's own summary, or all lines if nothing else remains. The
/// last lines of a script are more useful than the summary.
fn informative_lines(errors: &[String]) -> Vec<&str> {
    let is_summary = |text: &&str| {
        // With `-on-error=abort`, Packer reports each step (packer-plugin-sdk, `multistep_runner.go`).
        let is_abort = text.starts_with("aborted: skipping cleanup of step")
            || text.starts_with("Step \"") && text.ends_with("failed, aborting...");
        is_abort
            || [
                "Script exited with non-zero exit status",
                "Some builds didn't complete",
                "Build 'amazon-ebs.",
                "Provisioning step had errors",
            ]
            .iter()
            .any(|words| text.contains(words))
    };
    let all: Vec<&str> = errors
        .iter()
        .map(|e| strip_prefix(e))
        .filter(|e| !e.is_empty())
        .collect();
    let specific: Vec<&str> = all
        .iter()
        .copied()
        .filter(|text| !is_summary(text))
        .collect();
    if specific.is_empty() { all } else { specific }
}

fn strip_prefix(text: &str) -> &str {
    let text = text.trim().trim_start_matches("==> ");
    match text.split_once(':') {
        Some((name, rest)) if name.starts_with("amazon-ebs.") => rest.trim_start(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::informative_lines;

    #[test]
    fn reason_of_a_script_precedes_the_summary_of_packer() {
        let errors = [
            "==> amazon-ebs.web: E: package `nginy` is unknown, aborting...",
            "==> amazon-ebs.web: Step \"StepProvision\" failed, aborting...",
            "==> amazon-ebs.web: aborted: skipping cleanup of step \"StepConnect\"",
            "==> amazon-ebs.web: aborted: skipping cleanup of step \"StepNetworkInfo\"",
            "Build 'amazon-ebs.web' errored after 9 seconds: Script exited with non-zero exit status: 1",
        ]
        .map(str::to_owned);
        assert_eq!(
            informative_lines(&errors),
            ["E: package `nginy` is unknown, aborting..."]
        );
        assert_eq!(
            informative_lines(&errors[2..4]),
            [
                "aborted: skipping cleanup of step \"StepConnect\"",
                "aborted: skipping cleanup of step \"StepNetworkInfo\""
            ],
            "nothing more specific"
        );
    }
}
