//! Writes the pointer of an environment, and restores it.

use tokio_util::sync::CancellationToken;

use crate::engine::StepContext;
use crate::error::Result;
use crate::lifecycle::tags;
use crate::model::{AmiId, Tags};
use crate::plan::Step;
use crate::ports::CloudErrorKind;
use crate::steps::context::Steps;
use crate::steps::created;
use crate::steps::creations::{Creation, CreationKey};
use crate::steps::poll::poll_until;
use crate::steps::publish::read_back::READ_BACK_LIMIT;

/// Returns the tags of a new SSM parameter: those of the builder, and the catalog.
pub(in crate::steps) fn pointer_tags(steps: &Steps) -> Tags {
    let settings = &steps.catalog.settings;
    let mut out = settings.builder.tags.clone();
    out.insert(tags::CATALOG.to_owned(), settings.name.to_string());
    out
}

/// Writes the pointer and waits until it reads back.
pub(in crate::steps) async fn publish_pointer(
    steps: &Steps,
    step: &Step,
    pointer: &str,
    to: &AmiId,
    context: &StepContext<'_>,
) -> Result<()> {
    let wanted = pointer_tags(steps);
    let cloud = steps.cloud_for(step)?.change(&step.region).await?;
    let call = cloud.put_parameter(&step.region, pointer, to, &wanted);
    created::create(steps, pointer_key(step, pointer), call, |()| to.to_string()).await?;
    let what = format!("SSM parameter {pointer} in {} to read {to}", step.region);
    poll_until(steps, READ_BACK_LIMIT, &context.cancel, &what, || async {
        let value = steps
            .cloud_for(step)?
            .parameter(&step.region, pointer)
            .await?;
        Ok((value.as_deref() == Some(to.as_str())).then_some(()))
    })
    .await
}

fn pointer_key(step: &Step, pointer: &str) -> CreationKey {
    CreationKey::new("pointer", pointer, step.account.as_deref(), &step.region)
}

/// Waits until a write of a pointer shows, which AWS accepted or may have. AWS validates the value after
/// the response, so a pending write would otherwise replace the restored value. Returns whether the
/// pointer names the new AMI.
async fn wait_for_pending_write(
    steps: &Steps,
    step: &Step,
    pointer: &str,
    new: &AmiId,
    write: Option<&Creation>,
) -> Result<bool> {
    let never = CancellationToken::new();
    let what = format!("SSM parameter {pointer} in {} to be read", step.region);
    poll_until(steps, 2 * READ_BACK_LIMIT, &never, &what, || async {
        let cloud = steps.cloud_for(step)?;
        let value = cloud.parameter(&step.region, pointer).await?;
        let is_written = value.as_deref() == Some(new.as_str());
        let now = steps.clock.now();
        let is_pending = write.is_some_and(|write| {
            let is_accepted = write.id.is_some();
            let waited = now.duration_since(write.at).unsigned_abs();
            write.is_new(now) || is_accepted && waited < READ_BACK_LIMIT
        });
        Ok((is_written || !is_pending).then_some(is_written))
    })
    .await
}

/// Waits until the restored pointer reads back.
async fn wait_for_restored(
    steps: &Steps,
    step: &Step,
    pointer: &str,
    old: Option<&AmiId>,
) -> Result<()> {
    let never = CancellationToken::new();
    let what = format!("SSM parameter {pointer} in {} to be restored", step.region);
    poll_until(steps, READ_BACK_LIMIT, &never, &what, || async {
        let cloud = steps.cloud_for(step)?;
        let value = cloud.parameter(&step.region, pointer).await?;
        Ok((value.as_deref() == old.map(AmiId::as_str)).then_some(()))
    })
    .await
}

/// Restores a pointer that names the AMI `new` to the previous one, or deletes it.
///
/// A pointer that this run has not written stays as it is. If the pointer does not name the new AMI,
/// a failure to write the previous value is ignored.
pub(super) async fn restore_pointer(
    steps: &Steps,
    step: &Step,
    pointer: &str,
    new: &AmiId,
    previous: Option<&AmiId>,
) -> Result<()> {
    let write = steps.creations.get(&pointer_key(step, pointer));
    let written = wait_for_pending_write(steps, step, pointer, new, write.as_ref()).await?;
    if !written && write.is_none() {
        return Ok(());
    }
    let cloud = steps.cloud_for(step)?.change(&step.region).await?;
    let restored = match previous {
        None => cloud.delete_parameter(&step.region, pointer).await,
        Some(ami) => {
            let tags = pointer_tags(steps);
            cloud.put_parameter(&step.region, pointer, ami, &tags).await
        }
    };
    match restored {
        Err(error) if !written && error.kind != CloudErrorKind::Fenced => {
            tracing::debug!(%error, pointer, "the pointer was not written and stays as it is");
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(()) if written => wait_for_restored(steps, step, pointer, previous).await,
        Ok(()) => Ok(()),
    }
}
