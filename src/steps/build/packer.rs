//! Runs a Packer build: renders, validates and builds. Its undo removes the remains of a failed
//! build.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::checks::Phase;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, ImageName, State, Tags, Version, pointer_name};
use crate::plan::{AmiRef, Step, StepId, StepName};
use crate::ports::{BuildJob, BuildOutcome, BuilderError, CloudErrorKind, ImageQuery, Secret};
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

/// Returns the AMI of this name in any state. The name contains the run ID, so the AMI belongs to
/// this run.
async fn find_by_name(steps: &Steps, step: &Step, ami_name: &str) -> Result<Option<Ami>> {
    let query = ImageQuery {
        name: Some(ami_name.to_owned()),
        ..ImageQuery::default()
    };
    Ok(steps
        .cloud
        .images(&step.region, &query)
        .await?
        .into_iter()
        .find(|a| a.name == ami_name))
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
        crate::steps::check::reports::write_all(
            steps,
            &step.scope,
            self.image,
            Phase::Build,
            context,
        );
        if outcome.cancelled {
            return Err(Error::new(
                Kind::Interrupted,
                "cancelled; Packer removed its temporary resources",
            ));
        }
        match outcome
            .artifacts
            .iter()
            .find(|(region, _)| *region == step.region)
        {
            Some((_, ami)) if outcome.code == Some(0) => Ok(StepOutput::Build {
                ami: ami.clone(),
                base,
                log: Some(job.log),
            }),
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
                Kind::Stuck,
                format!("{}; {}", one.one_line(), other.one_line()),
            )),
            (one, other) => one.and(other),
        }
    }
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
        endpoint: steps.endpoint.clone(),
        poll_seconds: if steps.endpoint.is_some() { 1 } else { 5 },
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
            Error::new(Kind::StepFailed, "the build folder cannot be written").because(e)
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
            Kind::StepFailed,
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
        ("BAKELINE_IMAGE".to_owned(), build.image.to_string()),
        ("BAKELINE_VERSION".to_owned(), build.version.to_string()),
        ("BAKELINE_RUN".to_owned(), steps.run.to_string()),
    ]);
    if let Some(commit) = &steps.commit {
        out.insert("BAKELINE_COMMIT".to_owned(), commit.clone());
    }
    out
}

fn input_error(error: BuilderError) -> Error {
    let find_by_name = Error::input(error.message);
    match error.hint {
        Some(hint) => find_by_name.hint(hint),
        None => find_by_name,
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
        return Error::new(Kind::StepFailed, String::from_utf8_lossy(&why).into_owned()).hint(log);
    }
    let messages = informative_lines(&outcome.errors)
        .iter()
        .rev()
        .take(3)
        .rev()
        .copied()
        .collect::<Vec<_>>()
        .join(" | ");
    let status = match (outcome.code, outcome.artifacts.is_empty()) {
        (Some(0), _) => "Packer succeeded but reported no AMI".to_owned(),
        (Some(code), _) => format!("Packer exited {code}"),
        (None, _) => "Packer was killed".to_owned(),
    };
    let text = if messages.is_empty() {
        status
    } else {
        format!("{status}: {messages}")
    };
    Error::new(Kind::StepFailed, text).hint(log)
}

/// Returns the error lines without Packer's own summary, or all lines if nothing else remains. The
/// last lines of a script are more useful than the summary.
fn informative_lines(errors: &[String]) -> Vec<&str> {
    let is_summary = |text: &&str| {
        [
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

/// Deregistration of an AMI that this run built.
pub(in crate::steps) struct Discard<'a> {
    pub(in crate::steps) ami_name: &'a str,
}

#[async_trait]
impl StepEffect for Discard<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { ami_name } = *self;
        deregister_candidate(steps, step, ami_name).await?;
        Ok(StepOutput::Discarded {
            discarded: ami_name.to_owned(),
        })
    }
}

async fn deregister_candidate(steps: &Steps, step: &Step, ami_name: &str) -> Result<()> {
    let Some(ami) = find_by_name(steps, step, ami_name).await? else {
        return Ok(());
    };
    if let Some(why) = use_reason(steps, step, &ami).await? {
        let text = format!("{} in {} is not deregistered: {why}", ami.id, step.region);
        return Err(Error::new(Kind::Stuck, text).hint(
            "run `bakeline doctor` to compare pointers and tags; \
             then release again, or run `bakeline revoke`",
        ));
    }
    crate::steps::ami::deregister(steps, step, &ami).await
}

/// Returns the reason why an AMI may be in use, if there is one. A candidate, or the AMI of an
/// unfinished build, was never in use. An unfinished AMI has no tags, or those of the build's
/// temporary resources: packer-plugin-amazon sets `run_tags` on the AMI in CreateImage from version
/// 1.1.0 on, and the tags of the AMI last.
async fn use_reason(steps: &Steps, step: &Step, ami: &Ami) -> Result<Option<String>> {
    let tag = |key: &str| ami.tags.get(key).map_or("", String::as_str);
    let unfinished = tag(tags::STATE).is_empty() && tag(tags::CURRENT).is_empty();
    if ami.tags.is_empty() || unfinished && tag(tags::RUN) == steps.run.as_str() {
        return Ok(None);
    }
    if tag(tags::STATE) != State::Candidate.as_str() || !tag(tags::CURRENT).is_empty() {
        let (state, current) = (tag(tags::STATE), tag(tags::CURRENT));
        return Ok(Some(format!(
            "its tags have state {state:?} and current {current:?}"
        )));
    }
    let settings = &steps.catalog.settings;
    if tag(tags::IMAGE).is_empty() {
        return Ok(None); // Pointer names contain the image name.
    }
    let (image, arch) = (
        ImageName::from(tag(tags::IMAGE)),
        tag(tags::ARCH).parse().unwrap_or_default(),
    );
    for env in &settings.environments {
        let pointer = pointer_name(&settings.name, &image, &env.name, arch);
        match steps.cloud.parameter(&step.region, &pointer).await {
            Ok(value) if value.as_deref() == Some(ami.id.as_str()) => {
                return Ok(Some(format!("SSM parameter {pointer} points at it")));
            }
            // A caller without permission to read pointers publishes none either.
            Err(e) if e.kind != CloudErrorKind::Denied => return Err(e.into()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}
