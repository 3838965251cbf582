//! Checks the lock before each retirement call.

use async_trait::async_trait;

use super::FencedCloud;
use crate::model::{AmiId, Reference, Region, Timestamp};
use crate::ports::{CloudResult, Retirement};

#[async_trait]
impl Retirement for FencedCloud {
    async fn deprecate(&self, region: &Region, ami: &AmiId, at: Timestamp) -> CloudResult<()> {
        self.check_lock("EnableImageDeprecation", region).await?;
        self.inner.deprecate(region, ami, at).await
    }

    async fn cancel_deprecation(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.check_lock("DisableImageDeprecation", region).await?;
        self.inner.cancel_deprecation(region, ami).await
    }

    async fn disable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.check_lock("DisableImage", region).await?;
        self.inner.disable(region, ami).await
    }

    async fn enable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.check_lock("EnableImage", region).await?;
        self.inner.enable(region, ami).await
    }

    async fn permissions(&self, region: &Region, ami: &AmiId) -> CloudResult<Vec<String>> {
        self.inner.permissions(region, ami).await
    }

    async fn permit(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()> {
        self.check_lock("ModifyImageAttribute", region).await?;
        self.inner.permit(region, ami, who).await
    }

    async fn reported(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Option<Vec<Reference>>> {
        self.inner.reported(region, amis).await
    }
}
