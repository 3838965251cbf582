//! Publishes a shared AMI in an account that launches it.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{ErrorKind, Result};
use crate::model::{AmiId, EnvName};
use crate::plan::{AmiRef, Step};
use crate::ports::{CloudErrorKind, ImageQuery};
use crate::steps::context::{StepEffect, Steps};
use crate::steps::poll::poll_until;
use crate::steps::publish::pointer::{publish_pointer, restore_pointer};
use crate::steps::publish::read_back::READ_BACK_LIMIT;
use crate::steps::publish::trial_launch::TestLaunch;

/// Pointer to a shared AMI in the account of the step. Waits until the account can see the AMI, because
/// launch permissions take effect late. The undo restores the previous value.
pub(in crate::steps) struct PublishShared<'a> {
    pub(in crate::steps) env: &'a EnvName,
    pub(in crate::steps) pointer: &'a str,
    pub(in crate::steps) ami: &'a AmiRef,
    pub(in crate::steps) previous: &'a Option<AmiId>,
    pub(in crate::steps) launch: &'a bool,
}

#[async_trait]
impl StepEffect for PublishShared<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let ami = context.outputs.ami(self.ami)?;
        wait_until_visible(steps, step, &ami, context).await?;
        if *self.launch {
            let (ami, env) = (AmiRef::Known(ami.clone()), Some(self.env.clone()));
            let trial = TestLaunch {
                ami: &ami,
                env: &env,
            };
            trial.perform(steps, step, context).await?;
        }
        publish_pointer(steps, step, self.pointer, &ami, context).await?;
        Ok(StepOutput::Published {
            pointer: self.pointer.to_owned(),
            ami,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        _output: Option<&StepOutput>,
        context: &StepContext<'_>,
    ) -> Result<()> {
        let new = context.outputs.ami(self.ami)?;
        restore_pointer(steps, step, self.pointer, &new, self.previous.as_ref()).await
    }
}

async fn wait_until_visible(
    steps: &Steps,
    step: &Step,
    id: &AmiId,
    context: &StepContext<'_>,
) -> Result<()> {
    let account = step.account.as_deref().unwrap_or_default();
    let query = ImageQuery {
        owners: vec!["*".to_owned()],
        ids: vec![id.clone()],
        ..ImageQuery::default()
    };
    let what = format!("account {account} to see {id} in {}", step.region);
    let seen = poll_until(steps, READ_BACK_LIMIT, &context.cancel, &what, || async {
        match steps.cloud_for(step)?.images(&step.region, &query).await {
            Ok(found) => Ok(found
                .iter()
                .any(|ami| ami.status == "available")
                .then_some(())),
            Err(error) if error.kind == CloudErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    });
    seen.await.map_err(|error| match error.kind {
        ErrorKind::StepFailed => error.hint(format!(
            "compare `aws ec2 describe-image-attribute --region {} --image-id {id} --attribute launchPermission` with \
             the environment in bakeline.yaml",
            step.region
        )),
        _ => error,
    })
}
