//! Implements the calls that change something.

use async_trait::async_trait;

use super::not_found;
use crate::adapters::fake::FakeCloud;
use crate::adapters::fake::state::{ACCOUNT, FakeGroup, FakeInstance};
use crate::model::{Ami, AmiId, InstanceId, Region, Sharing, SnapshotId, Tags};
use crate::ports::{
    CloudErrorKind, CloudResult, CloudWriter, CopyRequest, GroupRequest, LaunchRequest, Secret,
};

#[async_trait]
impl CloudWriter for FakeCloud {
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

    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<()> {
        self.call(("delete_key_pair", name, true), region, |state| {
            state.key_pairs.remove(name);
            Ok(())
        })
        .await
    }

    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String> {
        self.call(("create_group", &request.name, true), region, |state| {
            if state.groups.values().any(|g| g.name == request.name) {
                return Err((
                    CloudErrorKind::Duplicate,
                    format!("group {} exists", request.name),
                ));
            }
            let id = state.id("sg");
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

    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<()> {
        self.call(("delete_group", id, true), region, |state| {
            if state
                .instances
                .values()
                .any(|i| i.group == id && i.status != "terminated")
            {
                return Err((CloudErrorKind::InUse, format!("group {id} has instances")));
            }
            state.groups.remove(id);
            Ok(())
        })
        .await
    }

    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId> {
        self.call(("launch", request.ami.as_str(), true), region, |state| {
            if let Some((id, _)) = state
                .instances
                .iter()
                .find(|(_, i)| i.token == request.token)
            {
                return Ok(id.clone());
            }
            let usable = state.images.contains_key(&request.ami)
                && state.groups.contains_key(&request.group);
            if !usable || !state.key_pairs.contains_key(&request.key_name) {
                return not_found("the AMI, the group or the key pair");
            }
            let id = InstanceId(state.id("i"));
            let (group, token) = (request.group.clone(), request.token.clone());
            let instance = FakeInstance {
                ami: request.ami.clone(),
                status: "pending".to_owned(),
                group,
                token,
                tags: request.tags.clone(),
            };
            state.instances.insert(id.clone(), instance);
            Ok(id)
        })
        .await
    }

    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<()> {
        self.call(("terminate", id.as_str(), true), region, |state| {
            if let Some(instance) = state
                .instances
                .get_mut(id)
                .filter(|i| i.status != "terminated")
            {
                instance.status = "shutting-down".to_owned();
            }
            Ok(())
        })
        .await
    }

    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()> {
        self.call(
            ("tag", ids.first().map_or("", String::as_str), true),
            region,
            |state| {
                for id in ids {
                    state.start_tag_lag(id);
                    let Some(now) = state.tags_of(id) else {
                        return not_found(id);
                    };
                    now.extend(tags.clone());
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
                    let Some(now) = state.tags_of(id) else {
                        return not_found(id);
                    };
                    now.retain(|key, _| !keys.contains(key));
                }
                Ok(())
            },
        )
        .await
    }

    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Vec<SnapshotId>> {
        self.call(("deregister", ami.id.as_str(), true), region, |state| {
            state.images.remove(&ami.id);
            state.snapshots.retain(|id, _| !ami.snapshots.contains(id));
            Ok(Vec::new())
        })
        .await
    }

    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<()> {
        self.call(("delete_snapshot", id, true), region, |state| {
            state.snapshots.remove(&SnapshotId::from(id));
            Ok(())
        })
        .await
    }

    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<()> {
        self.call(("delete_volume", id, true), region, |_| Ok(()))
            .await
    }

    async fn put_parameter(
        &self,
        region: &Region,
        name: &str,
        value: &AmiId,
        _tags: &Tags,
    ) -> CloudResult<()> {
        self.call(("put_parameter", name, true), region, |state| {
            state.parameters.insert(name.to_owned(), value.to_string());
            Ok(())
        })
        .await
    }

    async fn delete_parameter(&self, region: &Region, name: &str) -> CloudResult<()> {
        self.call(("delete_parameter", name, true), region, |state| {
            state.parameters.remove(name);
            Ok(())
        })
        .await
    }

    async fn copy_image(&self, region: &Region, request: &CopyRequest) -> CloudResult<AmiId> {
        let (account, is_owner) = (self.account(), self.account.is_none());
        let source = {
            let mut inner = self.inner.lock().expect("no panic");
            let state = inner.state_of(ACCOUNT, &request.source_region);
            state
                .images
                .get(&request.source)
                .filter(|ami| is_owner || state.can_copy(ami, account))
                .cloned()
        };
        self.call(
            ("copy_image", request.source.as_str(), true),
            region,
            |state| {
                if let Some(id) = state.tokens.get(&request.token) {
                    return Ok(id.clone());
                }
                if source.is_none() {
                    return not_found(request.source.as_str());
                }
                if state
                    .images
                    .values()
                    .any(|a| a.name == request.name && a.owner == account)
                {
                    return Err((
                        CloudErrorKind::Duplicate,
                        format!("an AMI named {} exists", request.name),
                    ));
                }
                let id = state.register(region, &request.name, account, &request.tags);
                if let Some(ami) = state.images.get_mut(&id) {
                    "pending".clone_into(&mut ami.status);
                }
                state.tokens.insert(request.token.clone(), id.clone());
                Ok(id)
            },
        )
        .await
    }

    async fn share(
        &self,
        region: &Region,
        ami: &AmiId,
        what: &Sharing,
        account: &str,
        on: bool,
    ) -> CloudResult<()> {
        self.call(("share", ami.as_str(), true), region, |state| {
            state.share(ami, what, account, on);
            Ok(())
        })
        .await
    }
}
