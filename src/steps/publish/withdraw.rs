//! Revokes AMIs in one location, together with the pointers that name them.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Result};
use crate::lifecycle::tags;
use crate::model::{AmiId, State, Tags};
use crate::plan::Step;
use crate::plan::step::Move;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::launch_permissions;
use crate::steps::publish::move_current;
use crate::steps::publish::read_back::settle_tags;
use crate::steps::publish::set_tags;

/// Revocation of AMIs in one location. Tags them as revoked, removes their launch permissions, moves the
/// pointers that name them, and last removes the tags that say where they were current and shared. A repeated revocation reads the
/// remaining pointers from these tags, so they stay if a pointer cannot be moved.
pub(in crate::steps) struct Withdraw<'a> {
    pub(in crate::steps) amis: &'a [AmiId],
    pub(in crate::steps) moves: &'a [Move],
    pub(in crate::steps) unpublish: &'a [String],
}

#[async_trait]
impl StepEffect for Withdraw<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            amis,
            moves,
            unpublish,
        } = *self;
        let state = Tags::from([(tags::STATE.to_owned(), State::Revoked.as_str().to_owned())]);
        set_tags::set_tags(steps, step, amis, &Tags::new(), &state).await?;
        let mut failures = Vec::new();
        let mut shared = Vec::new();
        match launch_permissions::withdraw_launches(steps, step, amis).await {
            Ok(withdrawn) => shared = withdrawn,
            Err(error) => failures.push(error),
        }
        for movement in moves {
            failures.extend(
                move_current::make_current(steps, step, movement, context)
                    .await
                    .err(),
            );
        }
        for pointer in unpublish {
            let deleted = match steps.cloud_for(step)?.change(&step.region).await {
                Ok(cloud) => cloud.delete_parameter(&step.region, pointer).await,
                Err(error) => Err(error),
            };
            failures.extend(deleted.err().map(Error::from));
        }
        if let Some(error) = failures.into_iter().reduce(join_errors) {
            return Err(error.hint(
                "the AMIs are revoked; run the command again to move the remaining pointers and to remove the \
                 remaining launch permissions",
            ));
        }
        let claims = [tags::CURRENT, &steps.catalog.settings.environment_key];
        let removed: Tags = claims.map(|key| (key.to_owned(), String::new())).into();
        set_tags::set_tags(steps, step, amis, &Tags::new(), &removed).await?;
        if !shared.is_empty() {
            let cloud = steps.cloud_for(step)?.change(&step.region).await?;
            let key = tags::SHARED.to_owned();
            cloud.untag(&step.region, &shared, &[key]).await?;
        }
        settle_tags(steps, step, &state, amis, context).await;
        Ok(StepOutput::Revoked {
            revoked: amis.to_vec(),
            unpublished: unpublish.to_vec(),
        })
    }
}

fn join_errors(first: Error, next: Error) -> Error {
    Error::new(
        first.kind,
        format!("{}; {}", first.one_line(), next.one_line()),
    )
}
