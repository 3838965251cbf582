//! Wraps the ports that change the cloud: each change checks the lock first.
//!
//! Every method of [`Cloud`] is written out. A new method that changes something must call
//! [`FencedCloud::check_lock`] first.
//!

mod retirement;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::engine::fence::Guard;
use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, Temporary,
};
use crate::ports::{
    BuildJob, BuildOutcome, BuilderError, Cloud, CloudError, CloudErrorKind, CloudResult,
    CopyRequest, GroupRequest, Identity, ImageBuilder, ImageQuery, Instance, LaunchRequest, OnLine,
    Secret, TemporaryQuery,
};

/// Cloud that changes nothing without the lock.
pub struct FencedCloud {
    /// Inner cloud.
    pub inner: Arc<dyn Cloud>,
    /// Lock of the run.
    pub guard: Arc<dyn Guard>,
}

impl FencedCloud {
    /// Fails unless the run holds its lock. `action` is the name of the API call.
    async fn check_lock(&self, action: &'static str, region: &Region) -> CloudResult<()> {
        let refused = |message| CloudError {
            kind: CloudErrorKind::Fenced,
            action,
            region: region.to_string(),
            message,
        };
        self.guard.check().await.map_err(refused)
    }
}

#[async_trait]
impl Cloud for FencedCloud {
    async fn identity(&self, region: &Region) -> CloudResult<Identity> {
        self.inner.identity(region).await
    }

    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>> {
        self.inner.images(region, query).await
    }

    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>> {
        self.inner.references(region, amis).await
    }

    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>> {
        self.inner.parameter_references(region).await
    }

    async fn create_key_pair(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Secret> {
        self.check_lock("CreateKeyPair", region).await?;
        self.inner.create_key_pair(region, name, tags).await
    }

    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<()> {
        self.check_lock("DeleteKeyPair", region).await?;
        self.inner.delete_key_pair(region, name).await
    }

    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String> {
        self.check_lock("CreateSecurityGroup", region).await?;
        self.inner.create_group(region, request).await
    }

    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>> {
        self.inner.find_group(region, name, tags).await
    }

    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<()> {
        self.check_lock("DeleteSecurityGroup", region).await?;
        self.inner.delete_group(region, id).await
    }

    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId> {
        self.check_lock("RunInstances", region).await?;
        self.inner.launch(region, request).await
    }

    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>> {
        self.inner.instance(region, id).await
    }

    async fn instances_tagged(&self, region: &Region, tags: &Tags) -> CloudResult<Vec<Instance>> {
        self.inner.instances_tagged(region, tags).await
    }

    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<()> {
        self.check_lock("TerminateInstances", region).await?;
        self.inner.terminate(region, id).await
    }

    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()> {
        self.check_lock("CreateTags", region).await?;
        self.inner.tag(region, ids, tags).await
    }

    async fn untag(&self, region: &Region, ids: &[String], keys: &[String]) -> CloudResult<()> {
        self.check_lock("DeleteTags", region).await?;
        self.inner.untag(region, ids, keys).await
    }

    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Vec<SnapshotId>> {
        self.check_lock("DeregisterImage", region).await?;
        self.inner.deregister(region, ami).await
    }

    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<()> {
        self.check_lock("DeleteSnapshot", region).await?;
        self.inner.delete_snapshot(region, id).await
    }

    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<()> {
        self.check_lock("DeleteVolume", region).await?;
        self.inner.delete_volume(region, id).await
    }

    async fn temporaries(
        &self,
        region: &Region,
        query: &TemporaryQuery,
    ) -> CloudResult<Vec<Temporary>> {
        self.inner.temporaries(region, query).await
    }

    async fn parameters(&self, region: &Region, path: &str) -> CloudResult<Vec<(String, String)>> {
        self.inner.parameters(region, path).await
    }

    async fn copy_image(&self, region: &Region, request: &CopyRequest) -> CloudResult<AmiId> {
        self.check_lock("CopyImage", region).await?;
        self.inner.copy_image(region, request).await
    }

    async fn why_failed(&self, region: &Region, ami: &AmiId) -> CloudResult<Option<String>> {
        self.inner.why_failed(region, ami).await
    }

    async fn sharing(&self, region: &Region, ami: &Ami, account: &str) -> CloudResult<Sharing> {
        self.inner.sharing(region, ami, account).await
    }

    async fn share(
        &self,
        region: &Region,
        ami: &AmiId,
        what: &Sharing,
        account: &str,
        on: bool,
    ) -> CloudResult<()> {
        self.check_lock("ModifyImageAttribute", region).await?;
        self.inner.share(region, ami, what, account, on).await
    }

    async fn dry_run_launch(
        &self,
        region: &Region,
        ami: &AmiId,
        instance_type: &str,
    ) -> CloudResult<()> {
        self.inner.dry_run_launch(region, ami, instance_type).await
    }

    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>> {
        self.inner.parameter(region, name).await
    }

    async fn put_parameter(
        &self,
        region: &Region,
        name: &str,
        value: &AmiId,
        tags: &Tags,
    ) -> CloudResult<()> {
        self.check_lock("PutParameter", region).await?;
        self.inner.put_parameter(region, name, value, tags).await
    }

    async fn delete_parameter(&self, region: &Region, name: &str) -> CloudResult<()> {
        self.check_lock("DeleteParameter", region).await?;
        self.inner.delete_parameter(region, name).await
    }
}

/// Builder that starts nothing without the lock. When the lock is lost, the cancel token ends a
/// running build.
pub struct FencedBuilder {
    /// Inner builder.
    pub inner: Arc<dyn ImageBuilder>,
    /// Lock of the run.
    pub guard: Arc<dyn Guard>,
}

#[async_trait]
impl ImageBuilder for FencedBuilder {
    async fn version(&self) -> Result<semver::Version, BuilderError> {
        self.inner.version().await
    }

    async fn check(&self) -> Result<(), BuilderError> {
        self.inner.check().await
    }

    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError> {
        self.inner.validate(job).await
    }

    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError> {
        if let Err(message) = self.guard.check().await {
            return Err(BuilderError {
                message,
                hint: None,
            });
        }
        self.inner.build(job, cancel, on_line).await
    }
}
