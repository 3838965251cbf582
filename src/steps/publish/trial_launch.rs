//! Tests a launch at a location before a pointer names the AMI there.

use async_trait::async_trait;

use crate::catalog::TrialLaunch;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{locations, tags::CATALOG};
use crate::model::{AmiId, EnvName, Location};
use crate::plan::{AmiRef, Step};
use crate::ports::{TrialOutcome, TrialRequest};
use crate::steps::context::{StepEffect, Steps};

/// Dry run of a launch. It starts no instance. If the account or the location does not allow the
/// launch, the AMI is not at fault, so the step succeeds with a warning.
pub(in crate::steps) struct TestLaunch<'a> {
    pub(in crate::steps) ami: &'a AmiRef,
    pub(in crate::steps) env: &'a Option<EnvName>,
}

#[async_trait]
impl StepEffect for TestLaunch<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let id = context.outputs.ami(self.ami)?;
        let location = Location {
            account: step.account.clone(),
            region: step.region.clone(),
        };
        let request = self.request(steps, step, &location, id.clone());
        let outcome = steps
            .cloud_for(step)?
            .dry_run_launch(&step.region, &request)
            .await
            .map_err(|e| {
                let text = format!("an instance of {id} would not start in {location}");
                Error::new(ErrorKind::StepFailed, text)
                    .because(Error::from(e))
                    .hint("no pointer names it; correct the problem and run again")
            })?;
        if let TrialOutcome::Untested(reason) = outcome {
            (context.note)(&format!(
                "warning: the launch of {id} in {location} could not be tested, and the move continues: {reason}"
            ));
        }
        Ok(StepOutput::Launchable { launchable: id })
    }
}

impl TestLaunch<'_> {
    /// Returns the launch of a user at the location: with the settings of the environment, or at home
    /// with those of the builder.
    fn request(&self, steps: &Steps, step: &Step, location: &Location, ami: AmiId) -> TrialRequest {
        let settings = &steps.catalog.settings;
        let image = steps.image_of(&step.scope);
        let arch = image.map(|image| image.arch).unwrap_or_default();
        let builder = steps.builder_of(&step.scope);
        let mut tags = builder.tags.clone();
        let is_home = *location == locations::home(settings);
        let name = self.env.as_ref();
        let environment = name.and_then(|name| settings.environment(name));
        let launch = environment.and_then(|environment| environment.launch.clone());
        let TrialLaunch {
            subnets,
            instance_types,
            tags: more,
        } = launch.filter(|_| !is_home).unwrap_or_default();
        tags.extend(more);
        // The policies of the roles allow only launches with this tag.
        tags.insert(CATALOG.to_owned(), settings.name.to_string());
        let name = image.map_or("", |image| image.name.as_str());
        let own_subnet = builder.subnet(name).filter(|_| is_home);
        let types = instance_types.get(&arch).map(Vec::as_slice);
        TrialRequest {
            ami,
            instance_types: types.unwrap_or_else(|| builder.types_for(arch)).to_vec(),
            subnets: own_subnet.map_or(subnets, |subnet| vec![subnet.to_owned()]),
            tags,
        }
    }
}
