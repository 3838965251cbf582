//! Implements the calls for encryption on a fake cloud.

use async_trait::async_trait;

use crate::adapters::fake::FakeCloud;
use crate::model::{Region, SnapshotId};
use crate::ports::{CloudResult, EncryptionReader};

#[async_trait]
impl EncryptionReader for FakeCloud {
    async fn default_key(&self, region: &Region) -> CloudResult<Option<String>> {
        self.call(("default_key", "", false), region, |state| {
            Ok(state.default_key.clone())
        })
        .await
    }

    async fn snapshot_keys(
        &self,
        region: &Region,
        snapshots: &[SnapshotId],
    ) -> CloudResult<Vec<(SnapshotId, String)>> {
        self.call(("snapshot_keys", "", false), region, |state| {
            let amis = state.images.values();
            let own = amis.filter_map(|ami| Some((ami, state.keys.get(&ami.id)?)));
            let all = own.flat_map(|(ami, key)| ami.snapshots.iter().map(move |s| (s, key)));
            let wanted = all.filter(|(snapshot, _)| snapshots.contains(snapshot));
            Ok(wanted.map(|(s, key)| (s.clone(), key.clone())).collect())
        })
        .await
    }

    async fn is_aws_managed(&self, region: &Region, key: &str) -> CloudResult<bool> {
        self.call(("is_aws_managed", key, false), region, |_| {
            Ok(key.starts_with("aws-managed"))
        })
        .await
    }
}
