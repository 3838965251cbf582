//! Rechecks a released version: runs today's controls on a fresh instance, then records the result
//! in tags and manifest.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::tags;
use crate::model::{AmiId, ImageName, Tags, Timestamp, Version};
use crate::plan::fingerprint::Fingerprints;
use crate::plan::{Step, StepId};
use crate::steps::ami;
use crate::steps::check::controls;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::read_back;

/// Boot checks of a released version. A version that fails stays current; the hint names the
/// possible actions.
pub(in crate::steps) struct Recheck<'a> {
    pub(in crate::steps) image: &'a ImageName,
    pub(in crate::steps) version: &'a Version,
    pub(in crate::steps) instance: &'a StepId,
}

#[async_trait]
impl StepEffect for Recheck<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            image,
            version: &version,
            instance: boot,
        } = *self;
        let checked = controls::run_boot_checks(steps, step, image, boot, context).await;
        checked.map_err(|error| match error.kind {
            ErrorKind::ChecksFailed => error.hint(format!(
                "{version} stays current: correct the check, release a version that passes, or \
                 withdraw this version with `bakeline revoke {image} {version} --apply`"
            )),
            _ => error,
        })
    }
}

/// Update of the tags and the manifest of a version that passed a recheck.
pub(in crate::steps) struct Retag<'s> {
    pub(in crate::steps) image: &'s ImageName,
    pub(in crate::steps) version: &'s Version,
    pub(in crate::steps) ami: &'s AmiId,
    pub(in crate::steps) before: &'s str,
    pub(in crate::steps) after: &'s str,
    pub(in crate::steps) checked: &'s Timestamp,
}

#[async_trait]
impl StepEffect for Retag<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let now = ami::require_ami(steps, step, self.ami).await?;
        let seen = now.tags.get(tags::CHECKS).map_or("", String::as_str);
        if seen != self.before && seen != self.after {
            let text = format!(
                "{} in {} changed since the plan: its tag `{}` differs",
                self.ami,
                step.region,
                tags::CHECKS
            );
            return Err(
                Error::new(ErrorKind::Refused, text).hint("another run checked it; plan again")
            );
        }
        update_manifest(steps, self, step).await;
        let wanted = Tags::from([
            (tags::CHECKS.to_owned(), self.after.to_owned()),
            (tags::CHECKED.to_owned(), self.checked.to_string()),
        ]);
        steps
            .cloud_for(step)?
            .change(&step.region)
            .await?
            .tag(&step.region, &[self.ami.to_string()], &wanted)
            .await?;
        read_back::wait_for_tags(steps, step, &wanted, self.ami, context).await?;
        Ok(StepOutput::Retagged {
            ami: self.ami.clone(),
            checks: self.after.to_owned(),
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Some(now) = ami::find(steps, step, self.ami).await? else {
            return Ok(());
        };
        if now.tags.get(tags::CHECKS).map(String::as_str) != Some(self.after)
            || self.before == self.after
        {
            return Ok(());
        }
        let wanted = Tags::from([(tags::CHECKS.to_owned(), self.before.to_owned())]);
        steps
            .cloud_for(step)?
            .change(&step.region)
            .await?
            .tag(&step.region, &[self.ami.to_string()], &wanted)
            .await?;
        let id = [self.ami.to_string()];
        steps
            .cloud_for(step)?
            .change(&step.region)
            .await?
            .untag(&step.region, &id, &[tags::CHECKED.to_owned()])
            .await?;
        Ok(())
    }
}

/// Updates the manifest of the version. The manifest only explains, so a store that fails does not
/// fail the step. Without the update, the next plan reports changed checks without naming them.
async fn update_manifest(steps: &Steps, retag: &Retag<'_>, step: &Step) {
    let Some(image) = steps.catalog.images.get(retag.image) else {
        return;
    };
    let key = keys::manifest(
        &steps.catalog.settings.name,
        &image.name,
        image.arch,
        *retag.version,
    );
    let Ok(Some(bytes)) = steps.store.get(&key).await else {
        return;
    };
    let Some(mut stored) = manifest::parse_manifest(&bytes) else {
        return;
    };
    let prints = Fingerprints::new(&steps.catalog);
    stored.checks = prints.checks_digest(&image.name);
    stored.controls = prints.controls(&image.name);
    if let Err(error) = steps
        .store
        .put(&key, &manifest::format_manifest(&stored))
        .await
    {
        tracing::warn!(%error, step = %step.id, "the manifest could not be updated");
    }
}
