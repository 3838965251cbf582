//! Waits until a change reads back, in the way in which the next command reads.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::StepContext;
use crate::error::{ErrorKind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, Tags};
use crate::plan::Step;
use crate::ports::ImageQuery;
use crate::steps::context::Steps;
use crate::steps::poll::poll_until;

/// Longest wait until a change reads back. AWS validates `aws:ec2:image` after the response of
/// PutParameter, so a pointer can change late.
pub(super) const READ_BACK_LIMIT: Duration = Duration::from_secs(300);

/// Waits until the tags of an AMI read back. EC2 may return the previous values for a while.
pub(in crate::steps) async fn wait_for_tags(
    steps: &Steps,
    step: &Step,
    wanted: &Tags,
    id: &AmiId,
    context: &StepContext<'_>,
) -> Result<()> {
    let what = format!("the tags of {id} in {} to read back", step.region);
    let same = poll_until(steps, READ_BACK_LIMIT, &context.cancel, &what, || async {
        let Some(ami) = list_own(steps, step, id).await? else {
            return Ok(None);
        };
        let differs = wanted
            .iter()
            .any(|(key, value)| ami.tags.get(key).map_or("", String::as_str) != value);
        Ok((!differs).then_some(()))
    });
    same.await.map_err(|e| match e.kind {
        ErrorKind::StepFailed => e.hint("another process may change the tags; run again"),
        _ => e,
    })
}

/// Waits until changed tags read back, so that the next command sees them. They are set in any case,
/// so a failure is only a warning.
pub(super) async fn settle_tags(
    steps: &Steps,
    step: &Step,
    wanted: &Tags,
    amis: &[AmiId],
    context: &StepContext<'_>,
) {
    for id in amis {
        if let Err(error) = wait_for_tags(steps, step, wanted, id, context).await {
            tracing::warn!("the change is made, but {}", error.one_line());
            return;
        }
    }
}

/// Returns an AMI as commands list it: by the tag of the catalog. A call that names the AMI may return
/// newer tags than a list.
async fn list_own(steps: &Steps, step: &Step, id: &AmiId) -> Result<Option<Ami>> {
    let catalog = steps.catalog.settings.name.to_string();
    let query = ImageQuery {
        tags: Tags::from([(tags::CATALOG.to_owned(), catalog)]),
        filters: BTreeMap::from([("image-id".to_owned(), vec![id.to_string()])]),
        ..ImageQuery::default()
    };
    let found = steps.cloud_for(step)?.images(&step.region, &query).await?;
    Ok(found.into_iter().find(|ami| ami.id == *id))
}
