//! Owns copies in other Regions and accounts: copying, waiting, trying a launch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Steps, resolve};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, Region, State, Tags};
use crate::plan::{AmiRef, Step};
use crate::ports::{CopyRequest, ImageQuery};

/// Copies of large AMIs between Regions take long; EC2 promises nothing.
const LIMIT: Duration = Duration::from_secs(2 * 3600);

/// The original, at home, still ours.
pub(super) async fn original(steps: &Steps, region: &Region, id: &AmiId) -> Result<Ami> {
    let query = ImageQuery {
        ids: vec![id.clone()],
        ..ImageQuery::default()
    };
    let found = steps.cloud.images(region, &query).await?.into_iter().next();
    let ours = found.filter(|a| {
        Record::read(a, &steps.catalog.settings.name).is_some_and(|r| r.state == State::Released)
    });
    ours.ok_or_else(|| {
        let text = format!("{id} in {region} is no released AMI of this catalog any more");
        Error::new(Kind::Refused, text).hint("run `bakeline list` to see what it is now")
    })
}

/// Our own AMI of this name at the step's location, whatever its state.
async fn made(steps: &Steps, step: &Step, name: &str) -> Result<Option<Ami>> {
    let query = ImageQuery {
        name: Some(name.to_owned()),
        ..ImageQuery::default()
    };
    Ok(steps
        .at(step)?
        .images(&step.region, &query)
        .await?
        .into_iter()
        .find(|a| a.name == name))
}

/// Whether an AMI is a copy of `origin` that was never finished.
fn half(steps: &Steps, ami: &Ami, origin: &str) -> bool {
    let tag = |key: &str| ami.tags.get(key).map_or("", String::as_str);
    tag(tags::CATALOG) == steps.catalog.settings.name.as_str()
        && tag(tags::ORIGIN) == origin
        && tag(tags::STATE) == State::Candidate.as_str()
}

pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    (source, from, name): (&AmiRef, &Region, &str),
    context: &StepContext<'_>,
) -> Result<Value> {
    let original = original(steps, from, &resolve(source, &context.outputs)?).await?;
    let origin = format!("{from}:{}", original.id);
    let (id, adopted) = match made(steps, step, name).await? {
        Some(ami) if !half(steps, &ami, &origin) => {
            let text = format!(
                "{} in {} has the name `{name}` and is no half-made copy of {origin}",
                ami.id, step.region
            );
            return Err(Error::new(Kind::Refused, text)
                .hint("look at its tags; rename or deregister it, then run again"));
        }
        Some(ami) if ami.status == "failed" => {
            super::tag::deregister(steps, step, &ami).await?;
            (start(steps, step, &original, &origin, name).await?, false)
        }
        Some(ami) => (adopt(steps, step, &ami).await?, true),
        None => (start(steps, step, &original, &origin, name).await?, false),
    };
    (context.note)(&format!("copy {id} of {origin} in {}", step.region));
    let seen = AtomicBool::new(adopted);
    let ami = super::wait::until(
        steps,
        LIMIT,
        &context.cancel,
        &format!("copy {id} in {}", step.region),
        || async { finished(steps, step, &id, &seen).await },
    )
    .await?;
    let myself = Tags::from([(tags::SELF.to_owned(), id.to_string())]);
    steps
        .at(step)?
        .tag(&step.region, &[id.to_string()], &myself)
        .await?;
    Ok(json!({ "ami": id, "origin": origin, "snapshots": ami.snapshots }))
}

/// Makes a half-made copy of a dead run this run's own before anything else: a sweep beside it takes what is a dead run's.
async fn adopt(steps: &Steps, step: &Step, ami: &Ami) -> Result<AmiId> {
    let ids: Vec<String> = [ami.id.to_string()]
        .into_iter()
        .chain(ami.snapshots.iter().map(ToString::to_string))
        .collect();
    let mine = [
        (tags::RUN, steps.run.to_string()),
        (tags::EXPIRES, steps.expires.to_string()),
    ];
    let mine: Tags = mine.map(|(key, value)| (key.to_owned(), value)).into();
    steps.at(step)?.tag(&step.region, &ids, &mine).await?;
    Ok(ami.id.clone())
}

async fn start(
    steps: &Steps,
    step: &Step,
    original: &Ami,
    origin: &str,
    name: &str,
) -> Result<AmiId> {
    let environment = steps.catalog.settings.environment_key.as_str();
    let personal = [
        tags::SELF,
        tags::CURRENT,
        tags::ROLLED_BACK,
        tags::STATE,
        tags::EXPIRES,
        tags::RUN,
        environment,
    ];
    let mut wanted: Tags = original
        .tags
        .iter()
        .filter(|(k, _)| !personal.contains(&k.as_str()) && !k.starts_with(tags::SHARING))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for (key, value) in [
        (tags::STATE, State::Candidate.as_str().to_owned()),
        (tags::ORIGIN, origin.to_owned()),
        (tags::RUN, steps.run.to_string()),
        (tags::EXPIRES, steps.expires.to_string()),
    ] {
        wanted.insert(key.to_owned(), value);
    }
    let account = step.account.as_deref().unwrap_or("");
    let token = Sha256::digest(
        format!("{} {account} {} {}", steps.run, step.region, original.id).as_bytes(),
    );
    let request = CopyRequest {
        source_region: original.region.clone(),
        source: original.id.clone(),
        name: name.to_owned(),
        tags: wanted,
        token: format!("{token:x}").chars().take(48).collect(),
    };
    Ok(steps.at(step)?.copy_image(&step.region, &request).await?)
}

async fn finished(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    seen: &AtomicBool,
) -> Result<Option<Ami>> {
    let Some(ami) = super::tag::find(steps, step, id).await? else {
        // Right after the call EC2 may not know it yet; what was there and is gone does not come back.
        if !seen.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let text = format!(
            "copy {id} in {} was there and is gone: somebody deregistered it",
            step.region
        );
        return Err(Error::new(Kind::StepFailed, text).hint("run again: it is copied anew"));
    };
    seen.store(true, Ordering::Relaxed);
    match ami.status.as_str() {
        "available" => Ok(Some(ami)),
        "pending" => Ok(None),
        other => {
            let why = steps
                .at(step)?
                .why_failed(&step.region, id)
                .await
                .ok()
                .flatten();
            let why = why.map_or_else(String::new, |w| format!(": {w}"));
            let text = format!("copy {id} in {} is {other}{why}", step.region);
            Err(Error::new(Kind::StepFailed, text)
                .hint("run again: a copy that failed is made anew"))
        }
    }
}

/// Takes back the copy that this row made; one that was there before, or that is current by now, stays.
pub(super) async fn undo(
    steps: &Steps,
    step: &Step,
    (source, from, name): (&AmiRef, &Region, &str),
    context: &StepContext<'_>,
) -> Result<()> {
    let origin = format!("{from}:{}", resolve(source, &context.outputs)?);
    match made(steps, step, name).await? {
        Some(ami) if half(steps, &ami, &origin) => super::tag::deregister(steps, step, &ami).await,
        _ => Ok(()),
    }
}

/// Asks EC2 whether an instance of it would start; nothing is started.
pub(super) async fn launchable(
    steps: &Steps,
    step: &Step,
    ami: &AmiRef,
    context: &StepContext<'_>,
) -> Result<Value> {
    let id = resolve(ami, &context.outputs)?;
    let kind = &steps.catalog.settings.builder.instance_type;
    steps
        .at(step)?
        .dry_run_launch(&step.region, &id, kind)
        .await
        .map_err(|e| {
            let text = format!("{id} would not start in {}", step.region);
            Error::new(Kind::StepFailed, text)
                .because(Error::from(e))
                .hint("nothing points at it; mend it and run again")
        })?;
    Ok(json!({ "launchable": id }))
}
