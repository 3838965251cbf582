//! Rechecks a released version: runs today's controls on a fresh instance, then records the result
//! in tags and manifest.

use super::{Steps, check, move_current, tag};
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Kind, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::tags;
use crate::model::{AmiId, ImageName, Tags, Timestamp, Version};
use crate::plan::fingerprint::Fingerprints;
use crate::plan::{Action, Step, StepId};

/// Runs the boot checks as in a release. A version that fails stays current; the hint names the
/// possible actions.
pub(super) async fn check(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    version: Version,
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<StepOutput> {
    check::perform(steps, step, image, boot, context).await.map_err(|e| match e.kind {
        Kind::ChecksFailed => e.hint(format!(
            "{version} stays current: correct the check, release a version that passes, or withdraw this \
             version with `bakeline revoke {image} {version}`"
        )),
        _ => e,
    })
}

/// What a retag step carries.
struct Order<'s> {
    image: &'s ImageName,
    version: Version,
    ami: &'s AmiId,
    before: &'s str,
    after: &'s str,
    checked: Timestamp,
}

fn order(step: &Step) -> Result<Order<'_>> {
    match &step.action {
        Action::Retag {
            image,
            version,
            ami,
            before,
            after,
            checked,
        } => Ok(Order {
            image,
            version: *version,
            ami,
            before,
            after,
            checked: *checked,
        }),
        _ => Err(Error::new(
            Kind::StepFailed,
            format!(
                "internal error: step {} is not a retag step; please report this",
                step.id
            ),
        )),
    }
}

pub(super) async fn retag(
    steps: &Steps,
    step: &Step,
    context: &StepContext<'_>,
) -> Result<StepOutput> {
    let order = order(step)?;
    let now = tag::require_ami(steps, step, order.ami).await?;
    let seen = now.tags.get(tags::CHECKS).map_or("", String::as_str);
    if seen != order.before && seen != order.after {
        let text = format!(
            "{} in {} changed since the plan: its tag `{}` differs",
            order.ami,
            step.region,
            tags::CHECKS
        );
        return Err(Error::new(Kind::Refused, text).hint("another run checked it; plan again"));
    }
    update_manifest(steps, &order, step).await;
    let wanted = Tags::from([
        (tags::CHECKS.to_owned(), order.after.to_owned()),
        (tags::CHECKED.to_owned(), order.checked.to_string()),
    ]);
    steps
        .cloud_for(step)?
        .tag(&step.region, &[order.ami.to_string()], &wanted)
        .await?;
    move_current::wait_for_tags(steps, step, &wanted, order.ami, context).await?;
    Ok(StepOutput::Retagged {
        ami: order.ami.clone(),
        checks: order.after.to_owned(),
    })
}

/// Updates the manifest of the version. The manifest only explains, so a store that fails does not
/// fail the step. Without the update, the next plan reports changed checks without naming them.
async fn update_manifest(steps: &Steps, order: &Order<'_>, step: &Step) {
    let Some(image) = steps.catalog.images.get(order.image) else {
        return;
    };
    let key = keys::manifest(
        &steps.catalog.settings.name,
        &image.name,
        image.arch,
        order.version,
    );
    let Ok(Some(bytes)) = steps.store.get(&key).await else {
        return;
    };
    let Some(mut stored) = manifest::read(&bytes) else {
        return;
    };
    let prints = Fingerprints::new(&steps.catalog);
    stored.checks = prints.checks(&image.name);
    stored.controls = prints.controls(&image.name);
    if let Err(error) = steps.store.put(&key, &manifest::write(&stored)).await {
        tracing::warn!(%error, step = %step.id, "the manifest could not be updated");
    }
}

/// Restores the previous tag, unless another run has changed it since.
pub(super) async fn undo(steps: &Steps, step: &Step) -> Result<()> {
    let order = order(step)?;
    let Some(now) = tag::find(steps, step, order.ami).await? else {
        return Ok(());
    };
    if now.tags.get(tags::CHECKS).map(String::as_str) != Some(order.after)
        || order.before == order.after
    {
        return Ok(());
    }
    let wanted = Tags::from([(tags::CHECKS.to_owned(), order.before.to_owned())]);
    steps
        .cloud_for(step)?
        .tag(&step.region, &[order.ami.to_string()], &wanted)
        .await?;
    let id = [order.ami.to_string()];
    steps
        .cloud_for(step)?
        .untag(&step.region, &id, &[tags::CHECKED.to_owned()])
        .await?;
    Ok(())
}
