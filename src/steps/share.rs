//! Owns letting another account copy an AMI, for as long as that takes; what it could use before, it keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::{Steps, copy, resolve, tag};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{sharing, tags};
use crate::model::{Ami, AmiId, Sharing, Tags, TemporaryResource};
use crate::plan::{AmiRef, Step};

/// Which scopes copy an AMI to an account just now, and what the account was given for it: the last one takes it back.
#[derive(Debug, Default)]
pub struct Shares(Mutex<BTreeMap<(AmiId, String), Use>>);

#[derive(Debug, Default)]
struct Use {
    scopes: BTreeSet<String>,
    given: Sharing,
}

impl Shares {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(AmiId, String), Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, ami: &AmiId, account: &str, scope: &str) {
        self.all()
            .entry((ami.clone(), account.to_owned()))
            .or_default()
            .scopes
            .insert(scope.to_owned());
    }

    /// Adds to what is given, before it is; all that the scopes of this run gave.
    fn give(&self, ami: &AmiId, account: &str, more: Sharing) -> Sharing {
        let mut all = self.all();
        let given = &mut all
            .entry((ami.clone(), account.to_owned()))
            .or_default()
            .given;
        *given = both(given.clone(), more);
        given.clone()
    }

    /// What was given, once nobody copies any more.
    fn end(&self, ami: &AmiId, account: &str, scope: &str) -> Option<Sharing> {
        let mut all = self.all();
        let users = all.entry((ami.clone(), account.to_owned())).or_default();
        users.scopes.remove(scope);
        users
            .scopes
            .is_empty()
            .then(|| std::mem::take(&mut users.given))
    }
}

fn both(mut one: Sharing, other: Sharing) -> Sharing {
    one.image |= other.image;
    one.snapshots.extend(other.snapshots);
    one
}

fn nothing(what: &Sharing) -> bool {
    *what == Sharing::default()
}

pub(super) async fn share(
    steps: &Steps,
    step: &Step,
    ami: &AmiRef,
    account: &str,
    context: &StepContext<'_>,
) -> Result<Value> {
    let id = resolve(ami, &context.outputs)?;
    steps.shares.begin(&id, account, &step.scope);
    let ami = copy::original(steps, &step.region, &id).await?;
    let has = steps.cloud.sharing(&step.region, &ami, account).await?;
    let mut lacks = sharing::full_permission(&ami);
    lacks.image &= !has.image;
    lacks
        .snapshots
        .retain(|snapshot| !has.snapshots.contains(snapshot));
    let given = steps.shares.give(
        &id,
        account,
        both(lacks.clone(), sharing::parse(&ami, account)),
    );
    let words = sharing::format(&ami, &given, &steps.run, steps.expires);
    if words.chars().count() > tags::MAX_VALUE {
        let text = format!(
            "account {account} may use some of the {} snapshots of {id} already",
            ami.snapshots.len()
        );
        return Err(Error::new(
            Kind::StepFailed,
            format!("{text}, and the list of the others does not fit into a tag"),
        )
        .hint("share all of them with it, or none"));
    }
    let key = sharing::tag_key(account);
    if !nothing(&given) && ami.tags.get(&key) != Some(&words) {
        let note = Tags::from([(key, words.clone())]);
        steps
            .cloud
            .tag(&step.region, &[id.to_string()], &note)
            .await?;
    }
    if !nothing(&lacks) {
        steps
            .cloud
            .share(&step.region, &id, &lacks, account, true)
            .await?;
    }
    Ok(json!({ "shared": id, "with": account, "given": words }))
}

/// Removes what was given, once no copy to the account is under way; permissions from before stay.
pub(super) async fn unshare(
    steps: &Steps,
    step: &Step,
    ami: &AmiRef,
    account: &str,
    context: &StepContext<'_>,
) -> Result<Value> {
    let id = resolve(ami, &context.outputs)?;
    let given = steps.shares.end(&id, account, &step.scope);
    let last = given.is_some();
    if let Some(given) = given
        && let Some(ami) = tag::find(steps, step, &id).await?
    {
        remove(
            steps,
            step,
            &ami,
            account,
            both(given, sharing::parse(&ami, account)),
        )
        .await?;
    }
    Ok(json!({ "original": id, "ended": last }))
}

/// Removes a copy permission that a dead run left. If another run took it over since the decision, nothing is changed.
pub(super) async fn sweep(steps: &Steps, step: &Step, thing: &TemporaryResource) -> Result<()> {
    let (id, account) = (AmiId(thing.id.clone()), thing.name.as_str());
    let Some(ami) = tag::find(steps, step, &id).await? else {
        return Ok(());
    };
    let key = sharing::tag_key(account);
    if ami.tags.get(&key) != thing.tags.get(&key) {
        let text = format!(
            "{id} in {}: tag `{key}` changed since the decision",
            step.region
        );
        return Err(Error::new(Kind::Refused, text).hint("run the command again"));
    }
    remove(steps, step, &ami, account, sharing::parse(&ami, account)).await
}

/// Removes permissions, and last the tag that records them.
async fn remove(
    steps: &Steps,
    step: &Step,
    ami: &Ami,
    account: &str,
    given: Sharing,
) -> Result<()> {
    if nothing(&given) {
        return Ok(());
    }
    let cloud = steps.at(step)?;
    cloud
        .share(&step.region, &ami.id, &given, account, false)
        .await?;
    Ok(cloud
        .untag(
            &step.region,
            &[ami.id.to_string()],
            &[sharing::tag_key(account)],
        )
        .await?)
}
