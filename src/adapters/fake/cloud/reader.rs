//! Implements the calls that read.

use async_trait::async_trait;

use super::not_found;
use crate::adapters::fake::FakeCloud;
use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, TemporaryResource,
};
use crate::ports::{CloudReader, CloudResult, Identity, ImageQuery, Instance, TemporaryQuery};

fn has_tags(tags: &Tags, wanted: &Tags) -> bool {
    wanted
        .iter()
        .all(|(key, value)| tags.get(key) == Some(value))
}

/// Compares a name with a pattern. Supports `*` at the end, which is enough for the tests.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |start| name.starts_with(start))
}

#[async_trait]
impl CloudReader for FakeCloud {
    async fn identity(&self, region: &Region) -> CloudResult<Identity> {
        let who = Identity {
            account: self.account().to_owned(),
            arn: "arn:aws:iam::123456789012:user/test".to_owned(),
        };
        self.call(("identity", "", false), region, |_| Ok(who))
            .await
    }

    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>> {
        let about = query.ids.first().map_or("", |i| i.as_str());
        self.call(("images", about, false), region, |state| {
            let owned = |a: &&Ami| match query.owners.as_slice() {
                [] => a.owner == self.account(),
                [any] if any == "*" => true,
                owners => owners.contains(&a.owner),
            };
            let found = state
                .images
                .values()
                .filter(|a| a.region == *region)
                .filter(owned);
            let found = found.filter(|a| {
                query
                    .name
                    .as_ref()
                    .is_none_or(|n| matches_pattern(n, &a.name))
            });
            let found: Vec<Ami> = found
                .filter(|a| query.ids.is_empty() || query.ids.contains(&a.id))
                .filter(|a| has_tags(&a.tags, &query.tags))
                .cloned()
                .collect();
            state.advance_copies(&found);
            if found.len() < query.ids.len() {
                not_found("an AMI")
            } else {
                Ok(state.apply_tag_lag(found))
            }
        })
        .await
    }

    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>> {
        self.call(("references", &amis[0].0, false), region, |state| {
            Ok(state.references_to(amis))
        })
        .await
    }

    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>> {
        self.call(("parameter_references", "", false), region, |state| {
            Ok(state.parameter_references())
        })
        .await
    }

    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>> {
        self.call(("find_group", name, false), region, |state| {
            let mut found = state
                .groups
                .iter()
                .filter(|(_, g)| g.name == name && has_tags(&g.tags, tags));
            Ok(found.next().map(|(id, _)| id.clone()))
        })
        .await
    }

    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>> {
        self.call(("instance", id.as_str(), false), region, |state| {
            Ok(state.observe_instance(id))
        })
        .await
    }

    async fn instances_with_tags(
        &self,
        region: &Region,
        tags: &Tags,
    ) -> CloudResult<Vec<Instance>> {
        self.call(("instances_with_tags", "", false), region, |state| {
            let live = state
                .instances
                .iter()
                .filter(|(_, i)| i.status != "terminated" && has_tags(&i.tags, tags));
            let ids: Vec<InstanceId> = live.map(|(id, _)| id.clone()).collect();
            Ok(ids
                .iter()
                .filter_map(|id| state.observe_instance(id))
                .collect())
        })
        .await
    }

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

    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>> {
        self.call(("parameter", name, false), region, |state| {
            Ok(state.parameters.get(name).cloned())
        })
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

    async fn failure_reason(&self, region: &Region, ami: &AmiId) -> CloudResult<Option<String>> {
        self.call(("failure_reason", ami.as_str(), false), region, |_| {
            Ok(Some("Client.InternalError: late".to_owned()))
        })
        .await
    }

    async fn sharing(&self, region: &Region, ami: &Ami, account: &str) -> CloudResult<Sharing> {
        self.call(("sharing", ami.id.as_str(), false), region, |state| {
            let is_shared = |s: &&SnapshotId| {
                state
                    .volume_permissions
                    .contains(&((*s).clone(), account.to_owned()))
            };
            let image = state
                .permissions
                .get(&ami.id)
                .is_some_and(|who| who.contains(account));
            Ok(Sharing {
                image,
                snapshots: ami.snapshots.iter().filter(is_shared).cloned().collect(),
            })
        })
        .await
    }

    async fn dry_run_launch(
        &self,
        region: &Region,
        ami: &AmiId,
        _instance_type: &str,
    ) -> CloudResult<()> {
        self.call(
            ("dry_run_launch", ami.as_str(), false),
            region,
            |state| match state.images.get(ami).map(|a| a.status.as_str()) {
                Some("available") => Ok(()),
                _ => not_found(ami.as_str()),
            },
        )
        .await
    }
}
