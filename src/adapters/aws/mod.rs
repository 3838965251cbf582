//! Implements the cloud port with the AWS SDK for EC2, SSM and STS. Each Region has its own clients.

mod access;
mod clients;
mod copies;
mod errors;
mod images;
mod instances;
mod parameters;
mod references;
mod retirement;
mod scaling;
mod tags;
mod temporaries;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, TemporaryResource,
};
use crate::ports::{
    CloudReader, CloudResult, CloudWriter, CopyRequest, GroupRequest, Identity, ImageQuery,
    Instance, LaunchRequest, Secret, TemporaryQuery,
};

use clients::Clients;
use errors::cloud_error;
use tags::ec2_tags;

/// Time limit of a call with all its attempts. The SDK has no default.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts of a call, unless environment or profile set another number.
const MAX_ATTEMPTS: u32 = 4;
/// Time limit of a connection, so that an unreachable local endpoint is reported soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// AWS, or the endpoint in `AWS_ENDPOINT_URL`.
pub struct Aws {
    config: SdkConfig,
    clients: Mutex<BTreeMap<Region, Clients>>,
}

impl Aws {
    /// Loads profile, environment and endpoint as the AWS CLI does, without a call.
    pub async fn load(region: &Region) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(aws_config::Region::new(region.to_string()))
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(CALL_TIMEOUT)
                    .connect_timeout(CONNECT_TIMEOUT)
                    .build(),
            );
        let configured = aws_config::default_provider::retry_config::default_provider()
            .retry_config()
            .await;
        // Environment and profile take precedence. Without a setting the result equals the default.
        if configured == RetryConfig::standard() {
            loader = loader.retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS));
        }
        Self {
            config: loader.load().await,
            clients: Mutex::new(BTreeMap::new()),
        }
    }

    /// Loads the configuration with the credentials of a role. The first call requests them, and they
    /// are renewed before they expire.
    pub async fn assume_role(region: &Region, role: &str) -> Self {
        let Self { config, clients } = Self::load(region).await;
        let provider = aws_config::sts::AssumeRoleProvider::builder(role)
            .configure(&config)
            .session_name("bakeline")
            .build()
            .await;
        let provider = aws_sdk_ec2::config::SharedCredentialsProvider::new(provider);
        Self {
            config: config.into_builder().credentials_provider(provider).build(),
            clients,
        }
    }

    fn clients(&self, region: &Region) -> Clients {
        let mut clients = self
            .clients
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        clients
            .entry(region.clone())
            .or_insert_with(|| Clients::new(&self.config, region))
            .clone()
    }
}

#[async_trait]
impl CloudReader for Aws {
    async fn identity(&self, region: &Region) -> CloudResult<Identity> {
        let answer = self.clients(region).sts.get_caller_identity().send().await;
        let answer = answer.map_err(|e| cloud_error("GetCallerIdentity", region, &e))?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>> {
        images::describe_images(&self.clients(region), query).await
    }

    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>> {
        references::find_references(&self.clients(region), amis).await
    }

    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>> {
        parameters::find_references(&self.clients(region)).await
    }

    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>> {
        access::find_group(&self.clients(region), name, tags).await
    }

    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>> {
        instances::describe_instance(&self.clients(region), id).await
    }

    async fn instances_with_tags(
        &self,
        region: &Region,
        tags: &Tags,
    ) -> CloudResult<Vec<Instance>> {
        instances::list_tagged(&self.clients(region), tags).await
    }

    async fn temporaries(
        &self,
        region: &Region,
        query: &TemporaryQuery,
    ) -> CloudResult<Vec<TemporaryResource>> {
        temporaries::list_temporaries(&self.clients(region), query).await
    }

    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>> {
        parameters::get_parameter(&self.clients(region), name).await
    }

    async fn parameters(&self, region: &Region, path: &str) -> CloudResult<Vec<(String, String)>> {
        parameters::list_below(&self.clients(region), path).await
    }

    async fn failure_reason(&self, region: &Region, ami: &AmiId) -> CloudResult<Option<String>> {
        copies::failure_reason(&self.clients(region), ami).await
    }

    async fn sharing(&self, region: &Region, ami: &Ami, account: &str) -> CloudResult<Sharing> {
        copies::read_sharing(&self.clients(region), ami, account).await
    }

    async fn dry_run_launch(
        &self,
        region: &Region,
        ami: &AmiId,
        instance_type: &str,
    ) -> CloudResult<()> {
        copies::dry_run_launch(&self.clients(region), ami, instance_type).await
    }
}

#[async_trait]
impl CloudWriter for Aws {
    async fn create_key_pair(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Secret> {
        access::create_key_pair(&self.clients(region), name, tags).await
    }

    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<()> {
        access::delete_key_pair(&self.clients(region), name).await
    }

    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String> {
        access::create_group(&self.clients(region), request).await
    }

    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<()> {
        access::delete_group(&self.clients(region), id).await
    }

    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId> {
        instances::launch_instance(&self.clients(region), request).await
    }

    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<()> {
        instances::terminate_instance(&self.clients(region), id).await
    }

    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()> {
        let call = self
            .clients(region)
            .ec2
            .create_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(ec2_tags(tags)));
        call.send()
            .await
            .map_err(|e| cloud_error("CreateTags", region, &e))?;
        Ok(())
    }

    async fn untag(&self, region: &Region, ids: &[String], keys: &[String]) -> CloudResult<()> {
        let tags = keys
            .iter()
            .map(|key| aws_sdk_ec2::types::Tag::builder().key(key).build())
            .collect();
        let call = self
            .clients(region)
            .ec2
            .delete_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(tags));
        call.send()
            .await
            .map_err(|e| cloud_error("DeleteTags", region, &e))?;
        Ok(())
    }

    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Vec<SnapshotId>> {
        images::deregister_image(&self.clients(region), ami).await
    }

    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<()> {
        temporaries::delete_snapshot(&self.clients(region), id).await
    }

    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<()> {
        temporaries::delete_volume(&self.clients(region), id).await
    }

    async fn put_parameter(
        &self,
        region: &Region,
        name: &str,
        value: &AmiId,
        tags: &Tags,
    ) -> CloudResult<()> {
        parameters::put_parameter(&self.clients(region), name, value, tags).await
    }

    async fn delete_parameter(&self, region: &Region, name: &str) -> CloudResult<()> {
        parameters::delete_parameter(&self.clients(region), name).await
    }

    async fn copy_image(&self, region: &Region, request: &CopyRequest) -> CloudResult<AmiId> {
        copies::copy_image(&self.clients(region), request).await
    }

    async fn share(
        &self,
        region: &Region,
        ami: &AmiId,
        what: &Sharing,
        account: &str,
        on: bool,
    ) -> CloudResult<()> {
        copies::share(&self.clients(region), ami, what, account, on).await
    }
}
