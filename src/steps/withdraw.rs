//! Revokes AMIs in one location, together with the pointers that name them.

use async_trait::async_trait;

use super::{StepEffect, Steps, move_current, set_tags};
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, Result};
use crate::lifecycle::tags;
use crate::model::{AmiId, State, Tags};
use crate::plan::Step;
use crate::plan::step::Move;

/// Revocation of AMIs in one location. Tags them as revoked, moves the pointers that name them, and
/// last removes the tags that say where they were current. A repeated revocation reads the
/// remaining pointers from these tags, so they stay if a pointer cannot be moved.
pub(super) struct Withdraw<'a> {
    pub(super) amis: &'a [AmiId],
    pub(super) moves: &'a [Move],
    pub(super) unpublish: &'a [String],
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
        for movement in moves {
            failures.extend(
                move_current::make_current(steps, step, movement, context)
                    .await
                    .err(),
            );
        }
        for pointer in unpublish {
            let deleted = steps
                .cloud_for(step)?
                .delete_parameter(&step.region, pointer)
                .await;
            failures.extend(deleted.err().map(Error::from));
        }
        if let Some(error) = failures.into_iter().reduce(join_errors) {
            return Err(error.hint(
                "the AMIs are revoked; run the command again to move the remaining pointers",
            ));
        }
        let claims = [tags::CURRENT, &steps.catalog.settings.environment_key];
        let removed: Tags = claims.map(|key| (key.to_owned(), String::new())).into();
        set_tags::set_tags(steps, step, amis, &Tags::new(), &removed).await?;
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
