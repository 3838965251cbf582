//! Implements the effects of all steps: probe, perform and undo.

mod access;
mod boot;
pub mod build;
pub mod check;
mod clear_pointers;
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
mod unreachable;
mod withdraw;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::catalog::Catalog;
use crate::engine::{Effects, StepContext, StepOutput};
use crate::error::{Error, Result};
use crate::lifecycle::tags;
use crate::model::{RunId, Tags, Timestamp};
use crate::plan::{Action, Scope, Step};
use crate::ports::{Clock, ImageBuilder, Shell, Store, Workspace};
use fence::FencedCloud;
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
    pub cloud: FencedCloud,
    /// Clouds of the other accounts that environments name.
    pub others: BTreeMap<String, FencedCloud>,
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

/// Effect of one kind of step. Every method is idempotent.
#[async_trait]
trait StepEffect: Send + Sync {
    /// Returns the output if the effect exists already.
    async fn probe(
        &self,
        _steps: &Steps,
        _step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<Option<StepOutput>> {
        Ok(None)
    }

    /// Performs the effect.
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput>;

    /// Undoes the effect. `output` is absent if the step failed, so the effect may be partial.
    async fn undo(
        &self,
        _steps: &Steps,
        _step: &Step,
        _output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        Ok(())
    }
}

/// Returns the effect of an action: one line `Action variant => type` for each kind of step. The
/// fields of the variant and the type have the same names.
macro_rules! effects {
    ($action:expr; $($variant:ident { $($field:ident),* } => $module:ident::$effect:ident),*
        $(,)?) => {
        match $action {
            $(Action::$variant { $($field),* } => {
                Box::new($module::$effect { $($field),* }) as Box<dyn StepEffect + '_>
            })*
        }
    };
}

fn effect_of(action: &Action) -> Box<dyn StepEffect + '_> {
    effects! { action;
        CreateKeyPair { name } => access::CreateKeyPair,
        CreateGroup { name } => access::CreateGroup,
        DeleteKeyPair { name } => access::DeleteKeyPair,
        DeleteGroup { name } => access::DeleteGroup,
        Build { image, version, ami_name, base, tags } => build::Build,
        Discard { ami_name } => build::Discard,
        TagCandidate { ami, tags } => tag::TagCandidate,
        Boot { image, ami } => boot::Boot,
        Terminate { instance } => boot::Terminate,
        CheckBoot { image, instance } => check::CheckBoot,
        Recheck { image, version, instance } => recheck::Recheck,
        Retag { image, version, ami, before, after, checked } => recheck::Retag,
        Probe { image, version, ami, instance } => pending_updates::ProbeUpdates,
        Inspect { image, instance } => collect_facts::CollectFacts,
        Share { ami, account } => share::Share,
        Unshare { ami, account } => share::Unshare,
        Copy { source, from, name } => copy::Copy,
        Launchable { ami } => copy::TestLaunch,
        MoveCurrent { moves } => move_current::MoveCurrent,
        SetTags { amis, before, tags } => set_tags::SetTags,
        Publish { pointer, ami } => set_tags::Publish,
        Unpublish { pointer } => set_tags::Unpublish,
        Withdraw { amis, moves, unpublish } => withdraw::Withdraw,
        Deprecate { ami, was } => retire::Deprecate,
        Disable { ami, shared_ok } => retire::Disable,
        Deregister { ami, shared_ok } => retire::Deregister,
        Restore { ami } => retire::Restore,
        ClearPointers { ami, current, pointers } => clear_pointers::ClearPointers,
        Sweep { resource } => sweep::Sweep,
        PutObject { key, text } => evidence::PutObject,
        DeleteObject { key } => evidence::DeleteObject,
        Unreachable { why } => unreachable::Unreachable,
    }
}

#[async_trait]
impl Effects for Steps {
    async fn probe(&self, step: &Step, context: &StepContext<'_>) -> Result<Option<StepOutput>> {
        effect_of(&step.action).probe(self, step, context).await
    }

    async fn perform(&self, step: &Step, context: &StepContext<'_>) -> Result<StepOutput> {
        effect_of(&step.action).perform(self, step, context).await
    }

    async fn undo(
        &self,
        step: &Step,
        output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        let effect = effect_of(&step.action);
        effect.undo(self, step, output, context).await
    }

    async fn keep_for_inspection(&self, scope: &Scope) -> Result<Vec<String>> {
        keep_failed::describe_kept(self, scope).await
    }
}

impl Steps {
    /// Returns the cloud of the step's account.
    fn cloud_for(&self, step: &Step) -> Result<&FencedCloud> {
        self.cloud_of(step.account.as_deref())
    }

    /// Returns the cloud of an account. `None` means the builder's account.
    fn cloud_of(&self, account: Option<&str>) -> Result<&FencedCloud> {
        let Some(account) = account else {
            return Ok(&self.cloud);
        };
        let known = self.others.get(account);
        known.ok_or_else(|| {
            Error::input(format!(
                "account {account} is not in any environment of bakeline.yaml"
            ))
            .hint("add the account and its role to the environment in bakeline.yaml")
        })
    }

    /// Returns the tags of a temporary resource. They are set by the call that creates it.
    fn temporary_tags(&self, image: impl Display) -> Tags {
        let mut tags = self.catalog.settings.builder.tags.clone();
        for (key, value) in [
            (tags::CATALOG, self.catalog.settings.name.to_string()),
            (tags::RUN, self.run.to_string()),
            (tags::IMAGE, image.to_string()),
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
    fn run_tags(&self, image: impl Display) -> Tags {
        Tags::from([
            (
                tags::CATALOG.to_owned(),
                self.catalog.settings.name.to_string(),
            ),
            (tags::RUN.to_owned(), self.run.to_string()),
            (tags::IMAGE.to_owned(), image.to_string()),
        ])
    }
}
