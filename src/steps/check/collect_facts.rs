//! Collects facts from an instance of any AMI for a manual check, and judges them.

use async_trait::async_trait;

use crate::catalog::Image;
use crate::checks::Phase;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ImageName;
use crate::plan::{Step, StepId};
use crate::steps::check::collect;
use crate::steps::check::controls::{CheckReport, evidence_file};
use crate::steps::context::{StepEffect, Steps};

/// Facts of an instance for a manual check.
pub(in crate::steps) struct CollectFacts<'a> {
    pub(in crate::steps) image: &'a ImageName,
    pub(in crate::steps) instance: &'a StepId,
}

#[async_trait]
impl StepEffect for CollectFacts<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            image,
            instance: boot,
        } = *self;
        let definition = steps.catalog.images.get(image);
        let platform = definition.map(|i| i.platform).unwrap_or_default();
        let user = definition.map_or(platform.login_user(), Image::login_user);
        let controls = steps.catalog.controls(image);
        let collected =
            collect::collect_from_instance(steps, step, user, &controls, boot, context).await;
        let (judged, _) = collected.map_err(|e| {
            let kind = if context.cancel.is_cancelled() {
                ErrorKind::Interrupted
            } else {
                e.kind
            };
            Error::new(kind, "the facts could not be collected").because(e)
        })?;
        let report = CheckReport {
            image: image.clone(),
            phase: Phase::Boot,
            seconds: judged.took.as_secs_f64(),
            verdicts: judged.verdicts,
            facts: serde_json::to_value(&judged.facts).unwrap_or_default(),
            unsealed: Vec::new(),
        };
        let text = serde_json::to_vec_pretty(&report).unwrap_or_default();
        let file = evidence_file(&step.scope, Phase::Boot);
        let written = steps.workspace.write(&file, &text, false);
        written.map_err(|e| {
            Error::new(ErrorKind::StepFailed, "the facts cannot be written").because(e)
        })?;
        Ok(StepOutput::Facts { facts: file })
    }
}
