//! Allows other accounts to launch an AMI of the builder's account, and ends it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{Record, grants, tags};
use crate::model::{Ami, AmiId, EnvName, State, Tags};
use crate::plan::Step;
use crate::plan::step::LaunchGrant;
use crate::steps::ami;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::poll::poll_until;
use crate::steps::publish::launch_grants::GivenLaunch;
use crate::steps::publish::move_current::apply_tags;
use crate::steps::publish::read_back::READ_BACK_LIMIT;

/// Launch permissions for the receivers of environments. The undo removes those that this run
/// granted; others stay.
pub(in crate::steps) struct AllowLaunch<'a> {
    pub(in crate::steps) grants: &'a [LaunchGrant],
}

#[async_trait]
impl StepEffect for AllowLaunch<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let mut allowed: BTreeMap<AmiId, Vec<String>> = BTreeMap::new();
        for grant in self.grants {
            let id = context.outputs.ami(&grant.ami)?;
            let new = allow(steps, step, &id, grant, context).await?;
            allowed.entry(id).or_default().extend(new);
        }
        Ok(StepOutput::LaunchAllowed { allowed })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        for grant in self.grants {
            let id = context.outputs.ami(&grant.ami)?;
            let key = (id.clone(), grant.env.clone());
            let Some(given) = steps.launches.get(&key) else {
                continue;
            };
            let Some(ami) = ami::find(steps, step, &id).await? else {
                continue;
            };
            forbid(steps, step, &id, &given.receivers).await?;
            set_entry(steps, step, &ami, &grant.env, given.digest).await?;
        }
        Ok(())
    }
}

/// Allows the receivers of one environment to launch an AMI. Returns those that could not before.
async fn allow(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    grant: &LaunchGrant,
    context: &StepContext<'_>,
) -> Result<Vec<String>> {
    let ami = require_own(steps, step, id).await?;
    let cloud = steps.cloud_for(step)?;
    let existing = cloud.permissions(&step.region, id).await?;
    let is_missing = |one: &&String| !existing.contains(one);
    let missing: Vec<String> = grant.to.iter().filter(is_missing).cloned().collect();
    let known = grants::parse(ami.tags.get(tags::SHARED).map_or("", String::as_str));
    let given = GivenLaunch {
        digest: known.get(&grant.env).cloned(),
        receivers: missing.clone(),
    };
    steps
        .launches
        .record((id.clone(), grant.env.clone()), given);
    // The tag comes first, so that the doctor finds the permissions of an interrupted run.
    let digest = grants::digest(&grant.to);
    set_entry(steps, step, &ami, &grant.env, Some(digest)).await?;
    if missing.is_empty() {
        return Ok(missing);
    }
    let change = cloud.change(&step.region).await?;
    change.permit(&step.region, id, &missing).await?;
    let what = format!(
        "the launch permissions of {id} in {} to read back",
        step.region
    );
    poll_until(steps, READ_BACK_LIMIT, &context.cancel, &what, || async {
        let now = steps.cloud_for(step)?.permissions(&step.region, id).await?;
        Ok(missing.iter().all(|one| now.contains(one)).then_some(()))
    })
    .await?;
    Ok(missing)
}

/// Returns an AMI that may be launched by others: one of this catalog that is not withdrawn.
async fn require_own(steps: &Steps, step: &Step, id: &AmiId) -> Result<Ami> {
    let ami = ami::require_ami(steps, step, id).await?;
    let state = Record::read(&ami, &steps.catalog.settings).map(|record| record.state);
    let why = match state {
        Some(State::Candidate | State::Released | State::Held) => return Ok(ami),
        Some(state) => format!("it is {}", state.as_str()),
        None => "its tags do not name this catalog".to_owned(),
    };
    let text = format!("{id} in {} cannot be shared: {why}", step.region);
    Err(Error::new(ErrorKind::Refused, text).hint("plan again"))
}

/// Sets or removes the entry of an environment in the tag that records the permissions.
async fn set_entry(
    steps: &Steps,
    step: &Step,
    ami: &Ami,
    env: &EnvName,
    digest: Option<String>,
) -> Result<()> {
    let text = ami.tags.get(tags::SHARED).map_or("", String::as_str);
    let mut entries = grants::parse(text);
    match digest {
        Some(digest) => entries.insert(env.clone(), digest),
        None => entries.remove(env),
    };
    let wanted = grants::format(&entries);
    if wanted == text {
        return Ok(());
    }
    let wanted = Tags::from([(tags::SHARED.to_owned(), wanted)]);
    apply_tags(steps, step, std::slice::from_ref(ami), &wanted).await
}

async fn forbid(steps: &Steps, step: &Step, id: &AmiId, who: &[String]) -> Result<()> {
    if who.is_empty() {
        return Ok(());
    }
    let cloud = steps.cloud_for(step)?.change(&step.region).await?;
    Ok(cloud.forbid(&step.region, id, who).await?)
}

/// Removal of the launch permissions that an interrupted run left.
pub(in crate::steps) struct DisallowLaunch<'a> {
    pub(in crate::steps) grants: &'a [LaunchGrant],
}

#[async_trait]
impl StepEffect for DisallowLaunch<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let mut disallowed: BTreeMap<AmiId, Vec<String>> = BTreeMap::new();
        for grant in self.grants {
            let id = context.outputs.ami(&grant.ami)?;
            let from = disallow(steps, step, &id, grant).await?;
            disallowed.entry(id).or_default().extend(from);
        }
        Ok(StepOutput::LaunchDisallowed { disallowed })
    }
}

/// Removes the launch permissions of an environment. Returns the receivers that had them.
async fn disallow(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    grant: &LaunchGrant,
) -> Result<Vec<String>> {
    let Some(ami) = ami::find(steps, step, id).await? else {
        return Ok(Vec::new());
    };
    let record = Record::read(&ami, &steps.catalog.settings);
    let is_used = |r: &Record<'_>| r.state != State::Revoked && r.current.contains_key(&grant.env);
    if record.as_ref().is_none_or(is_used) {
        let text = format!(
            "{id} in {} became current in `{}` since the decision",
            step.region, grant.env
        );
        return Err(Error::new(ErrorKind::Refused, text).hint("run `bakeline doctor` again"));
    }
    let mut existing = Vec::new();
    // EC2 removed the permissions of a disabled AMI.
    if ami.status != "disabled" {
        existing = steps.cloud_for(step)?.permissions(&step.region, id).await?;
    }
    existing.retain(|one| grant.to.contains(one));
    forbid(steps, step, id, &existing).await?;
    set_entry(steps, step, &ami, &grant.env, None).await?;
    Ok(existing)
}

/// Removes all launch permissions of those AMIs that this catalog shares, also permissions of others, and
/// returns the IDs of these AMIs. The tag that records the permissions stays.
pub(in crate::steps) async fn withdraw_launches(
    steps: &Steps,
    step: &Step,
    amis: &[AmiId],
) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for id in amis {
        let ami = ami::find(steps, step, id).await?;
        let Some(ami) = ami.filter(|ami| ami.tags.contains_key(tags::SHARED)) else {
            continue;
        };
        // EC2 removed the permissions of a disabled AMI.
        if ami.status != "disabled" {
            let existing = steps.cloud_for(step)?.permissions(&step.region, id).await?;
            forbid(steps, step, id, &existing).await?;
        }
        out.push(id.to_string());
    }
    Ok(out)
}
