//! Owns the fence around the ladder's calls.

use async_trait::async_trait;

use super::FencedCloud;
use crate::model::{AmiId, Reference, Region, Timestamp};
use crate::ports::{CloudResult, Retirement};

#[async_trait]
impl Retirement for FencedCloud {
    async fn deprecate(&self, region: &Region, ami: &AmiId, at: Timestamp) -> CloudResult<()> {
        self.may("EnableImageDeprecation", region).await?;
        self.inner.deprecate(region, ami, at).await
    }

    async fn cancel_deprecation(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.may("DisableImageDeprecation", region).await?;
        self.inner.cancel_deprecation(region, ami).await
    }

    async fn disable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.may("DisableImage", region).await?;
        self.inner.disable(region, ami).await
    }

    async fn enable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.may("EnableImage", region).await?;
        self.inner.enable(region, ami).await
    }

    async fn permissions(&self, region: &Region, ami: &AmiId) -> CloudResult<Vec<String>> {
        self.inner.permissions(region, ami).await
    }

    async fn permit(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()> {
        self.may("ModifyImageAttribute", region).await?;
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
