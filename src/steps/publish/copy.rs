//! Copies AMIs to other Regions and accounts, and waits for the copies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, Region, State, Tags};
use crate::plan::{AmiRef, Step};
use crate::ports::{CloudErrorKind, CopyRequest, ImageQuery};
use crate::steps::ami;
use crate::steps::context::{StepEffect, Steps, client_token};
use crate::steps::created;
use crate::steps::creations::CreationKey;
use crate::steps::poll::poll_until;
use crate::steps::publish::copy_reads::{read_copy, wait_for_slot};

/// Longest wait for a copy. Copies of large AMIs between Regions take long, and EC2 gives no limit.
const LIMIT: Duration = Duration::from_secs(2 * 3600);

/// Time after which a permission to copy an AMI has taken effect.
const SHARED_AFTER: SignedDuration = SignedDuration::from_secs(120);

/// Returns the original AMI. Fails unless it is a released AMI of this catalog.
pub(in crate::steps) async fn load_original(
    steps: &Steps,
    region: &Region,
    id: &AmiId,
) -> Result<Ami> {
    let query = ImageQuery {
        ids: vec![id.clone()],
        ..ImageQuery::default()
    };
    let found = steps.cloud.images(region, &query).await?.into_iter().next();
    let ours = found.filter(|a| {
        Record::read(a, &steps.catalog.settings).is_some_and(|r| r.state == State::Released)
    });
    ours.ok_or_else(|| {
        let text = format!("{id} in {region} is no longer a released AMI of this catalog");
        Error::new(ErrorKind::Refused, text).hint("run `bakeline list` to see its state")
    })
}

/// Returns our own AMIs of this name in the location of the step, in any state.
async fn find_by_name(steps: &Steps, step: &Step, name: &str) -> Result<Vec<Ami>> {
    let query = ImageQuery {
        name: Some(name.to_owned()),
        ..ImageQuery::default()
    };
    let cloud = steps.cloud_for(step)?;
    let mut found = cloud.images(&step.region, &query).await?;
    found.retain(|ami| ami.name == name);
    Ok(found)
}

fn copy_key(step: &Step, name: &str) -> CreationKey {
    CreationKey::new("copy", name, step.account.as_deref(), &step.region)
}

/// Returns whether an AMI is an unfinished copy of `origin`.
fn is_unfinished_copy(steps: &Steps, ami: &Ami, origin: &str) -> bool {
    let tag = |key: &str| ami.tags.get(key).map_or("", String::as_str);
    tag(tags::CATALOG) == steps.catalog.settings.name.as_str()
        && tag(tags::ORIGIN) == origin
        && tag(tags::STATE) == State::Candidate.as_str()
}

/// Copy of an AMI. The undo deregisters an unfinished copy, also one that an earlier run began.
/// A finished or current copy stays.
pub(in crate::steps) struct Copy<'a> {
    pub(in crate::steps) source: &'a AmiRef,
    pub(in crate::steps) from: &'a Region,
    pub(in crate::steps) name: &'a str,
    pub(in crate::steps) kms_key: &'a Option<String>,
}

#[async_trait]
impl StepEffect for Copy<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { source, from, .. } = *self;
        let original = load_original(steps, from, &context.outputs.ami(source)?).await?;
        let origin = format!("{from}:{}", original.id);
        let existing = self.find_unfinished(steps, step, &origin).await?;
        let adopted = existing.is_some();
        let (id, slot) = match existing {
            Some(ami) => (adopt_copy(steps, step, &ami).await?, None),
            None => {
                let slot = wait_for_slot(steps, step, &context.cancel).await?;
                let id = start_copy(steps, step, &original, &origin, self, context).await?;
                (id, Some(slot))
            }
        };
        (context.note)(&format!("copy {id} of {origin} in {}", step.region));
        let seen = AtomicBool::new(adopted);
        let ami = poll_until(
            steps,
            LIMIT,
            &context.cancel,
            &format!("copy {id} in {}", step.region),
            || async {
                tokio::select! {
                    copy = poll_copy(steps, step, &id, &seen) => copy,
                    () = context.cancel.cancelled() => {
                        let text = format!("cancelled while waiting for copy {id}");
                        Err(Error::new(ErrorKind::Interrupted, text))
                    }
                }
            },
        )
        .await?;
        drop(slot);
        let self_tag = Tags::from([(tags::SELF.to_owned(), id.to_string())]);
        steps
            .cloud_for(step)?
            .change(&step.region)
            .await?
            .tag(&step.region, &[id.to_string()], &self_tag)
            .await?;
        if original.imds_v2 && !ami.imds_v2 {
            steps
                .cloud_for(step)?
                .change(&step.region)
                .await?
                .require_imds_v2(&step.region, &id)
                .await?;
        }
        Ok(StepOutput::Copy {
            ami: id,
            origin,
            snapshots: ami.snapshots,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        let Self {
            source, from, name, ..
        } = *self;
        let origin = format!("{from}:{}", context.outputs.ami(source)?);
        let found = created::find_created(steps, &copy_key(step, name), || async {
            let found = find_by_name(steps, step, name).await?;
            Ok(found.into_iter().map(|ami| ami.id.0).collect())
        })
        .await?;
        for id in found.into_iter().map(AmiId) {
            let copy = ami::find_created(steps, step, &id).await?;
            if let Some(copy) = copy.filter(|ami| is_unfinished_copy(steps, ami, &origin)) {
                ami::deregister(steps, step, &copy).await?;
            }
        }
        Ok(())
    }
}

impl Copy<'_> {
    /// Returns an unfinished copy of an earlier run. Deregisters a failed one, and refuses an AMI of
    /// this name that is something else.
    async fn find_unfinished(
        &self,
        steps: &Steps,
        step: &Step,
        origin: &str,
    ) -> Result<Option<Ami>> {
        let name = self.name;
        let Some(ami) = find_by_name(steps, step, name).await?.into_iter().next() else {
            return Ok(None);
        };
        if !is_unfinished_copy(steps, &ami, origin) {
            let text = format!(
                "{} in {} has the name `{name}` but is not an unfinished copy of {origin}",
                ami.id, step.region
            );
            return Err(Error::new(ErrorKind::Refused, text)
                .hint("check its tags; deregister it, then run again"));
        }
        if ami.status == "failed" {
            ami::deregister(steps, step, &ami).await?;
            return Ok(None);
        }
        Ok(Some(ami))
    }
}

/// Takes over an unfinished copy of a dead run, before anything else. Otherwise a concurrent sweep
/// could remove it as a resource of the dead run.
async fn adopt_copy(steps: &Steps, step: &Step, ami: &Ami) -> Result<AmiId> {
    let ids: Vec<String> = [ami.id.to_string()]
        .into_iter()
        .chain(ami.snapshots.iter().map(ToString::to_string))
        .collect();
    let mine = [
        (tags::RUN, steps.run.to_string()),
        (tags::EXPIRES, steps.expires.to_string()),
    ];
    let mine: Tags = mine.map(|(key, value)| (key.to_owned(), value)).into();
    steps
        .cloud_for(step)?
        .change(&step.region)
        .await?
        .tag(&step.region, &ids, &mine)
        .await?;
    Ok(ami.id.clone())
}

async fn start_copy(
    steps: &Steps,
    step: &Step,
    original: &Ami,
    origin: &str,
    copy: &Copy<'_>,
    context: &StepContext<'_>,
) -> Result<AmiId> {
    let environment = steps.catalog.settings.environment_key.as_str();
    let not_copied = [
        tags::SELF,
        tags::CURRENT,
        tags::ROLLED_BACK,
        tags::SHARED,
        tags::STATE,
        tags::EXPIRES,
        tags::RUN,
        environment,
    ];
    let mut wanted: Tags = original
        .tags
        .iter()
        .filter(|(k, _)| !not_copied.contains(&k.as_str()) && !k.starts_with(tags::SHARING))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for (key, value) in [
        (tags::STATE, State::Candidate.as_str().to_owned()),
        (tags::ORIGIN, origin.to_owned()),
        (tags::RUN, steps.run.to_string()),
        (tags::EXPIRES, steps.expires.to_string()),
    ] {
        wanted.insert(key.to_owned(), value);
    }
    let account = step.account.as_deref().unwrap_or("");
    let parts = format!("{} {account} {} {}", steps.run, step.region, original.id);
    let request = CopyRequest {
        source_region: original.region.clone(),
        source: original.id.clone(),
        name: copy.name.to_owned(),
        tags: wanted,
        kms_key: copy.kms_key.clone(),
        token: client_token(&parts),
    };
    let what = format!("{} to accept a copy of {origin}", step.region);
    let begun = steps.clock.now();
    poll_until(steps, LIMIT, &context.cancel, &what, || async {
        let cloud = steps.cloud_for(step)?.change(&step.region).await?;
        let call = cloud.copy_image(&step.region, &request);
        match created::create(steps, copy_key(step, copy.name), call, |id| id.0.clone()).await {
            Ok(id) => Ok(Some(id)),
            Err(error) if must_wait(error.kind, steps.clock.now().duration_since(begun)) => {
                tracing::debug!(%error, "the copy cannot start yet");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// Returns whether a refused copy can start later. Permissions for another account take effect after a
/// while, and EC2 limits the number of concurrent copies (Amazon EBS User Guide, "Quotas").
fn must_wait(kind: CloudErrorKind, waited: SignedDuration) -> bool {
    match kind {
        CloudErrorKind::Busy => true,
        CloudErrorKind::NotFound | CloudErrorKind::NotShared => waited < SHARED_AFTER,
        _ => false,
    }
}

async fn poll_copy(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    seen: &AtomicBool,
) -> Result<Option<Ami>> {
    let Some(ami) = read_copy(steps, step, id).await? else {
        // Directly after the call, EC2 may not know the copy yet. A copy that was seen and
        // disappeared does not return.
        let is_new = steps.creations.is_new(id.as_str(), steps.clock.now());
        if is_new || !seen.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let text = format!(
            "copy {id} in {} disappeared: another process deregistered it",
            step.region
        );
        return Err(Error::new(ErrorKind::StepFailed, text).hint("run again to create a new copy"));
    };
    seen.store(true, Ordering::Relaxed);
    match ami.status.as_str() {
        "available" => Ok(Some(ami)),
        "pending" => Ok(None),
        status => {
            let why = steps
                .cloud_for(step)?
                .failure_reason(&step.region, id)
                .await
                .ok()
                .flatten();
            let why = why.map_or_else(String::new, |w| format!(": {w}"));
            let text = format!("copy {id} in {} is {status}{why}", step.region);
            Err(Error::new(ErrorKind::StepFailed, text).hint("run again to create a new copy"))
        }
    }
}
