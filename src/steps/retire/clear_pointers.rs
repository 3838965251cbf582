//! Removes the pointers of an AMI whose image leaves the catalog.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::Result;
use crate::lifecycle::{Record, tags};
use crate::model::{AmiId, Tags};
use crate::plan::Step;
use crate::steps::ami;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::pointer;
use crate::steps::retire::stages::refusal;

/// Removal of the parameters that contain the ID of an AMI, then of its `bakeline:current` tag.
pub(in crate::steps) struct ClearPointers<'a> {
    pub(in crate::steps) ami: &'a AmiId,
    pub(in crate::steps) current: &'a str,
    pub(in crate::steps) pointers: &'a [String],
}

#[async_trait]
impl StepEffect for ClearPointers<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            ami: id,
            current: now,
            pointers,
        } = *self;
        let ami = ami::require_ami(steps, step, id).await?;
        let record = Record::read(&ami, &steps.catalog.settings);
        let Some(record) = record else {
            return Err(refusal(step, id, "its tags no longer name this catalog"));
        };
        let seen = record.tag(tags::CURRENT);
        if seen != now && !seen.is_empty() {
            return Err(refusal(
                step,
                id,
                &format!(
                    "tag `{}` has changed since the decision: it is {seen:?}, not {now:?}",
                    tags::CURRENT
                ),
            ));
        }
        let cloud = steps.cloud_for(step)?;
        for name in pointers {
            if cloud.parameter(&step.region, name).await?.as_deref() == Some(id.as_str()) {
                cloud
                    .change(&step.region)
                    .await?
                    .delete_parameter(&step.region, name)
                    .await?;
            }
        }
        cloud
            .change(&step.region)
            .await?
            .untag(&step.region, &[id.to_string()], &[tags::CURRENT.to_owned()])
            .await?;
        Ok(StepOutput::ClearedPointers {
            cleared: id.clone(),
            pointers: pointers.to_vec(),
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self {
            ami: id,
            current: was,
            pointers,
        } = *self;
        let Some(ami) = ami::find_listed(steps, step, id).await? else {
            return Ok(());
        };
        let Some(record) = Record::read(&ami, &steps.catalog.settings) else {
            return Ok(());
        };
        if !record.tag(tags::CURRENT).is_empty() && record.tag(tags::CURRENT) != was {
            return Ok(()); // Another run has set this state.
        }
        let cloud = steps.cloud_for(step)?;
        let tag = Tags::from([(tags::CURRENT.to_owned(), was.to_owned())]);
        cloud
            .change(&step.region)
            .await?
            .tag(&step.region, &[id.to_string()], &tag)
            .await?;
        let wanted = pointer::pointer_tags(steps);
        for name in pointers {
            if cloud.parameter(&step.region, name).await?.is_none() {
                cloud
                    .change(&step.region)
                    .await?
                    .put_parameter(&step.region, name, id, &wanted)
                    .await?;
            }
        }
        Ok(())
    }
}
