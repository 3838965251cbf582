//! Owns the small repairs and marks: tags of several AMIs in one call, a pointer written or deleted alone.

use serde_json::{Value, json};

use super::{Steps, current};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, AmiId, State, Tags};
use crate::plan::Step;

/// Sets the tags on all of them at once; each must still be ours and be as the decision saw it.
pub(super) async fn perform(
    steps: &Steps,
    step: &Step,
    amis: &[AmiId],
    before: &Tags,
    wanted: &Tags,
) -> Result<Value> {
    let found = ours(steps, step, amis).await?;
    for ami in &found {
        current::unmoved(&ami.tags, before, wanted, &ami.id, &step.region)?;
    }
    current::set(steps, step, &found, wanted).await?;
    Ok(json!({ "tagged": amis, "tags": wanted }))
}

/// Puts back what was before, where the plan knows it; a withdrawal is not taken back.
pub(super) async fn undo(
    steps: &Steps,
    step: &Step,
    amis: &[AmiId],
    before: &Tags,
    wanted: &Tags,
) -> Result<()> {
    let withdrawn = wanted
        .get(tags::STATE)
        .is_some_and(|s| s == State::Revoked.as_str());
    if before.is_empty() || withdrawn {
        return Ok(());
    }
    let mut found = ours(steps, step, amis).await?;
    found.retain(|ami| {
        wanted
            .iter()
            .all(|(k, v)| ami.tags.get(k).map_or("", String::as_str) == v)
    });
    current::set(steps, step, &found, before).await
}

async fn ours(steps: &Steps, step: &Step, amis: &[AmiId]) -> Result<Vec<Ami>> {
    let mut found = Vec::new();
    for id in amis {
        let ami = super::tag::ami(steps, step, id).await?;
        if Record::read(&ami, &steps.catalog.settings.name).is_none() {
            let text = format!(
                "{id} in {}: its tags no longer say that this catalog made it",
                step.region
            );
            return Err(Error::new(Kind::Refused, text).hint("look at its tags, then run again"));
        }
        found.push(ami);
    }
    Ok(found)
}

/// Makes the pointer say what the tags say, after asking the tags once more.
pub(super) async fn publish(
    steps: &Steps,
    step: &Step,
    pointer: &str,
    ami: &AmiId,
    context: &StepContext<'_>,
) -> Result<Value> {
    let found = ours(steps, step, std::slice::from_ref(ami)).await?;
    let usable = found
        .iter()
        .filter_map(|a| Record::read(a, &steps.catalog.settings.name))
        .all(|r| r.is_usable());
    if !usable {
        let text = format!("{ami} in {} can't be published any more", step.region);
        return Err(Error::new(Kind::Refused, text).hint("run `bakeline doctor` again"));
    }
    current::publish(steps, step, pointer, ami, context).await?;
    Ok(json!({ "pointer": pointer, "ami": ami }))
}

/// Deletes the pointer.
pub(super) async fn unpublish(steps: &Steps, step: &Step, pointer: &str) -> Result<Value> {
    steps
        .at(step)?
        .delete_parameter(&step.region, pointer)
        .await?;
    Ok(json!({ "deleted": pointer }))
}
