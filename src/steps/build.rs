//! Owns one Packer build: render, validate, build, and what a failed one leaves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Steps, boot, resolve, text_of};
use crate::checks::Phase;
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, ImageName, State, Tags, Version, pointer_name};
use crate::plan::{Action, AmiRef, Step, StepId};
use crate::ports::{BuildJob, BuildOutcome, BuilderError, CloudErrorKind, ImageQuery, Secret};
use crate::render::packer::{RENDERED, RunValues, files};

/// Where a program that Packer calls says what failed: in the build folder, in words for people.
pub const FAILED: &str = "failed.txt";

/// Everything the `Build` action says.
struct Order<'s> {
    image: &'s ImageName,
    version: Version,
    ami_name: &'s str,
    base: &'s AmiRef,
    tags: &'s Tags,
}

fn order(step: &Step) -> Result<Order<'_>> {
    match &step.action {
        Action::Build {
            image,
            version,
            ami_name,
            base,
            tags,
        } => Ok(Order {
            image,
            version: *version,
            ami_name,
            base,
            tags,
        }),
        other => Err(Error::new(
            Kind::StepFailed,
            format!("a defect: {} is no build", other.verb()),
        )),
    }
}

/// The AMI of this name, whatever its state; the name carries the run, so it is this run's.
async fn made(steps: &Steps, step: &Step, ami_name: &str) -> Result<Option<Ami>> {
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

pub(super) async fn probe(
    steps: &Steps,
    step: &Step,
    context: &StepContext<'_>,
) -> Result<Option<Value>> {
    let order = order(step)?;
    let found = made(steps, step, order.ami_name)
        .await?
        .filter(|a| a.status == "available");
    let base = resolve(order.base, &context.outputs)?;
    Ok(found.map(|ami| json!({ "ami": ami.id, "base": base })))
}

pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    context: &StepContext<'_>,
) -> Result<Value> {
    let order = order(step)?;
    let base = resolve(order.base, &context.outputs)?;
    let job = prepare(steps, step, &order, &base, context).await?;
    steps
        .builder
        .validate(&job)
        .await
        .map_err(|e| unusable(e, &job))?;
    let outcome = steps
        .builder
        .build(&job, &context.cancel, context.note)
        .await
        .map_err(|e| unusable(e, &job))?;
    super::reports::write(steps, &step.scope, order.image, Phase::Build, context);
    if outcome.cancelled {
        return Err(Error::new(
            Kind::Interrupted,
            "cancelled; Packer cleaned up",
        ));
    }
    match outcome
        .artifacts
        .iter()
        .find(|(region, _)| *region == step.region)
    {
        Some((_, ami)) if outcome.code == Some(0) => {
            Ok(json!({ "ami": ami, "base": base, "log": job.log }))
        }
        _ => Err(failure(steps, &order, &outcome, &job)),
    }
}

async fn prepare(
    steps: &Steps,
    step: &Step,
    order: &Order<'_>,
    base: &AmiId,
    context: &StepContext<'_>,
) -> Result<BuildJob> {
    let image = steps
        .catalog
        .images
        .get(order.image)
        .ok_or_else(|| Error::input(format!("no image `{}`", order.image)))?;
    let base_ami = base_of(steps, step, base).await?;
    let folder = format!("{}/packer", step.scope);
    let request = super::check::request(steps, image, Phase::Build)?;
    let key_file = steps
        .workspace
        .root()
        .join(super::access::key_file(&step.scope));
    let values = RunValues {
        region: step.region.to_string(),
        base_ami: base.to_string(),
        ami_name: order.ami_name.to_owned(),
        tags: order.tags.clone(),
        run_tags: steps.temporary_tags(&step.scope),
        key_name: text_of(
            &context.outputs,
            &StepId(format!("{}/key", order.image)),
            "key_pair",
        )?,
        key_file: key_file.display().to_string(),
        group: text_of(
            &context.outputs,
            &StepId(format!("{}/group", order.image)),
            "group",
        )?,
        root_device: base_ami.root_device,
        endpoint: steps.endpoint.clone(),
        poll_seconds: if steps.endpoint.is_some() { 1 } else { 5 },
        user_data: image
            .platform
            .deadline(crate::plan::release::EXPIRES.as_hours()),
        environment: environment(steps, order),
        program: steps.program.display().to_string(),
        check_request: request.display().to_string(),
        packer: steps.builder.version().await.map_err(refuse)?,
    };
    let rendered = files(&steps.catalog, image, &values).map_err(|e| {
        Error::input(format!("image `{}` can't be rendered", order.image)).because(e)
    })?;
    for (name, content) in &rendered {
        let written = steps
            .workspace
            .write(&format!("{folder}/{name}"), content, false);
        written.map_err(|e| {
            Error::new(Kind::StepFailed, "the build folder can't be written").because(e)
        })?;
    }
    let key = steps
        .workspace
        .read(&super::access::key_file(&step.scope))
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

/// The base AMI's description; a vendor's AMI is not our own, so its owner is not asked for.
async fn base_of(steps: &Steps, step: &Step, base: &AmiId) -> Result<Ami> {
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
            format!("base AMI {base} is not in {}", step.region),
        )
    })
}

fn environment(steps: &Steps, order: &Order<'_>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::from([
        (
            "BAKELINE_CATALOG".to_owned(),
            steps.catalog.settings.name.to_string(),
        ),
        ("BAKELINE_IMAGE".to_owned(), order.image.to_string()),
        ("BAKELINE_VERSION".to_owned(), order.version.to_string()),
        ("BAKELINE_RUN".to_owned(), steps.run.to_string()),
    ]);
    if let Some(commit) = &steps.commit {
        out.insert("BAKELINE_COMMIT".to_owned(), commit.clone());
    }
    out
}

fn refuse(error: BuilderError) -> Error {
    let made = Error::input(error.message);
    match error.hint {
        Some(hint) => made.hint(hint),
        None => made,
    }
}

fn unusable(error: BuilderError, job: &BuildJob) -> Error {
    let folder = format!("the rendered build is in {}", job.dir.display());
    refuse(error).hint(folder)
}

/// Says why a build failed: its own checks first, because then Packer's error is only their echo.
fn failure(steps: &Steps, order: &Order<'_>, outcome: &BuildOutcome, job: &BuildJob) -> Error {
    let log = format!("the whole log is {}", job.log.display());
    if let Some(failed) = super::check::failed(steps, order.image, Phase::Build) {
        return failed.hint(log);
    }
    if let Some(why) = steps
        .workspace
        .read(&format!("{}/packer/{FAILED}", order.image))
    {
        return Error::new(Kind::StepFailed, String::from_utf8_lossy(&why).into_owned()).hint(log);
    }
    let said = telling(&outcome.errors)
        .iter()
        .rev()
        .take(3)
        .rev()
        .copied()
        .collect::<Vec<_>>()
        .join(" | ");
    let how = match (outcome.code, outcome.artifacts.is_empty()) {
        (Some(0), _) => "Packer ended well but reported no AMI".to_owned(),
        (Some(code), _) => format!("Packer exited {code}"),
        (None, _) => "Packer was killed".to_owned(),
    };
    let text = if said.is_empty() {
        how
    } else {
        format!("{how}: {said}")
    };
    Error::new(Kind::StepFailed, text).hint(log)
}

/// What was said before Packer's own echo of it, if anything was: a script's last words say more than that it failed.
fn telling(errors: &[String]) -> Vec<&str> {
    let echo = |text: &&str| {
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
        .map(|e| plain(e))
        .filter(|e| !e.is_empty())
        .collect();
    let told: Vec<&str> = all.iter().copied().filter(|text| !echo(text)).collect();
    if told.is_empty() { all } else { told }
}

/// Without Packer's `==> amazon-ebs.jdk: ` or `    amazon-ebs.jdk: `.
fn plain(text: &str) -> &str {
    let text = text.trim().trim_start_matches("==> ");
    match text.split_once(':') {
        Some((name, rest)) if name.starts_with("amazon-ebs.") => rest.trim_start(),
        _ => text,
    }
}

/// Removes what a build of this run may have left: instances, and the AMI with its snapshots, tagged or not.
pub(super) async fn undo(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    ami_name: &str,
) -> Result<()> {
    // An instance that can't be ended must not keep the AMI: the one does not need the other any more.
    let instances = boot::undo(steps, step, image, None).await;
    let images = discard(steps, step, ami_name).await;
    match (instances, images) {
        (Err(one), Err(other)) => Err(Error::new(
            Kind::Stuck,
            format!("{}; {}", one.one_line(), other.one_line()),
        )),
        (one, other) => one.and(other),
    }
}

pub(super) async fn throw_away(steps: &Steps, step: &Step, ami_name: &str) -> Result<Value> {
    discard(steps, step, ami_name).await?;
    Ok(json!({ "thrown_away": ami_name }))
}

async fn discard(steps: &Steps, step: &Step, ami_name: &str) -> Result<()> {
    let Some(ami) = made(steps, step, ami_name).await? else {
        return Ok(());
    };
    if let Some(why) = found(steps, step, &ami).await? {
        let text = format!("{} in {} is not thrown away: {why}", ami.id, step.region);
        return Err(Error::new(Kind::Stuck, text).hint(
            "`bakeline doctor` shows what points where; then release again, or withdraw it with `bakeline revoke`",
        ));
    }
    super::tag::deregister(steps, step, &ami).await
}

/// Returns why an AMI may be in use, if so. An AMI that is a candidate, or that its build has not finished, never was. An
/// unfinished one has no tags, or those of the build's temporary resources: packer-plugin-amazon sets `run_tags` on the AMI
/// in CreateImage from version 1.1.0 on, and the AMI's own tags last.
async fn found(steps: &Steps, step: &Step, ami: &Ami) -> Result<Option<String>> {
    let tag = |key: &str| ami.tags.get(key).map_or("", String::as_str);
    let unfinished = tag(tags::STATE).is_empty() && tag(tags::CURRENT).is_empty();
    if ami.tags.is_empty() || unfinished && tag(tags::RUN) == steps.run.as_str() {
        return Ok(None);
    }
    if tag(tags::STATE) != State::Candidate.as_str() || !tag(tags::CURRENT).is_empty() {
        let (state, current) = (tag(tags::STATE), tag(tags::CURRENT));
        return Ok(Some(format!(
            "its tags say that it is {state:?} and current in {current:?}"
        )));
    }
    let settings = &steps.catalog.settings;
    if tag(tags::IMAGE).is_empty() {
        return Ok(None); // No pointer can be named after it.
    }
    let (image, arch) = (
        ImageName::from(tag(tags::IMAGE)),
        tag(tags::ARCH).parse().unwrap_or_default(),
    );
    for env in &settings.environments {
        let pointer = pointer_name(&settings.name, &image, &env.name, arch);
        match steps.cloud.parameter(&step.region, &pointer).await {
            Ok(value) if value.as_deref() == Some(ami.id.as_str()) => {
                return Ok(Some(format!("SSM parameter {pointer} says it")));
            }
            // Who may not read pointers publishes none either.
            Err(e) if e.kind != CloudErrorKind::Denied => return Err(e.into()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}
