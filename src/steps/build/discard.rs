//! Deregisters an AMI that this run built, if it was never in use.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, ImageName, State, TemporaryKind, TemporaryResource, pointer_name};
use crate::plan::Step;
use crate::ports::{CloudErrorKind, ImageQuery, TemporaryQuery};
use crate::steps::context::{StepEffect, Steps};
use crate::steps::creations::CreationKey;

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

/// Returns the key of the AMI that a build creates.
pub(super) fn ami_key(step: &Step, ami_name: &str) -> CreationKey {
    CreationKey::new("AMI", ami_name, None, &step.region)
}

/// Deregisters the AMI of this name, unless it may be in use.
pub(super) async fn deregister_candidate(steps: &Steps, step: &Step, ami_name: &str) -> Result<()> {
    let mut found = find_by_name(steps, step, ami_name).await?;
    let created = steps.creations.get(&ami_key(step, ami_name));
    if found.is_none()
        && let Some(id) = created.and_then(|creation| creation.id)
    {
        // EC2 may not list the new AMI yet.
        found = crate::steps::ami::find_created(steps, step, &AmiId(id)).await?;
    }
    let Some(ami) = found else {
        return Ok(());
    };
    if let Some(why) = use_reason(steps, step, &ami).await? {
        let text = format!("{} in {} is not deregistered: {why}", ami.id, step.region);
        return Err(Error::new(ErrorKind::Stuck, text).hint(
            "run `bakeline doctor` to compare pointers and tags; \
             then release again, or run `bakeline revoke IMAGE VERSION --apply`",
        ));
    }
    crate::steps::ami::deregister(steps, step, &ami).await?;
    if ami.status == "pending" {
        delete_run_snapshots(steps, step, &ami).await?;
    }
    Ok(())
}

/// Deletes the snapshots of this run and image that no AMI uses.
///
/// DescribeImages may omit the snapshot IDs of a pending AMI (bottlerocket-os/bottlerocket#1066), so
/// the deregistration does not find them. CreateImage has tagged them with the tags of the run.
async fn delete_run_snapshots(steps: &Steps, step: &Step, ami: &Ami) -> Result<()> {
    let catalog = steps.catalog.settings.name.to_string();
    let query = TemporaryQuery {
        owner: (tags::CATALOG.to_owned(), catalog),
        prefix: ami.name.clone(),
    };
    let cloud = steps.cloud_for(step)?;
    let run_tags = steps.run_tags(&step.scope);
    let of_this_build = |resource: &TemporaryResource| {
        resource.kind == TemporaryKind::Snapshot
            && !resource.used
            && run_tags
                .iter()
                .all(|(key, value)| resource.tags.get(key) == Some(value))
    };
    let found = cloud.temporaries(&step.region, &query).await?;
    for snapshot in found.into_iter().filter(of_this_build) {
        let writer = cloud.change(&step.region).await?;
        writer.delete_snapshot(&step.region, &snapshot.id).await?;
    }
    Ok(())
}

/// Returns the reason why an AMI may be in use, if there is one. A candidate, or the AMI of an
/// unfinished build, was never in use.
///
/// Packer sets the tags of the AMI, including its state, when the AMI is available. Until then an
/// AMI has no tags (Packer 1.6.6), or the `run_tags` of the build (packer-plugin-amazon 1.1.0 and
/// later set them in CreateImage). The plugin does not deregister a pending AMI of a cancelled build.
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

/// Returns the AMI of this name in any state. The name contains the ID of the run that built it: this
/// run, or the run whose candidate this one adopted.
pub(super) async fn find_by_name(
    steps: &Steps,
    step: &Step,
    ami_name: &str,
) -> Result<Option<Ami>> {
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
