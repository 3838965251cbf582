//! Owns letting another account copy an AMI, for as long as that takes; what it could use before, it keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::{Steps, copy, resolve, tag};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{Ami, AmiId, SnapshotId, Tags};
use crate::plan::{AmiRef, Step};
use crate::ports::Sharing;

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
        self.all().entry((ami.clone(), account.to_owned())).or_default().scopes.insert(scope.to_owned());
    }

    /// Adds to what is given, before it is; all that the scopes of this run gave.
    fn give(&self, ami: &AmiId, account: &str, more: Sharing) -> Sharing {
        let mut all = self.all();
        let given = &mut all.entry((ami.clone(), account.to_owned())).or_default().given;
        *given = both(given.clone(), more);
        given.clone()
    }

    /// What was given, once nobody copies any more.
    fn end(&self, ami: &AmiId, account: &str, scope: &str) -> Option<Sharing> {
        let mut all = self.all();
        let users = all.entry((ami.clone(), account.to_owned())).or_default();
        users.scopes.remove(scope);
        users.scopes.is_empty().then(|| std::mem::take(&mut users.given))
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

/// The tag that says what of an AMI was given to an account for a copy: a run that dies in the middle leaves it to the next.
fn mark(account: &str) -> String {
    format!("{}{account}", tags::SHARING)
}

/// Everything that an account needs to copy an AMI.
fn everything(ami: &Ami) -> Sharing {
    Sharing { image: true, snapshots: ami.snapshots.iter().cloned().collect() }
}

/// The tag's text: `all`, or `ami` and the snapshots, as far as they were given.
fn text(ami: &Ami, given: &Sharing) -> String {
    if *given == everything(ami) {
        return "all".to_owned();
    }
    let snapshots = given.snapshots.iter().map(SnapshotId::as_str);
    given.image.then_some("ami").into_iter().chain(snapshots).collect::<Vec<_>>().join(" ")
}

/// What the tag says, of what the AMI has.
fn marked(ami: &Ami, account: &str) -> Sharing {
    let text = ami.tags.get(&mark(account)).map_or("", String::as_str);
    if text == "all" {
        return everything(ami);
    }
    let has = |what: &str| text.split_whitespace().any(|word| word == what);
    let snapshots = ami.snapshots.iter().filter(|s| has(s.as_str())).cloned().collect();
    Sharing { image: has("ami"), snapshots }
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
    let mut lacks = everything(&ami);
    lacks.image &= !has.image;
    lacks.snapshots.retain(|snapshot| !has.snapshots.contains(snapshot));
    let given = steps.shares.give(&id, account, both(lacks.clone(), marked(&ami, account)));
    let words = text(&ami, &given);
    if words.chars().count() > tags::MAX_VALUE {
        let text = format!("account {account} may use some of the {} snapshots of {id} already", ami.snapshots.len());
        return Err(Error::new(Kind::StepFailed, format!("{text}, and which it gets does not fit into a tag"))
            .hint("share all of them with it, or none"));
    }
    if given != marked(&ami, account) {
        let note = Tags::from([(mark(account), words.clone())]);
        steps.cloud.tag(&step.region, &[id.to_string()], &note).await?;
    }
    if !nothing(&lacks) {
        steps.cloud.share(&step.region, &id, &lacks, account, true).await?;
    }
    Ok(json!({ "shared": id, "with": account, "given": words }))
}

/// Takes back what was given, once no copy to the account is under way; what it had before stays.
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
        let given = both(given, marked(&ami, account));
        if !nothing(&given) {
            steps.cloud.share(&step.region, &id, &given, account, false).await?;
            steps.cloud.untag(&step.region, &[id.to_string()], &[mark(account)]).await?;
        }
    }
    Ok(json!({ "original": id, "ended": last }))
}
