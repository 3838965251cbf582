//! Implements the calls for the usage of AMIs on a fake cloud.

use async_trait::async_trait;

use crate::adapters::fake::FakeCloud;
use crate::model::{AmiId, Reference, Region};
use crate::ports::{CloudResult, UsageReader};

#[async_trait]
impl UsageReader for FakeCloud {
    async fn permissions(&self, region: &Region, ami: &AmiId) -> CloudResult<Vec<String>> {
        self.call(("permissions", ami.as_str(), false), region, |state| {
            Ok(state
                .permissions
                .get(ami)
                .cloned()
                .unwrap_or_default()
                .into_iter()
                .collect())
        })
        .await
    }

    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>> {
        self.call(("references", &amis[0].0, false), region, |state| {
            Ok(state.references_to(amis))
        })
        .await
    }

    async fn launch_configurations(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Vec<Reference>> {
        let about = amis.first().map_or("", |a| a.as_str());
        self.call(("launch_configurations", about, false), region, |state| {
            let mut found = state.references_to(amis);
            found.retain(|r| r.kind == "launch-configuration");
            Ok(found)
        })
        .await
    }

    async fn reported_references(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Option<Vec<Reference>>> {
        let about = amis.first().map_or("", |a| a.as_str());
        self.call(("reported", about, false), region, |state| {
            Ok(state.reports.then(|| state.references_to(amis)))
        })
        .await
    }
}
