//! Implements the cloud port on a [`FakeCloudState`]. Every call is recorded and can fail.

use async_trait::async_trait;

use super::FakeCloud;
use super::state::{ACCOUNT, FakeGroup, FakeInstance};
use crate::model::{
    Ami, AmiId, InstanceId, Reference, Region, Sharing, SnapshotId, Tags, TemporaryResource,
};
use crate::ports::{
    CloudErrorKind, CloudReader, CloudResult, CloudWriter, CopyRequest, GroupRequest, Identity,
    ImageQuery, Instance, LaunchRequest, Secret, TemporaryQuery,
};

pub(super) fn not_found<T>(what: &str) -> Result<T, (CloudErrorKind, String)> {
    Err((CloudErrorKind::NotFound, format!("{what} does not exist")))
}

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
