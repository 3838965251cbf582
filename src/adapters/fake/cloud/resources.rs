//! Implements tags and temporary resources on a fake cloud.

use async_trait::async_trait;

use super::{not_found, or_absent};
use crate::adapters::fake::FakeCloud;
use crate::model::{Region, SnapshotId, Tags, TemporaryResource};
use crate::ports::{CloudResult, ResourceReader, ResourceWriter, TemporaryQuery};

#[async_trait]
impl ResourceReader for FakeCloud {
    async fn temporaries(
        &self,
        region: &Region,
        query: &TemporaryQuery,
    ) -> CloudResult<Vec<TemporaryResource>> {
        self.call(("temporaries", &query.prefix, false), region, |state| {
            Ok(state.temporaries(region, query))
        })
        .await
    }
}

#[async_trait]
impl ResourceWriter for FakeCloud {
    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()> {
        self.call(
            ("tag", ids.first().map_or("", String::as_str), true),
            region,
            |state| {
                for id in ids {
                    state.start_tag_lag(id);
                    let Some(current_tags) = state.tags_of(id) else {
                        return not_found(id);
                    };
                    current_tags.extend(tags.clone());
                }
                Ok(())
            },
        )
        .await
    }

    async fn untag(&self, region: &Region, ids: &[String], keys: &[String]) -> CloudResult<()> {
        self.call(
            ("untag", ids.first().map_or("", String::as_str), true),
            region,
            |state| {
                for id in ids {
                    let Some(current_tags) = state.tags_of(id) else {
                        return not_found(id);
                    };
                    current_tags.retain(|key, _| !keys.contains(key));
                }
                Ok(())
            },
        )
        .await
    }

    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<bool> {
        let result = self
            .call(("delete_snapshot", id, true), region, |state| {
                Ok(state.snapshots.remove(&SnapshotId::from(id)).is_some())
            })
            .await;
        or_absent(result, false)
    }

    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<bool> {
        let result = self
            .call(("delete_volume", id, true), region, |_| Ok(true))
            .await;
        or_absent(result, false)
    }
}
