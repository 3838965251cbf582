//! Lets another account copy an AMI while the copy is in progress. Permissions from before stay.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{sharing, tags};
use crate::model::{Ami, AmiId, Sharing, Tags, TemporaryResource};
use crate::plan::{AmiRef, Step};
use crate::steps::ami;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::copy;
use crate::steps::publish::shares::merge;

/// End of a copy to another account.
pub(in crate::steps) struct Unshare<'a> {
    pub(in crate::steps) ami: &'a AmiRef,
    pub(in crate::steps) account: &'a str,
}

#[async_trait]
impl StepEffect for Unshare<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { ami, account } = *self;
        end_sharing(steps, step, ami, account, context).await
    }
}

fn is_empty(what: &Sharing) -> bool {
    *what == Sharing::default()
}

/// Permission for another account to copy an AMI.
pub(in crate::steps) struct Share<'a> {
    pub(in crate::steps) ami: &'a AmiRef,
    pub(in crate::steps) account: &'a str,
}

#[async_trait]
impl StepEffect for Share<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { ami, account } = *self;
        let id = context.outputs.ami(ami)?;
        let _changes = steps.shares.lock_permissions(&id, account).await;
        let ami = copy::load_original(steps, &step.region, &id).await?;
        steps
            .shares
            .begin(&ami, account, &step.scope, &context.cancel)
            .await?;
        let existing = steps.cloud.sharing(&step.region, &ami, account).await?;
        let mut missing = sharing::full_permission(&ami);
        missing.image &= !existing.image;
        missing
            .snapshots
            .retain(|snapshot| !existing.snapshots.contains(snapshot));
        let given = steps.shares.add_grant(
            &id,
            account,
            merge(missing.clone(), sharing::parse(&ami, account)),
        );
        let tag_value = sharing::format(&ami, &given, &steps.run, steps.expires);
        if tag_value.chars().count() > tags::MAX_VALUE {
            let text = format!(
                "account {account} can already use some of the {} snapshots of {id}",
                ami.snapshots.len()
            );
            return Err(Error::new(
                ErrorKind::StepFailed,
                format!("{text}, and the list of the others does not fit into a tag"),
            )
            .hint("share all snapshots with the account, or none"));
        }
        let key = sharing::tag_key(account);
        if !is_empty(&given) && ami.tags.get(&key) != Some(&tag_value) {
            let note = Tags::from([(key, tag_value.clone())]);
            steps
                .cloud
                .change(&step.region)
                .await?
                .tag(&step.region, &[id.to_string()], &note)
                .await?;
        }
        if !is_empty(&missing) {
            steps
                .cloud
                .change(&step.region)
                .await?
                .share(&step.region, &id, &missing, account, true)
                .await?;
        }
        Ok(StepOutput::Shared {
            shared: id,
            with: account.to_owned(),
            given: tag_value,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        let Self { ami, account } = *self;
        end_sharing(steps, step, ami, account, context)
            .await
            .map(drop)
    }
}

/// Removes the granted permissions after the last copy to the account. Permissions from before
/// stay.
async fn end_sharing(
    steps: &Steps,
    step: &Step,
    ami: &AmiRef,
    account: &str,
    context: &StepContext<'_>,
) -> Result<StepOutput> {
    let id = context.outputs.ami(ami)?;
    let _changes = steps.shares.lock_permissions(&id, account).await;
    let ended = steps.shares.end(&id, account, &step.scope);
    let last = ended.is_some();
    if let Some(ended) = &ended
        && let Some(ami) = ami::find(steps, step, &id).await?
    {
        revoke_grants(
            steps,
            step,
            &ami,
            account,
            merge(ended.given.clone(), sharing::parse(&ami, account)),
        )
        .await?;
    }
    Ok(StepOutput::Unshared {
        original: id,
        ended: last,
    })
}

/// Removes a copy permission of a dead run. Changes nothing if another run has taken it over since
/// the decision.
pub(in crate::steps) async fn remove_permission(
    steps: &Steps,
    step: &Step,
    thing: &TemporaryResource,
) -> Result<()> {
    let (id, account) = (AmiId(thing.id.clone()), thing.name.as_str());
    let Some(ami) = ami::find_listed(steps, step, &id).await? else {
        return Ok(());
    };
    let key = sharing::tag_key(account);
    if ami.tags.get(&key) != thing.tags.get(&key) {
        let text = format!(
            "{id} in {}: tag `{key}` changed since the decision",
            step.region
        );
        return Err(Error::new(ErrorKind::Refused, text).hint("run the command again"));
    }
    revoke_grants(steps, step, &ami, account, sharing::parse(&ami, account)).await
}

/// Removes permissions, then the tag that records them.
async fn revoke_grants(
    steps: &Steps,
    step: &Step,
    ami: &Ami,
    account: &str,
    given: Sharing,
) -> Result<()> {
    if is_empty(&given) {
        return Ok(());
    }
    let cloud = steps.cloud_for(step)?;
    cloud
        .change(&step.region)
        .await?
        .share(&step.region, &ami.id, &given, account, false)
        .await?;
    Ok(cloud
        .change(&step.region)
        .await?
        .untag(
            &step.region,
            &[ami.id.to_string()],
            &[sharing::tag_key(account)],
        )
        .await?)
}
