//! Owns what each step does to the inventory: probe, perform and undo, one file per kind of thing.

mod access;
mod again;
mod boot;
pub mod build;
pub mod check;
pub mod collect;
mod copy;
mod current;
mod errors;
mod evidence;
pub mod fence;
mod host_key;
mod inspect;
mod keep;
mod mark;
mod permissions;
pub mod references;
pub mod reports;
mod retire;
mod share;
mod sweep;
mod tag;
#[cfg(test)]
mod tests;
mod updates;
mod wait;
mod withdraw;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::engine::{Effects, Outputs, StepContext};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{AmiId, RunId, Tags, Timestamp};
use crate::plan::{Action, AmiRef, Step, StepId};
use crate::ports::{Clock, Cloud, ImageBuilder, Shell, Store, Workspace};
pub use share::Shares;

/// The ports and settings that the steps of one run share.
pub struct Steps {
    /// The catalog the plan was made from.
    pub catalog: Arc<Catalog>,
    /// The run.
    pub run: RunId,
    /// When temporary things expire.
    pub expires: Timestamp,
    /// EC2, SSM, STS of the builder's own account.
    pub cloud: Arc<dyn Cloud>,
    /// The same of the other accounts that environments name.
    pub others: BTreeMap<String, Arc<dyn Cloud>>,
    /// Packer.
    pub builder: Arc<dyn ImageBuilder>,
    /// SSH.
    pub shell: Arc<dyn Shell>,
    /// The run directory.
    pub workspace: Arc<dyn Workspace>,
    /// Evidence, manifests and recorded permissions.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The EC2 endpoint where it is not Amazon's; polling is quicker there.
    pub endpoint: Option<String>,
    /// bakeline's own program, for the build-phase checks.
    pub program: PathBuf,
    /// Whether what fails is left for a person to look at, until it expires.
    pub keep_failed: bool,
    /// The commit, for the scripts' environment.
    pub commit: Option<String>,
    /// The copies under way to other accounts.
    pub shares: Shares,
    /// SSM parameters that contain AMI IDs.
    pub parameter_references: references::ParameterReferences,
}

#[async_trait]
impl Effects for Steps {
    async fn probe(&self, step: &Step, context: &StepContext<'_>) -> Result<Option<Value>> {
        match &step.action {
            Action::CreateGroup { name } => access::find_group(self, step, name).await,
            Action::Build { .. } => build::probe(self, step, context).await,
            Action::Deregister { ami, .. } => retire::probe_deregister(self, step, ami).await,
            Action::Share { .. }
            | Action::Unshare { .. }
            | Action::Copy { .. }
            | Action::Launchable { .. }
            | Action::SetTags { .. }
            | Action::Withdraw { .. }
            | Action::Publish { .. }
            | Action::Unpublish { .. }
            | Action::PutObject { .. }
            | Action::DeleteObject { .. }
            | Action::Unreachable { .. }
            | Action::TagCandidate { .. }
            | Action::CreateKeyPair { .. }
            | Action::Boot { .. }
            | Action::CheckBoot { .. }
            | Action::Terminate { .. }
            | Action::DeleteGroup { .. }
            | Action::DeleteKeyPair { .. }
            | Action::Sweep { .. }
            | Action::Discard { .. }
            | Action::Recheck { .. }
            | Action::Retag { .. }
            | Action::Probe { .. }
            | Action::Inspect { .. }
            | Action::Deprecate { .. }
            | Action::Disable { .. }
            | Action::Restore { .. }
            | Action::ClearPointers { .. }
            | Action::MoveCurrent { .. } => Ok(None),
        }
    }

    async fn perform(&self, step: &Step, context: &StepContext<'_>) -> Result<Value> {
        match &step.action {
            Action::CreateKeyPair { name } => access::create_key(self, step, name).await,
            Action::CreateGroup { name } => access::create_group(self, step, name).await,
            Action::Build { .. } => build::perform(self, step, context).await,
            Action::TagCandidate { ami, tags } => {
                tag::candidate(self, step, ami, tags, context).await
            }
            Action::Boot { image, ami } => boot::perform(self, step, image, ami, context).await,
            Action::CheckBoot { image, instance } => {
                check::perform(self, step, image, instance, context).await
            }
            Action::Terminate { instance } => boot::terminate(self, step, instance, context).await,
            Action::DeleteGroup { name } => access::delete_group(self, step, name).await,
            Action::DeleteKeyPair { name } => access::delete_key(self, step, name).await,
            Action::MoveCurrent { moves } => current::perform(self, step, moves, context).await,
            Action::Deprecate { ami, was } => retire::deprecate(self, step, ami, *was).await,
            Action::Disable { ami, shared_ok } => {
                retire::disable(self, step, ami, *shared_ok).await
            }
            Action::Deregister { ami, shared_ok } => {
                retire::deregister(self, step, ami, *shared_ok).await
            }
            Action::Restore { ami } => retire::restore(self, step, ami).await,
            Action::ClearPointers {
                ami,
                current,
                pointers,
            } => retire::unpoint(self, step, ami, current, pointers).await,
            Action::Discard { ami_name } => build::throw_away(self, step, ami_name).await,
            Action::Sweep { resource: thing } => sweep::perform(self, step, thing, context).await,
            Action::Share { ami, account } => share::share(self, step, ami, account, context).await,
            Action::Unshare { ami, account } => {
                share::unshare(self, step, ami, account, context).await
            }
            Action::Copy { source, from, name } => {
                copy::perform(self, step, (source, from, name), context).await
            }
            Action::Launchable { ami } => copy::launchable(self, step, ami, context).await,
            Action::SetTags { amis, before, tags } => {
                mark::perform(self, step, amis, before, tags).await
            }
            Action::Withdraw {
                amis,
                moves,
                unpublish,
            } => withdraw::perform(self, step, amis, (moves, unpublish), context).await,
            Action::Publish { pointer, ami } => {
                mark::publish(self, step, pointer, ami, context).await
            }
            Action::Unpublish { pointer } => mark::unpublish(self, step, pointer).await,
            Action::Recheck {
                image,
                version,
                instance,
            } => again::check(self, step, image, *version, instance, context).await,
            Action::Retag { .. } => again::retag(self, step, context).await,
            Action::Probe {
                image,
                version,
                ami,
                instance,
            } => updates::perform(self, image, *version, ami, instance, context).await,
            Action::PutObject { key, text } => evidence::remember(self, step, key, text).await,
            Action::DeleteObject { key } => evidence::forget(self, step, key).await,
            Action::Inspect { image, instance } => {
                inspect::perform(self, step, image, instance, context).await
            }
            Action::Unreachable { why } => Err(Error::new(Kind::StepFailed, why.clone())
                .hint("nothing was changed there; run again when it answers")),
        }
    }

    async fn keep(&self, scope: &str) -> Result<Vec<String>> {
        keep::what_failed(self, scope).await
    }

    async fn undo(
        &self,
        step: &Step,
        output: Option<&Value>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        match &step.action {
            Action::CreateKeyPair { name } => access::delete_key(self, step, name).await.map(drop),
            Action::CreateGroup { name } => access::delete_group(self, step, name).await.map(drop),
            Action::Build {
                image, ami_name, ..
            } => build::undo(self, step, image, ami_name).await,
            Action::Boot { image, .. } => boot::undo(self, step, image, output).await,
            Action::MoveCurrent { moves } => current::undo(self, step, moves, context).await,
            Action::Retag { .. } => again::undo(self, step).await,
            Action::Deprecate { ami, was } => retire::undo_deprecate(self, step, ami, *was).await,
            Action::Disable { ami, .. } => retire::undo_disable(self, step, ami).await,
            Action::ClearPointers {
                ami,
                current,
                pointers,
            } => retire::undo_unpoint(self, step, ami, current, pointers).await,
            Action::Share { ami, account } => share::unshare(self, step, ami, account, context)
                .await
                .map(drop),
            Action::Copy { source, from, name } => {
                copy::undo(self, step, (source, from, name), context).await
            }
            Action::SetTags { amis, before, tags } => {
                mark::undo(self, step, amis, before, tags).await
            }
            Action::Unshare { .. }
            | Action::Launchable { .. }
            | Action::Withdraw { .. }
            | Action::Publish { .. }
            | Action::Unpublish { .. }
            | Action::PutObject { .. }
            | Action::DeleteObject { .. }
            | Action::Unreachable { .. }
            | Action::TagCandidate { .. }
            | Action::CheckBoot { .. }
            | Action::Terminate { .. }
            | Action::DeleteGroup { .. }
            | Action::DeleteKeyPair { .. }
            | Action::Sweep { .. }
            | Action::Discard { .. }
            | Action::Deregister { .. }
            | Action::Restore { .. }
            | Action::Recheck { .. }
            | Action::Inspect { .. }
            | Action::Probe { .. } => Ok(()),
        }
    }
}

impl Steps {
    /// The cloud a step acts on: that of its account.
    fn at(&self, step: &Step) -> Result<&dyn Cloud> {
        self.cloud_of(step.account.as_deref())
    }

    /// Returns the cloud of an account; none is the builder's own.
    fn cloud_of(&self, account: Option<&str>) -> Result<&dyn Cloud> {
        let Some(account) = account else {
            return Ok(&*self.cloud);
        };
        let known = self.others.get(account).map(|cloud| &**cloud);
        known.ok_or_else(|| {
            Error::input(format!(
                "account {account} is in no environment of bakeline.yaml"
            ))
            .hint("add the account and its role to the environment in bakeline.yaml")
        })
    }

    /// The tags every temporary thing carries from the call that creates it.
    fn temporary_tags(&self, image: &str) -> Tags {
        let mut out = self.catalog.settings.builder.tags.clone();
        for (key, value) in [
            (tags::CATALOG, self.catalog.settings.name.to_string()),
            (tags::RUN, self.run.to_string()),
            (tags::IMAGE, image.to_owned()),
            (tags::EXPIRES, self.expires.to_string()),
            (
                tags::NAME,
                format!("bakeline {} {image}", self.catalog.settings.name),
            ),
        ] {
            out.insert(key.to_owned(), value);
        }
        if self.keep_failed {
            out.insert(tags::KEPT.to_owned(), "until it expires".to_owned());
        }
        out
    }

    /// The tags by which this run's temporary things of one image are found again.
    fn mine(&self, image: &str) -> Tags {
        Tags::from([
            (
                tags::CATALOG.to_owned(),
                self.catalog.settings.name.to_string(),
            ),
            (tags::RUN.to_owned(), self.run.to_string()),
            (tags::IMAGE.to_owned(), image.to_owned()),
        ])
    }
}

/// Resolves an AMI that may be the output of an earlier step.
fn resolve(ami: &AmiRef, outputs: &Outputs) -> Result<AmiId> {
    match ami {
        AmiRef::Known(id) => Ok(id.clone()),
        AmiRef::MadeBy(step) => text_of(outputs, step, "ami").map(AmiId),
    }
}

/// A text in an earlier step's output.
fn text_of(outputs: &Outputs, step: &StepId, key: &str) -> Result<String> {
    let value = outputs
        .get(step)
        .and_then(|o| o.get(key))
        .and_then(Value::as_str);
    value.map(str::to_owned).ok_or_else(|| {
        Error::new(
            Kind::StepFailed,
            format!("a defect: step {step} left no `{key}`"),
        )
    })
}
