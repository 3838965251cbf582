//! Finds, tags and deregisters an AMI by its ID.

use async_trait::async_trait;

use super::{StepEffect, Steps};
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, Tags};
use crate::plan::{AmiRef, Step};
use crate::ports::{CloudErrorKind, ImageQuery};

/// Longest wait for a pending AMI, which cannot be deregistered yet.
const PENDING_LIMIT: std::time::Duration = std::time::Duration::from_secs(600);

/// Returns an AMI of the account by ID. Fails if it does not exist.
pub(super) async fn require_ami(steps: &Steps, step: &Step, id: &AmiId) -> Result<Ami> {
    find(steps, step, id).await?.ok_or_else(|| {
        Error::new(
            Kind::StepFailed,
            format!("AMI {id} no longer exists in {}", step.region),
        )
    })
}

/// One own AMI by id.
pub(super) async fn find(steps: &Steps, step: &Step, id: &AmiId) -> Result<Option<Ami>> {
    let query = ImageQuery {
        ids: vec![id.clone()],
        ..ImageQuery::default()
    };
    match steps.cloud_for(step)?.images(&step.region, &query).await {
        Ok(found) => Ok(found.into_iter().next()),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Deregisters an AMI with its snapshots. If snapshots remain, the error contains the commands that
/// delete them.
pub(super) async fn deregister(steps: &Steps, step: &Step, ami: &Ami) -> Result<()> {
    let (cloud, never) = (
        steps.cloud_for(step)?,
        tokio_util::sync::CancellationToken::new(),
    );
    let what = format!(
        "AMI {} in {} to leave the pending state",
        ami.id, step.region
    );
    let left = super::poll::poll_until(steps, PENDING_LIMIT, &never, &what, || async {
        match cloud.deregister(&step.region, ami).await {
            Ok(left) => Ok(Some(left)),
            Err(e) if e.kind == CloudErrorKind::InUse => Ok(None),
            Err(e) => Err(e.into()),
        }
    })
    .await?;
    if left.is_empty() {
        return Ok(());
    }
    let names = left
        .iter()
        .map(|s| s.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let command = |snapshot| {
        format!(
            "aws ec2 delete-snapshot --region {} --snapshot-id {snapshot}",
            step.region
        )
    };
    let commands = left.iter().map(command).collect::<Vec<_>>().join(" && ");
    let text = format!(
        "{} is deregistered, but these snapshots remain in {}: {names}",
        ami.id, step.region
    );
    Err(Error::new(Kind::Stuck, text).hint(format!("delete them: {commands}")))
}

/// Tags of a new candidate.
pub(super) struct TagCandidate<'a> {
    pub(super) ami: &'a AmiRef,
    pub(super) tags: &'a Tags,
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
        let candidate = require_ami(steps, step, &id).await?;
        let mut tags = wanted.clone();
        tags.insert(tags::SELF.to_owned(), id.to_string());
        if steps.keep_failed {
            tags.insert(tags::KEPT.to_owned(), "until it expires".to_owned());
        }
        if let AmiRef::MadeBy(build) = ami_ref {
            tags.insert(
                tags::BASE.to_owned(),
                format!("{}:{}", step.region, context.outputs.base(build)?),
            );
        }
        steps
            .cloud_for(step)?
            .tag(&step.region, &[id.to_string()], &tags)
            .await?;
        let snapshots: Vec<String> = candidate
            .snapshots
            .iter()
            .map(ToString::to_string)
            .collect();
        if !snapshots.is_empty() {
            tags.remove(tags::SELF);
            steps
                .cloud_for(step)?
                .tag(&step.region, &snapshots, &tags)
                .await?;
        }
        Ok(StepOutput::Candidate {
            ami: id,
            snapshots: candidate.snapshots,
        })
    }
}
