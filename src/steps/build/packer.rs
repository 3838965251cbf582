//! Runs a Packer build: renders, validates and builds. Its undo removes the remains of a failed
//! build.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::discard::{ami_key, deregister_candidate, find_by_name};
use super::failure::{explain_denials, failure_error, launch_refusal};
use super::watch::{refusal_error, wait_for_refusal};
use crate::catalog::{Image, Placement};
use crate::checks::Phase;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Ami, AmiId, ImageName, Tags, Version};
use crate::plan::{AmiRef, Step, StepId, StepName};
use crate::ports::{BuildJob, BuildOutcome, BuilderError, CloudError, ImageQuery, Secret};
use crate::render::packer::{RENDERED, RunValues, files};
use crate::steps::access::boot;
use crate::steps::access::placement::PlacementSearch;
use crate::steps::check::controls::evidence_file;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::store::run_files::keep_file;

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
            instance_type: None,
            subnet: None,
        }))
    }

    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let base = context.outputs.ami(self.base)?;
        let image = require_image(steps, self)?;
        let mut search = PlacementSearch::new(steps, step);
        let mut values = prepare(steps, step, self, image, &base, context).await?;
        let (job, outcome) = loop {
            values.placement = search.next()?;
            let job = write_job(steps, step, image, &values)?;
            let (outcome, refused) = run_packer(steps, step, self.image, &job, context).await?;
            record_instance(steps, step, self.image, &outcome);
            if let Some(error) = refused.filter(|_| !outcome.has_ami()) {
                return Err(refusal_error(error).hint(job.log_hint()));
            }
            let refusal = launch_refusal(&outcome.errors)
                .filter(|_| !outcome.was_stopped() && outcome.artifacts.is_empty());
            match refusal {
                Some(refusal) if outcome.code != Some(0) => {
                    (context.note)(&search.refuse(values.placement.clone(), refusal));
                }
                _ => break (job, outcome),
            }
        };
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
        if outcome.timed_out {
            return Err(timeout_error(&job));
        }
        match outcome
            .artifacts
            .iter()
            .find(|(region, _)| *region == step.region)
        {
            Some((_, ami)) if outcome.code == Some(0) => {
                let evidence = evidence_file(self.image.as_str(), Phase::Build);
                keep_file(steps, &evidence, context).await;
                steps.creations.record(
                    ami_key(step, self.ami_name),
                    Some(ami.0.clone()),
                    steps.clock.now(),
                );
                let Placement {
                    instance_type,
                    subnet,
                } = values.placement;
                Ok(StepOutput::Build {
                    ami: ami.clone(),
                    base,
                    log: Some(job.log),
                    instance_type: Some(instance_type),
                    subnet,
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
    // Packer does not report the ID if it is stopped during the call.
    let is_unknown = outcome.launched && (outcome.was_stopped() || outcome.code.is_none());
    if outcome.has_ami() || outcome.instance.is_none() && !is_unknown {
        return;
    }
    let id = outcome.instance.as_ref().map(|id| id.0.clone());
    let key = boot::instance_key(step, image);
    steps.creations.record(key, id, steps.clock.now());
}

/// Returns the error of a build that was stopped after its timeout.
fn timeout_error(job: &BuildJob) -> Error {
    let limit = jiff::SignedDuration::try_from(job.timeout).unwrap_or_default();
    Error::new(
        ErrorKind::StepFailed,
        format!("the build did not end within {limit:#} (`builder.timeout`)"),
    )
    .hint(format!(
        "find what it waited for at the end of {}; raise `builder.timeout` if the build needs more time",
        job.log.display()
    ))
}

fn require_image<'s>(steps: &'s Steps, build: &Build<'_>) -> Result<&'s Image> {
    let image = steps.catalog.images.get(build.image);
    image.ok_or_else(|| Error::input(format!("image `{}` is not in the catalog", build.image)))
}

/// Validates and runs a build. Also returns the error of a build that was ended because EC2 refuses
/// all calls.
async fn run_packer(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    job: &BuildJob,
    context: &StepContext<'_>,
) -> Result<(BuildOutcome, Option<CloudError>)> {
    let valid = steps.builder.validate(job).await;
    valid.map_err(|e| build_error(e, job))?;
    let build = steps.builder.build(job, &context.cancel, context.note);
    tokio::pin!(build);
    let (outcome, refused) = tokio::select! {
        outcome = &mut build => (outcome, None),
        error = wait_for_refusal(steps, step, image.as_str()) => {
            (context.note)("EC2 refuses all calls, Packer is ended");
            job.kill.cancel();
            (build.await, Some(error))
        }
    };
    let mut outcome = outcome.map_err(|e| build_error(e, job))?;
    if refused.is_none() {
        explain_denials(steps, &step.region, &mut outcome.errors).await;
    }
    Ok((outcome, refused))
}

/// Returns the values of the template. The caller sets the instance type and the subnet.
async fn prepare(
    steps: &Steps,
    step: &Step,
    build: &Build<'_>,
    image: &Image,
    base: &AmiId,
    context: &StepContext<'_>,
) -> Result<RunValues> {
    let base_ami = describe_base(steps, step, base).await?;
    let request = crate::steps::check::controls::write_request(steps, image, Phase::Build)?;
    let key_file = steps
        .workspace
        .root()
        .join(crate::steps::access::credentials::key_file(&step.scope));
    Ok(RunValues {
        region: step.region.to_string(),
        placement: Placement::default(),
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
    })
}

/// Renders the files of a build into the run directory.
fn write_job(steps: &Steps, step: &Step, image: &Image, values: &RunValues) -> Result<BuildJob> {
    let folder = format!("{}/packer", step.scope);
    let rendered = files(&steps.catalog, image, values).map_err(|e| {
        Error::input(format!("image `{}` cannot be rendered", image.name)).because(e)
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
        timeout: steps.builder_of(&step.scope).timeout.unsigned_abs(),
        kill: CancellationToken::new(),
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
