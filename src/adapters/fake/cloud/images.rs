//! Implements the calls for AMIs on a fake cloud.

use async_trait::async_trait;

use super::{has_tags, not_found};
use crate::adapters::fake::FakeCloud;
use crate::adapters::fake::state::ACCOUNT;
use crate::catalog::matches_ami_name;
use crate::model::{Ami, AmiId, Region, Sharing, SnapshotId};
use crate::ports::{
    CloudErrorKind, CloudResult, CopyRequest, ImageQuery, ImageReader, ImageWriter,
};

#[async_trait]
impl ImageReader for FakeCloud {
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
                    .is_none_or(|n| matches_ami_name(n, &a.name))
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
}

#[async_trait]
impl ImageWriter for FakeCloud {
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
                state.record_key(&id, request.kms_key.as_deref());
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

    async fn require_imds_v2(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.call(
            ("require_imds_v2", ami.as_str(), true),
            region,
            |state| match state.images.get_mut(ami) {
                Some(ami) => {
                    ami.imds_v2 = true;
                    Ok(())
                }
                None => not_found(ami.as_str()),
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
}
