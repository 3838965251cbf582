//! Records the launch permissions of an AMI before it is disabled, and restores them when it is
//! enabled again. Disabling an AMI drops its permissions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::evidence::keys;
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, Region, Tags, Timestamp};
use crate::plan::Step;
use crate::ports::CloudErrorKind;
use crate::steps::ami;
use crate::steps::context::Steps;
use crate::steps::poll;

/// Schema version of [`StoredPermissions`].
const SCHEMA: u32 = 1;
/// Longest wait for an enabled AMI. EnableImage returns before the AMI is available.
const LIMIT: Duration = Duration::from_secs(120);

/// Launch permission for everybody, which makes an AMI public.
const EVERYBODY: &str = "all";

/// Launch permissions in the store.
#[derive(Debug, Serialize, Deserialize)]
struct StoredPermissions {
    schema: u32,
    ami: AmiId,
    region: Region,
    at: Timestamp,
    permissions: Vec<String>,
}

/// Result of restoring permissions.
#[derive(Debug, Default)]
pub(in crate::steps) struct RestoredPermissions {
    /// Accounts and organizations that may launch the AMI again.
    pub(in crate::steps) given: Vec<String>,
    /// Number of permissions without a record.
    pub(in crate::steps) lost: usize,
    /// Error of EC2, if it refused the permission for everybody.
    pub(in crate::steps) refused: Option<String>,
}

/// Records the launch permissions in the store and, as far as they fit, in a tag. Replaces an
/// earlier record.
pub(in crate::steps) async fn record(steps: &Steps, step: &Step, ami: &Ami) -> Result<Vec<String>> {
    let (cloud, id) = (steps.cloud_for(step)?, &ami.id);
    let principals = cloud.permissions(&step.region, id).await?;
    if principals.is_empty() {
        if ami.tags.contains_key(tags::PERMISSIONS) {
            cloud
                .change(&step.region)
                .await?
                .untag(
                    &step.region,
                    &[id.to_string()],
                    &[tags::PERMISSIONS.to_owned()],
                )
                .await?;
        }
        return Ok(principals);
    }
    let text = format_tag(&principals);
    let complete = parse_tag(&text).1 == 0;
    let wanted = Tags::from([(tags::PERMISSIONS.to_owned(), text)]);
    cloud
        .change(&step.region)
        .await?
        .tag(&step.region, &[id.to_string()], &wanted)
        .await?;
    let key = keys::permissions(&steps.catalog.settings.name, &step.region, id);
    let (ami, region, at) = (id.clone(), step.region.clone(), steps.clock.now());
    let content = StoredPermissions {
        schema: SCHEMA,
        ami,
        region,
        at,
        permissions: principals.clone(),
    };
    let written = steps
        .store
        .put(
            &key,
            &serde_json::to_vec_pretty(&content).unwrap_or_default(),
        )
        .await;
    match written {
        Err(error) if !complete => Err(Error::new(
            ErrorKind::StepFailed,
            format!(
                "{id} in {} is shared with {} principals, too many for a tag, \
                 and the store cannot be written",
                step.region,
                principals.len()
            ),
        )
        .because(Error::from(error))),
        _ => Ok(principals),
    }
}

/// Formats the number of permissions, followed by as many as fit into a tag.
fn format_tag(principals: &[String]) -> String {
    let mut text = principals.len().to_string();
    for one in principals {
        if text.chars().count() + 1 + one.chars().count() <= tags::MAX_VALUE {
            text = format!("{text} {one}");
        }
    }
    text
}

/// Returns the permissions in a tag and the number of missing ones.
fn parse_tag(text: &str) -> (Vec<String>, usize) {
    let mut words = text.split_whitespace();
    let count: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let principals: Vec<String> = words.map(str::to_owned).collect();
    let missing = count.saturating_sub(principals.len());
    (principals, missing)
}

/// Enables an AMI and restores its launch permissions. Reports the number of permissions without a
/// record.
pub(in crate::steps) async fn enable(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
) -> Result<RestoredPermissions> {
    let cloud = steps.cloud_for(step)?;
    cloud
        .change(&step.region)
        .await?
        .enable(&step.region, id)
        .await?;
    let never = tokio_util::sync::CancellationToken::new();
    let what = format!("{id} in {} to be available", step.region);
    let ami = poll::poll_until(steps, LIMIT, &never, &what, || async {
        let ami = ami::require_ami(steps, step, id).await?;
        Ok((ami.status == "available").then_some(ami))
    })
    .await?;
    let key = keys::permissions(&steps.catalog.settings.name, &step.region, id);
    let stored = steps.store.get(&key).await.ok().flatten();
    let stored = stored.and_then(|bytes| serde_json::from_slice::<StoredPermissions>(&bytes).ok());
    // The tag has the number of permissions at the last disabling. An older record in the store
    // does not count.
    let tagged = ami.tags.get(tags::PERMISSIONS);
    let (given, lost) = match (stored, tagged.map(|text| parse_tag(text))) {
        (_, None) => (Vec::new(), 0),
        (_, Some((principals, 0))) => (principals, 0),
        (Some(stored), Some(_)) if stored.schema == SCHEMA && stored.ami == *id => {
            (stored.permissions, 0)
        }
        (_, Some((principals, lost))) => (principals, lost),
    };
    let (everybody, mut given): (Vec<String>, Vec<String>) =
        given.into_iter().partition(|who| who == EVERYBODY);
    if !given.is_empty() {
        cloud
            .change(&step.region)
            .await?
            .permit(&step.region, id, &given)
            .await?;
    }
    let mut refused = None;
    if !everybody.is_empty() {
        // A call of its own: Block Public Access refuses the whole call.
        let change = cloud.change(&step.region).await?;
        match change.permit(&step.region, id, &everybody).await {
            Ok(()) => given.extend(everybody),
            Err(error) if error.kind.is_transient() || error.kind == CloudErrorKind::Fenced => {
                return Err(error.into());
            }
            Err(error) => refused = Some(error.to_string()),
        }
    }
    Ok(RestoredPermissions {
        given,
        lost,
        refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_keeps_what_fits_and_counts_the_rest() {
        let principals: Vec<String> = (0..25)
            .map(|n| format!("{:012}", 100_000_000_000_u64 + n))
            .collect();
        for count in [0, 1, 19, 20, 25] {
            let text = format_tag(&principals[..count]);
            assert!(text.len() <= tags::MAX_VALUE, "{text}");
            let (back, lost) = parse_tag(&text);
            assert_eq!(
                (back.len() + lost, back.as_slice()),
                (count, &principals[..back.len()])
            );
            assert_eq!(lost == 0, count <= 19, "{count}");
        }
    }
}
