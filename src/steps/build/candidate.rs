//! Tags a new AMI as a candidate.

use async_trait::async_trait;

use crate::catalog::Imds;
use crate::engine::{StepContext, StepOutput};
use crate::error::Result;
use crate::lifecycle::{candidate, tags};
use crate::model::Tags;
use crate::plan::{AmiRef, Step};
use crate::steps::ami::require_ami;
use crate::steps::context::{StepEffect, Steps};

/// Tags of a new candidate.
pub(in crate::steps) struct TagCandidate<'a> {
    pub(in crate::steps) ami: &'a AmiRef,
    pub(in crate::steps) tags: &'a Tags,
}

#[async_trait]
impl StepEffect for TagCandidate<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            ami: ami_ref,
            tags: wanted,
        } = *self;
        let id = context.outputs.ami(ami_ref)?;
        let new_ami = require_ami(steps, step, &id).await?;
        let mut tags = wanted.clone();
        tags.insert(tags::SELF.to_owned(), id.to_string());
        if steps.keep_failed {
            tags.insert(tags::KEPT.to_owned(), candidate::UNTIL_EXPIRY.to_owned());
        }
        if let AmiRef::MadeBy(build) = ami_ref {
            tags.insert(
                tags::BASE.to_owned(),
                format!("{}:{}", step.region, context.outputs.base(build)?),
            );
        }
        steps
            .cloud_for(step)?
            .change(&step.region)
            .await?
            .tag(&step.region, &[id.to_string()], &tags)
            .await?;
        let snapshots: Vec<String> = new_ami.snapshots.iter().map(ToString::to_string).collect();
        if !snapshots.is_empty() {
            tags.remove(tags::SELF);
            steps
                .cloud_for(step)?
                .change(&step.region)
                .await?
                .tag(&step.region, &snapshots, &tags)
                .await?;
        }
        if steps.builder_of(&step.scope).imds == Imds::V2 && !new_ami.imds_v2 {
            steps
                .cloud_for(step)?
                .change(&step.region)
                .await?
                .require_imds_v2(&step.region, &id)
                .await?;
        }
        Ok(StepOutput::Candidate {
            ami: id,
            snapshots: new_ami.snapshots,
        })
    }
}
