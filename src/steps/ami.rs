//! Finds and deregisters an AMI by its ID.

use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, Tags, Timestamp};
use crate::plan::Step;
use crate::ports::{CloudErrorKind, ImageQuery};
use crate::steps::context::Steps;
use crate::steps::created::is_missing;

/// Longest wait for a pending AMI, which cannot be deregistered yet.
const PENDING_LIMIT: std::time::Duration = std::time::Duration::from_secs(600);

/// Returns an AMI of the account by ID. Fails if it does not exist.
pub(in crate::steps) async fn require_ami(steps: &Steps, step: &Step, id: &AmiId) -> Result<Ami> {
    find(steps, step, id).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::StepFailed,
            format!("AMI {id} no longer exists in {}", step.region),
        )
    })
}

/// Returns an own AMI by ID, if it exists.
pub(in crate::steps) async fn find(steps: &Steps, step: &Step, id: &AmiId) -> Result<Option<Ami>> {
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

/// Returns an own AMI by ID. Waits until EC2 would show an AMI that this run has created.
pub(in crate::steps) async fn find_created(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Option<Ami>> {
    let never = tokio_util::sync::CancellationToken::new();
    let what = format!("AMI {id} in {} to be listed", step.region);
    crate::steps::poll::poll_until(steps, PENDING_LIMIT, &never, &what, || async {
        let found = find(steps, step, id).await?;
        let may_appear = steps.creations.is_new(id.as_str(), steps.clock.now());
        Ok((found.is_some() || !may_appear).then_some(found))
    })
    .await
}

/// Returns an own AMI by ID that a list has shown. Answers that it does not exist count only after some
/// time.
pub(in crate::steps) async fn find_listed(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<Option<Ami>> {
    let (never, begun) = (
        tokio_util::sync::CancellationToken::new(),
        steps.clock.now(),
    );
    let what = format!("AMI {id} in {} to be found", step.region);
    crate::steps::poll::poll_until(steps, PENDING_LIMIT, &never, &what, || async {
        let found = find(steps, step, id).await?;
        Ok((found.is_some() || is_missing(steps, begun)).then_some(found))
    })
    .await
}

fn is_new(steps: &Steps, ami: &Ami) -> bool {
    steps.creations.is_new(ami.id.as_str(), steps.clock.now())
}

/// Gives an AMI of this catalog without tags, and its snapshots, the tag of the catalog: roles may delete
/// only resources with this tag. packer-plugin-amazon before 1.1.0 tags an AMI last, so a build that
/// fails or is killed can leave one. If the deletion does not follow, the next sweep finds an expired AMI.
async fn mark_as_own(steps: &Steps, step: &Step, ami: &Ami) -> Result<()> {
    let mut ids = vec![ami.id.to_string()];
    ids.extend(ami.snapshots.iter().map(ToString::to_string));
    let expired = Timestamp::from_second(steps.clock.now().as_second()).unwrap_or_default();
    let catalog = steps.catalog.settings.name.to_string();
    let marks = Tags::from([
        (tags::CATALOG.to_owned(), catalog),
        // The undo of a build recognizes its AMI by the run.
        (tags::RUN.to_owned(), steps.run.to_string()),
        (tags::EXPIRES.to_owned(), expired.to_string()),
    ]);
    let cloud = steps.cloud_for(step)?.change(&step.region).await?;
    Ok(cloud.tag(&step.region, &ids, &marks).await?)
}

/// Deregisters an AMI with its snapshots. If snapshots remain, the error contains the commands that
/// delete them.
pub(in crate::steps) async fn deregister(steps: &Steps, step: &Step, ami: &Ami) -> Result<()> {
    if ami.tags.is_empty()
        && let Err(error) = mark_as_own(steps, step, ami).await
    {
        tracing::debug!(%error, ami = %ami.id, "an AMI without tags cannot be tagged before its removal");
    }
    let (cloud, never, begun) = (
        steps.cloud_for(step)?,
        tokio_util::sync::CancellationToken::new(),
        steps.clock.now(),
    );
    let what = format!(
        "AMI {} in {} to leave the pending state",
        ami.id, step.region
    );
    let done = crate::steps::poll::poll_until(steps, PENDING_LIMIT, &never, &what, || async {
        match cloud
            .change(&step.region)
            .await?
            .deregister(&step.region, ami)
            .await
        {
            // EC2 may not know a new AMI yet, and the caller has read every other one before.
            Ok(done) if !done.existed && (is_new(steps, ami) || !is_missing(steps, begun)) => {
                Ok(None)
            }
            Ok(done) => Ok(Some((done.remaining, done.reason))),
            Err(e) if e.kind == CloudErrorKind::InUse => Err(Error::from(e).transient()),
            Err(e) => Err(e.into()),
        }
    });
    let (left, reason) = done.await?;
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
        "{} is deregistered, but these snapshots remain in {}: {names}{}",
        ami.id,
        step.region,
        reason.map_or_else(String::new, |why| format!(" ({why})"))
    );
    Err(Error::new(ErrorKind::Stuck, text).hint(format!("delete them: {commands}")))
}
