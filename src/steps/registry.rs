//! Maps each action of a plan to the type that implements it.

use async_trait::async_trait;

use crate::engine::{Effects, StepContext, StepOutput};
use crate::error::Result;
use crate::model::AmiId;
use crate::plan::{Action, Scope, Step};
use crate::steps::access::{boot, credentials, keep_failed};
use crate::steps::build::{adopt, candidate, discard, packer};
use crate::steps::check::{collect_facts, controls, pending_updates, recheck};
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::{
    copy, launch_permissions, move_current, publish_shared, set_tags, share, trial_launch, withdraw,
};
use crate::steps::retire::{clear_pointers, stages, sweep};
use crate::steps::store::objects;
use crate::steps::unreachable;

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
        CreateKeyPair { name } => credentials::CreateKeyPair,
        CreateGroup { name } => credentials::CreateGroup,
        DeleteKeyPair { name } => credentials::DeleteKeyPair,
        DeleteGroup { name } => credentials::DeleteGroup,
        Build { image, version, ami_name, base, tags } => packer::Build,
        Discard { ami_name } => discard::Discard,
        TagCandidate { ami, tags } => candidate::TagCandidate,
        AdoptCandidate { image, ami, ami_name, before } => adopt::AdoptCandidate,
        Boot { image, ami } => boot::Boot,
        Terminate { instance } => boot::Terminate,
        CheckBoot { image, instance } => controls::CheckBoot,
        Recheck { image, version, instance } => recheck::Recheck,
        Retag { image, version, ami, before, after, checked } => recheck::Retag,
        Probe { image, version, ami, instance } => pending_updates::ProbeUpdates,
        Inspect { image, instance } => collect_facts::CollectFacts,
        Share { ami, account } => share::Share,
        Unshare { ami, account } => share::Unshare,
        AllowLaunch { grants } => launch_permissions::AllowLaunch,
        DisallowLaunch { grants } => launch_permissions::DisallowLaunch,
        PublishShared { env, pointer, ami, previous, launch } => publish_shared::PublishShared,
        Copy { source, from, name, kms_key } => copy::Copy,
        Launchable { ami, env } => trial_launch::TestLaunch,
        MoveCurrent { moves } => move_current::MoveCurrent,
        SetTags { amis, before, tags } => set_tags::SetTags,
        Publish { pointer, ami } => set_tags::Publish,
        Unpublish { pointer } => set_tags::Unpublish,
        Withdraw { amis, moves, unpublish } => withdraw::Withdraw,
        Deprecate { ami, was } => stages::Deprecate,
        Disable { ami, shared_ok } => stages::Disable,
        Deregister { ami, shared_ok } => stages::Deregister,
        Restore { ami } => stages::Restore,
        ClearPointers { ami, current, pointers } => clear_pointers::ClearPointers,
        Sweep { resource } => sweep::Sweep,
        PutObject { key, text } => objects::PutObject,
        DeleteObject { key } => objects::DeleteObject,
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

    async fn keep_candidate(&self, failed: &Step, ami: &AmiId) -> Result<String> {
        adopt::keep_candidate(self, failed, ami).await
    }
}
