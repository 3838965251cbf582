//! Owns judging a released version again: today's controls on a fresh boot, and the tags and manifest that say it passed.

use serde_json::{Value, json};

use super::{Steps, check, current, tag};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::tags;
use crate::model::{AmiId, ImageName, Tags, Timestamp, Version};
use crate::plan::fingerprint::Fingerprints;
use crate::plan::{Action, Step, StepId};

/// The same judgement as in a release; what failed is still current, which is for a person to decide about.
pub(super) async fn check(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    version: Version,
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<Value> {
    check::perform(steps, step, image, boot, context).await.map_err(|e| match e.kind {
        Kind::ChecksFailed => e.hint(format!(
            "{version} stays current: mend the check, release a version that passes, or withdraw this one with \
             `bakeline revoke {image} {version}`"
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
            format!("a defect: step {} retags nothing", step.id),
        )),
    }
}

pub(super) async fn retag(steps: &Steps, step: &Step, context: &StepContext<'_>) -> Result<Value> {
    let order = order(step)?;
    let now = tag::ami(steps, step, order.ami).await?;
    let seen = now.tags.get(tags::CHECKS).map_or("", String::as_str);
    if seen != order.before && seen != order.after {
        let text = format!(
            "{} in {} changed since the plan: its tag `{}` moved",
            order.ami,
            step.region,
            tags::CHECKS
        );
        return Err(Error::new(Kind::Refused, text).hint("another run judged it; plan again"));
    }
    remember(steps, &order, step).await;
    let wanted = Tags::from([
        (tags::CHECKS.to_owned(), order.after.to_owned()),
        (tags::CHECKED.to_owned(), order.checked.to_string()),
    ]);
    steps
        .at(step)?
        .tag(&step.region, &[order.ami.to_string()], &wanted)
        .await?;
    current::read_back(steps, step, &wanted, order.ami, context).await?;
    Ok(json!({ "ami": order.ami, "checks": order.after }))
}

/// Brings the version's manifest up to date. It only explains, so a store that fails does not fail the step: the next
/// plan then says that the checks changed without naming them.
async fn remember(steps: &Steps, order: &Order<'_>, step: &Step) {
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
    let Some(mut known) = manifest::parse_manifest(&bytes) else {
        return;
    };
    let prints = Fingerprints::new(&steps.catalog);
    known.checks = prints.checks_digest(&image.name);
    known.controls = prints.controls(&image.name);
    if let Err(error) = steps
        .store
        .put(&key, &manifest::format_manifest(&known))
        .await
    {
        tracing::warn!(%error, step = %step.id, "the manifest could not be brought up to date");
    }
}

/// Says again what the AMI passed before, unless somebody else has written since.
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
        .at(step)?
        .tag(&step.region, &[order.ami.to_string()], &wanted)
        .await?;
    let id = [order.ami.to_string()];
    steps
        .at(step)?
        .untag(&step.region, &id, &[tags::CHECKED.to_owned()])
        .await?;
    Ok(())
}
