//! Implements the effects of all steps: probe, perform and undo.

mod access;
mod boot;
pub mod build;
pub mod check;
pub mod collect;
mod collect_facts;
mod copy;
mod errors;
mod evidence;
pub mod fence;
mod host_key;
mod keep_failed;
mod move_current;
mod pending_updates;
mod permissions;
mod poll;
mod recheck;
pub mod references;
pub mod reports;
mod retire;
mod set_tags;
mod share;
mod sweep;
mod tag;
#[cfg(test)]
mod tests;
mod withdraw;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::catalog::Catalog;
use crate::engine::{Effects, StepContext, StepOutput};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::tags;
use crate::model::{RunId, Tags, Timestamp};
use crate::plan::{Action, Step};
use crate::ports::{Clock, Cloud, ImageBuilder, Shell, Store, Workspace};
pub use share::Shares;

/// Ports and settings that the steps of one run share.
pub struct Steps {
    /// Catalog of the plan.
    pub catalog: Arc<Catalog>,
    /// ID of the run.
    pub run: RunId,
    /// Expiry of temporary resources.
    pub expires: Timestamp,
    /// EC2, SSM and STS of the builder's account.
    pub cloud: Arc<dyn Cloud>,
    /// Clouds of the other accounts that environments name.
    pub others: BTreeMap<String, Arc<dyn Cloud>>,
    /// Packer.
    pub builder: Arc<dyn ImageBuilder>,
    /// SSH.
    pub shell: Arc<dyn Shell>,
    /// Run directory.
    pub workspace: Arc<dyn Workspace>,
    /// Store of evidence, manifests and recorded permissions.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// EC2 endpoint if it is not Amazon's. Polling is faster there.
    pub endpoint: Option<String>,
    /// Path of the bakeline program, for the build-phase checks.
    pub program: PathBuf,
    /// True to keep failed resources for inspection until they expire.
    pub keep_failed: bool,
    /// Commit, for the environment of scripts.
    pub commit: Option<String>,
    /// Copies to other accounts that are in progress.
    pub shares: Shares,
    /// SSM parameters that contain AMI IDs.
    pub parameter_references: references::ParameterReferences,
}

#[async_trait]
impl Effects for Steps {
    async fn probe(&self, step: &Step, context: &StepContext<'_>) -> Result<Option<StepOutput>> {
        match &step.action {
            Action::CreateGroup { name } => access::find_group(self, step, name).await,
            Action::Build { .. } => build::probe(self, step, context).await,
            Action::Deregister { ami, .. } => retire::probe_deregister(self, step, ami).await,
            Action::Share { .. }
            | Action::Unshare { .. }
            | Action::Copy { .. }
            | Action::Launchable { .. }
            | Action::Mark { .. }
            | Action::Withdraw { .. }
            | Action::Publish { .. }
            | Action::Unpublish { .. }
            | Action::Remember { .. }
            | Action::Forget { .. }
            | Action::Unread { .. }
            | Action::TagCandidate { .. }
            | Action::CreateKeyPair { .. }
            | Action::Boot { .. }
            | Action::CheckBoot { .. }
            | Action::Terminate { .. }
            | Action::DeleteGroup { .. }
            | Action::DeleteKeyPair { .. }
            | Action::Sweep { .. }
            | Action::Discard { .. }
            | Action::CheckAgain { .. }
            | Action::Retag { .. }
            | Action::Probe { .. }
            | Action::Inspect { .. }
            | Action::Deprecate { .. }
            | Action::Disable { .. }
            | Action::Restore { .. }
            | Action::Unpoint { .. }
            | Action::MoveCurrent { .. } => Ok(None),
        }
    }

    async fn perform(&self, step: &Step, context: &StepContext<'_>) -> Result<StepOutput> {
        match &step.action {
            Action::CreateKeyPair { name } => access::create_key(self, step, name).await,
            Action::CreateGroup { name } => access::create_group(self, step, name).await,
            Action::Build { .. } => build::perform(self, step, context).await,
            Action::TagCandidate { ami, tags } => {
                tag::tag_candidate(self, step, ami, tags, context).await
            }
            Action::Boot { image, ami } => boot::perform(self, step, image, ami, context).await,
            Action::CheckBoot { image, instance } => {
                check::perform(self, step, image, instance, context).await
            }
            Action::Terminate { instance } => boot::terminate(self, step, instance, context).await,
            Action::DeleteGroup { name } => access::delete_group(self, step, name).await,
            Action::DeleteKeyPair { name } => access::delete_key(self, step, name).await,
            Action::MoveCurrent { moves } => {
                move_current::perform(self, step, moves, context).await
            }
            Action::Deprecate { ami, was } => retire::deprecate(self, step, ami, *was).await,
            Action::Disable { ami, shared_ok } => {
                retire::disable(self, step, ami, *shared_ok).await
            }
            Action::Deregister { ami, shared_ok } => {
                retire::deregister(self, step, ami, *shared_ok).await
            }
            Action::Restore { ami } => retire::restore(self, step, ami).await,
            Action::Unpoint {
                ami,
                current,
                pointers,
            } => retire::clear_pointers(self, step, ami, current, pointers).await,
            Action::Discard { ami_name } => build::delete(self, step, ami_name).await,
            Action::Sweep { thing } => sweep::perform(self, step, thing, context).await,
            Action::Share { ami, account } => share::share(self, step, ami, account, context).await,
            Action::Unshare { ami, account } => {
                share::unshare(self, step, ami, account, context).await
            }
            Action::Copy { source, from, name } => {
                copy::perform(self, step, (source, from, name), context).await
            }
            Action::Launchable { ami } => copy::test_launch(self, step, ami, context).await,
            Action::Mark { amis, before, tags } => {
                set_tags::perform(self, step, amis, before, tags).await
            }
            Action::Withdraw {
                amis,
                moves,
                unpublish,
            } => withdraw::perform(self, step, amis, (moves, unpublish), context).await,
            Action::Publish { pointer, ami } => {
                set_tags::publish(self, step, pointer, ami, context).await
            }
            Action::Unpublish { pointer } => set_tags::unpublish(self, step, pointer).await,
            Action::CheckAgain {
                image,
                version,
                instance,
            } => recheck::check(self, step, image, *version, instance, context).await,
            Action::Retag { .. } => recheck::retag(self, step, context).await,
            Action::Probe {
                image,
                version,
                ami,
                instance,
            } => pending_updates::perform(self, image, *version, ami, instance, context).await,
            Action::Remember { key, text } => evidence::put_object(self, step, key, text).await,
            Action::Forget { key } => evidence::delete_object(self, step, key).await,
            Action::Inspect { image, instance } => {
                collect_facts::perform(self, step, image, instance, context).await
            }
            Action::Unread { why } => Err(Error::new(Kind::StepFailed, why.clone())
                .hint("nothing was changed there; run again when the location responds")),
        }
    }

    async fn keep_for_inspection(&self, scope: &str) -> Result<Vec<String>> {
        keep_failed::describe_kept(self, scope).await
    }

    async fn undo(
        &self,
        step: &Step,
        output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        match &step.action {
            Action::CreateKeyPair { name } => access::delete_key(self, step, name).await.map(drop),
            Action::CreateGroup { name } => access::delete_group(self, step, name).await.map(drop),
            Action::Build {
                image, ami_name, ..
            } => build::undo(self, step, image, ami_name).await,
            Action::Boot { image, .. } => boot::undo(self, step, image, output).await,
            Action::MoveCurrent { moves } => move_current::undo(self, step, moves, context).await,
            Action::Retag { .. } => recheck::undo(self, step).await,
            Action::Deprecate { ami, was } => retire::undo_deprecate(self, step, ami, *was).await,
            Action::Disable { ami, .. } => retire::undo_disable(self, step, ami).await,
            Action::Unpoint {
                ami,
                current,
                pointers,
            } => retire::undo_clear_pointers(self, step, ami, current, pointers).await,
            Action::Share { ami, account } => share::unshare(self, step, ami, account, context)
                .await
                .map(drop),
            Action::Copy { source, from, name } => {
                copy::undo(self, step, (source, from, name), context).await
            }
            Action::Mark { amis, before, tags } => {
                set_tags::undo(self, step, amis, before, tags).await
            }
            Action::Unshare { .. }
            | Action::Launchable { .. }
            | Action::Withdraw { .. }
            | Action::Publish { .. }
            | Action::Unpublish { .. }
            | Action::Remember { .. }
            | Action::Forget { .. }
            | Action::Unread { .. }
            | Action::TagCandidate { .. }
            | Action::CheckBoot { .. }
            | Action::Terminate { .. }
            | Action::DeleteGroup { .. }
            | Action::DeleteKeyPair { .. }
            | Action::Sweep { .. }
            | Action::Discard { .. }
            | Action::Deregister { .. }
            | Action::Restore { .. }
            | Action::CheckAgain { .. }
            | Action::Inspect { .. }
            | Action::Probe { .. } => Ok(()),
        }
    }
}

impl Steps {
    /// Returns the cloud of the step's account.
    fn cloud_for(&self, step: &Step) -> Result<&dyn Cloud> {
        self.cloud_of(step.account.as_deref())
    }

    /// Returns the cloud of an account. `None` means the builder's account.
    fn cloud_of(&self, account: Option<&str>) -> Result<&dyn Cloud> {
        let Some(account) = account else {
            return Ok(&*self.cloud);
        };
        let known = self.others.get(account).map(|cloud| &**cloud);
        known.ok_or_else(|| {
            Error::input(format!(
                "account {account} is not in any environment of bakeline.yaml"
            ))
            .hint("add the account and its role to the environment in bakeline.yaml")
        })
    }

    /// Returns the tags of a temporary resource. They are set by the call that creates it.
    fn temporary_tags(&self, image: &str) -> Tags {
        let mut tags = self.catalog.settings.builder.tags.clone();
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
            tags.insert(key.to_owned(), value);
        }
        if self.keep_failed {
            tags.insert(tags::KEPT.to_owned(), "until it expires".to_owned());
        }
        tags
    }

    /// Returns the tags that identify this run's temporary resources of an image.
    fn run_tags(&self, image: &str) -> Tags {
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
