//! Owns the record of who may launch an AMI, made before it is disabled (which drops it) and used when it is enabled again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Steps, poll, tag};
use crate::error::{Error, Kind, Result};
use crate::evidence::keys;
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, Region, Tags, Timestamp};
use crate::plan::Step;

/// The version of [`Permissions`]' shape.
const SCHEMA: u32 = 1;
/// EnableImage answers before the AMI is available again.
const LIMIT: Duration = Duration::from_secs(120);

/// What the store keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Permissions {
    schema: u32,
    ami: AmiId,
    region: Region,
    at: Timestamp,
    permissions: Vec<String>,
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Back {
    /// Who may launch it again.
    pub(super) given: Vec<String>,
    /// How many permissions are recorded nowhere.
    pub(super) lost: usize,
}

/// Records who may launch an AMI, in the store and, as far as they fit, in a tag; what an earlier record says is over.
pub(super) async fn record(steps: &Steps, step: &Step, ami: &Ami) -> Result<Vec<String>> {
    let (cloud, id) = (steps.at(step)?, &ami.id);
    let who = cloud.permissions(&step.region, id).await?;
    if who.is_empty() {
        if ami.tags.contains_key(tags::PERMISSIONS) {
            cloud
                .untag(
                    &step.region,
                    &[id.to_string()],
                    &[tags::PERMISSIONS.to_owned()],
                )
                .await?;
        }
        return Ok(who);
    }
    let text = as_tag(&who);
    let complete = from_tag(&text).1 == 0;
    let wanted = Tags::from([(tags::PERMISSIONS.to_owned(), text)]);
    cloud.tag(&step.region, &[id.to_string()], &wanted).await?;
    let key = keys::permissions(&steps.catalog.settings.name, &step.region, id);
    let (ami, region, at) = (id.clone(), step.region.clone(), steps.clock.now());
    let content = Permissions {
        schema: SCHEMA,
        ami,
        region,
        at,
        permissions: who.clone(),
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
            Kind::StepFailed,
            format!(
                "{id} in {} is shared with {}, more than a tag holds, and the store takes no record",
                step.region,
                who.len()
            ),
        )
        .because(Error::from(error))),
        _ => Ok(who),
    }
}

/// How many there are, then as many as fit.
fn as_tag(who: &[String]) -> String {
    let mut text = who.len().to_string();
    for one in who {
        if text.chars().count() + 1 + one.chars().count() <= tags::MAX_VALUE {
            text = format!("{text} {one}");
        }
    }
    text
}

/// Those in the tag, and how many are missing.
fn from_tag(text: &str) -> (Vec<String>, usize) {
    let mut words = text.split_whitespace();
    let count: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let who: Vec<String> = words.map(str::to_owned).collect();
    let missing = count.saturating_sub(who.len());
    (who, missing)
}

/// Enables an AMI and lets those launch it that could before; says how many can't be known any more.
pub(super) async fn enable(steps: &Steps, step: &Step, id: &AmiId) -> Result<Back> {
    let cloud = steps.at(step)?;
    cloud.enable(&step.region, id).await?;
    let available = tokio_util::sync::CancellationToken::new();
    let what = format!("{id} in {} to be available", step.region);
    let ami = poll::until(steps, LIMIT, &available, &what, || async {
        let ami = tag::ami(steps, step, id).await?;
        Ok((ami.status == "available").then_some(ami))
    })
    .await?;
    let key = keys::permissions(&steps.catalog.settings.name, &step.region, id);
    let stored = steps.store.get(&key).await.ok().flatten();
    let stored = stored.and_then(|bytes| serde_json::from_slice::<Permissions>(&bytes).ok());
    // The tag says how many there were when it was last disabled; an older record in the store is not asked.
    let tagged = ami.tags.get(tags::PERMISSIONS);
    let (given, lost) = match (stored, tagged.map(|text| from_tag(text))) {
        (_, None) => (Vec::new(), 0),
        (_, Some((who, 0))) => (who, 0),
        (Some(stored), Some(_)) if stored.schema == SCHEMA && stored.ami == *id => {
            (stored.permissions, 0)
        }
        (_, Some((who, lost))) => (who, lost),
    };
    if !given.is_empty() {
        cloud.permit(&step.region, id, &given).await?;
    }
    Ok(Back { given, lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_what_fits_and_says_what_is_missing() {
        let who: Vec<String> = (0..25)
            .map(|n| format!("{:012}", 100_000_000_000_u64 + n))
            .collect();
        for count in [0, 1, 19, 20, 25] {
            let text = as_tag(&who[..count]);
            assert!(text.len() <= tags::MAX_VALUE, "{text}");
            let (back, lost) = from_tag(&text);
            assert_eq!(
                (back.len() + lost, back.as_slice()),
                (count, &who[..back.len()])
            );
            assert_eq!(lost == 0, count <= 19, "{count}");
        }
    }
}
