//! Implements the calls for key pairs and security groups on a fake cloud.

use async_trait::async_trait;

use super::{has_tags, not_found, or_absent};
use crate::adapters::fake::FakeCloud;
use crate::adapters::fake::state::FakeGroup;
use crate::model::{Region, Tags};
use crate::ports::{AccessReader, AccessWriter, CloudErrorKind, CloudResult, GroupRequest, Secret};

#[async_trait]
impl AccessReader for FakeCloud {
    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>> {
        self.call(("find_group", name, false), region, |state| {
            let matching = state
                .groups
                .iter()
                .filter(|(_, g)| g.name == name && has_tags(&g.tags, tags));
            let ids: Vec<String> = matching.map(|(id, _)| id.clone()).collect();
            Ok(ids.into_iter().find(|id| !state.is_hidden(id)))
        })
        .await
    }

    async fn has_key_pair(&self, region: &Region, name: &str) -> CloudResult<bool> {
        self.call(("has_key_pair", name, false), region, |state| {
            Ok(state.key_pairs.contains_key(name))
        })
        .await
    }
}

#[async_trait]
impl AccessWriter for FakeCloud {
    async fn create_key_pair(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Secret> {
        self.call(("create_key_pair", name, true), region, |state| {
            if state.key_pairs.contains_key(name) {
                return Err((CloudErrorKind::Duplicate, format!("key pair {name} exists")));
            }
            state.key_pairs.insert(name.to_owned(), tags.clone());
            Ok(Secret::new(
                "-----BEGIN KEY-----\nsecret-key-material\n-----END KEY-----",
            ))
        })
        .await
    }

    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<bool> {
        let result = self
            .call(("delete_key_pair", name, true), region, |state| {
                match state.key_pairs.remove(name) {
                    Some(_) => Ok(true),
                    // The printed roles allow deletions by tag, which a missing key pair does not have.
                    None => Err((CloudErrorKind::Denied, format!("key-pair/{name}"))),
                }
            })
            .await;
        or_absent(result, false)
    }

    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String> {
        self.call(("create_group", &request.name, true), region, |state| {
            if state.groups.values().any(|g| g.name == request.name) {
                return Err((
                    CloudErrorKind::Duplicate,
                    format!("group {} exists", request.name),
                ));
            }
            let id = state.new_id("sg");
            state.groups.insert(
                id.clone(),
                FakeGroup {
                    name: request.name.clone(),
                    tags: request.tags.clone(),
                },
            );
            Ok(id)
        })
        .await
    }

    async fn allow_ssh(&self, region: &Region, group: &str, _from: &[String]) -> CloudResult<()> {
        self.call(("allow_ssh", group, true), region, |state| {
            if state.is_hidden(group) || !state.groups.contains_key(group) {
                return not_found(group);
            }
            Ok(())
        })
        .await
    }

    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<bool> {
        let result = self
            .call(("delete_group", id, true), region, |state| {
                if state
                    .instances
                    .values()
                    .any(|i| i.group == id && i.status != "terminated")
                {
                    return Err((CloudErrorKind::InUse, format!("group {id} has instances")));
                }
                if state.is_hidden(id) {
                    return Ok(false);
                }
                Ok(state.groups.remove(id).is_some())
            })
            .await;
        or_absent(result, false)
    }
}
