//! Implements the calls for SSM parameters on a fake cloud.

use async_trait::async_trait;

use super::or_absent;
use crate::adapters::fake::FakeCloud;
use crate::model::{AmiId, Reference, Region, Tags};
use crate::ports::{CloudResult, ParameterReader, ParameterWriter};

#[async_trait]
impl ParameterReader for FakeCloud {
    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>> {
        let result = self
            .call(("parameter", name, false), region, |state| {
                Ok(state.read_parameter(name))
            })
            .await;
        or_absent(result, None)
    }

    async fn other_parameter_type(
        &self,
        region: &Region,
        name: &str,
    ) -> CloudResult<Option<String>> {
        self.call(("other_parameter_type", name, false), region, |_| Ok(None))
            .await
    }

    async fn parameters(&self, region: &Region, path: &str) -> CloudResult<Vec<(String, String)>> {
        self.call(("parameters", path, false), region, |state| {
            let below = state
                .parameters
                .iter()
                .filter(|(name, _)| name.starts_with(path));
            Ok(below
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect())
        })
        .await
    }

    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>> {
        self.call(("parameter_references", "", false), region, |state| {
            Ok(state.parameter_references())
        })
        .await
    }
}

#[async_trait]
impl ParameterWriter for FakeCloud {
    async fn put_parameter(
        &self,
        region: &Region,
        name: &str,
        value: &AmiId,
        _tags: &Tags,
    ) -> CloudResult<()> {
        self.call(("put_parameter", name, true), region, |state| {
            state.write_parameter(name, value.as_str());
            Ok(())
        })
        .await
    }

    async fn delete_parameter(&self, region: &Region, name: &str) -> CloudResult<()> {
        let result = self
            .call(("delete_parameter", name, true), region, |state| {
                state.parameters.remove(name);
                Ok(())
            })
            .await;
        or_absent(result, ())
    }
}
