//! Grants and removes the permissions of other accounts to launch an AMI of the builder's account.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::grants::{self, Grants};
use crate::lifecycle::{Record, tags};
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
        let mut entries = Entries::new();
        for grant in self.grants {
            let id = context.outputs.ami(&grant.ami)?;
            let new = allow(steps, step, (&id, grant), &mut entries, context).await?;
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
        let mut entries = Entries::new();
        for grant in self.grants {
            let id = context.outputs.ami(&grant.ami)?;
            let given = steps.launches.get(&(id.clone(), grant.env.clone()));
            if given.is_none() && steps.attempt == 0 {
                continue; // The step failed before it granted anything.
            }
            let Some(ami) = ami::find_listed(steps, step, &id).await? else {
                continue;
            };
            match given {
                Some(given) => {
                    forbid(steps, step, &id, &given.receivers).await?;
                    set_entry(steps, step, &ami, (&grant.env, given.digest), &mut entries).await?;
                }
                None => forbid_left_over(steps, step, &ami, grant, &mut entries).await?,
            }
        }
        Ok(())
    }
}

/// Entries of the tag that records the permissions, by AMI. EC2 may not show an entry yet that the
/// same step has written.
type Entries = BTreeMap<AmiId, Grants>;

/// Removes what an earlier attempt of the run granted, by the same rule as `doctor`: the
/// permissions of an environment in which the AMI never was current.
async fn forbid_left_over(
    steps: &Steps,
    step: &Step,
    ami: &Ami,
    grant: &LaunchGrant,
    entries: &mut Entries,
) -> Result<()> {
    let settings = &steps.catalog.settings;
    let Some(record) = Record::read(ami, settings) else {
        return Ok(());
    };
    let left = grants::left_over(settings, &record);
    if left.iter().all(|env| env.name != grant.env) {
        return Ok(());
    }
    let kept = other_receivers(steps, &record, &grant.env);
    let from: Vec<String> = grant
        .to
        .iter()
        .filter(|one| !kept.contains(*one))
        .cloned()
        .collect();
    forbid(steps, step, &ami.id, &from).await?;
    set_entry(steps, step, ami, (&grant.env, None), entries).await
}

/// Returns the receivers that may launch an AMI for other environments than this one.
fn other_receivers(steps: &Steps, record: &Record<'_>, env: &EnvName) -> BTreeSet<String> {
    let granted = grants::parse(record.tag(tags::SHARED));
    let environments = steps.catalog.settings.environments.iter();
    environments
        .filter(|one| one.name != *env && granted.contains_key(&one.name))
        .flat_map(|one| one.receivers(&steps.account))
        .collect()
}

/// Allows the receivers of one environment to launch an AMI. Returns those that could not before.
async fn allow(
    steps: &Steps,
    step: &Step,
    (id, grant): (&AmiId, &LaunchGrant),
    entries: &mut Entries,
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
    // In a later attempt, the existing permissions may be those of the attempt before.
    if steps.attempt == 0 {
        let key = (id.clone(), grant.env.clone());
        steps.launches.record(key, given);
    }
    // The tag comes first, so that the doctor finds the permissions of an interrupted run.
    let digest = grants::digest(&grant.to);
    set_entry(steps, step, &ami, (&grant.env, Some(digest)), entries).await?;
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
    (env, digest): (&EnvName, Option<String>),
    entries: &mut Entries,
) -> Result<()> {
    let read = || grants::parse(ami.tags.get(tags::SHARED).map_or("", String::as_str));
    let of_ami = entries.entry(ami.id.clone()).or_insert_with(read);
    let before = of_ami.clone();
    match digest {
        Some(digest) => of_ami.insert(env.clone(), digest),
        None => of_ami.remove(env),
    };
    if *of_ami == before {
        return Ok(());
    }
    let wanted = Tags::from([(tags::SHARED.to_owned(), grants::format(of_ami))]);
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
        let mut entries = Entries::new();
        for grant in self.grants {
            let id = context.outputs.ami(&grant.ami)?;
            let from = disallow(steps, step, (&id, grant), &mut entries).await?;
            disallowed.entry(id).or_default().extend(from);
        }
        Ok(StepOutput::LaunchDisallowed { disallowed })
    }
}

/// Removes the launch permissions of an environment, or all of a revoked AMI. Returns the receivers
/// that had them.
async fn disallow(
    steps: &Steps,
    step: &Step,
    (id, grant): (&AmiId, &LaunchGrant),
    entries: &mut Entries,
) -> Result<Vec<String>> {
    let Some(ami) = ami::find_listed(steps, step, id).await? else {
        return Ok(Vec::new());
    };
    let record = Record::read(&ami, &steps.catalog.settings);
    let is_used = |r: &Record<'_>| r.state != State::Revoked && r.current.contains_key(&grant.env);
    let Some(record) = record.filter(|record| !is_used(record)) else {
        let text = format!(
            "{id} in {} became current in `{}` since the decision",
            step.region, grant.env
        );
        return Err(Error::new(ErrorKind::Refused, text).hint("run `bakeline doctor` again"));
    };
    let (removed, others) = split_permissions(steps, step, &record, grant).await?;
    forbid(steps, step, id, &removed).await?;
    if !others.is_empty() && !is_known_digest(steps, &record, &grant.env) {
        return Err(unknown_receivers(step, id, &grant.env, &others));
    }
    set_entry(steps, step, &ami, (&grant.env, None), entries).await?;
    Ok(removed)
}

/// Returns the permissions to remove, and those that no environment of the catalog explains.
async fn split_permissions(
    steps: &Steps,
    step: &Step,
    record: &Record<'_>,
    grant: &LaunchGrant,
) -> Result<(Vec<String>, Vec<String>)> {
    let cloud = steps.cloud_for(step)?;
    let existing = cloud.permissions(&step.region, &record.ami.id).await?;
    let is_revoked = record.state == State::Revoked;
    let (removed, mut others): (Vec<String>, Vec<String>) = existing
        .into_iter()
        .partition(|one| is_revoked || grant.to.contains(one));
    let kept = other_receivers(steps, record, &grant.env);
    others.retain(|one| !kept.contains(one));
    Ok((removed, others))
}

/// Returns whether the recorded receivers of an environment are those of the catalog.
fn is_known_digest(steps: &Steps, record: &Record<'_>, env: &EnvName) -> bool {
    let found = steps.catalog.settings.environment(env);
    found.is_some_and(|one| grants::is_granted(record, env, &one.receivers(&steps.account)))
}

fn unknown_receivers(step: &Step, id: &AmiId, env: &EnvName, others: &[String]) -> Error {
    let text = format!(
        "the receivers of `{env}` have changed since {id} in {} was shared, and {} may still launch it",
        step.region,
        others.join(", ")
    );
    Error::new(ErrorKind::Stuck, text).hint(format!(
        "remove the permissions that are not needed with `aws ec2 modify-image-attribute --region {} --image-id \
         {id} --launch-permission Remove=[…]`, then run `bakeline doctor --apply` again",
        step.region
    ))
}

/// Removes all launch permissions of those AMIs that this catalog shares, including permissions
/// that bakeline did not grant, and returns the IDs of these AMIs. The tag that records the
/// permissions stays.
pub(in crate::steps) async fn withdraw_launches(
    steps: &Steps,
    step: &Step,
    amis: &[AmiId],
) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for id in amis {
        let ami = ami::find_listed(steps, step, id).await?;
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
