//! Implements the calls for AMIs on a fake cloud.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{has_tags, not_found, or_absent};
use crate::adapters::fake::FakeCloud;
use crate::adapters::fake::state::ACCOUNT;
use crate::catalog::matches_ami_name;
use crate::model::{Ami, AmiId, Region, Sharing, SnapshotId};
use crate::ports::{
    CloudErrorKind, CloudResult, CopyRequest, Deregistration, ImageQuery, ImageReader, ImageWriter,
};

#[async_trait]
impl ImageReader for FakeCloud {
    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>> {
        let filtered = query.filters.get("image-id");
        let about = match (query.ids.first(), filtered) {
            (Some(id), _) => id.as_str(),
            (None, Some(ids)) => ids.first().map_or("", String::as_str),
            (None, None) => "",
        };
        let in_progress = self.copies_in_progress(region);
        let shared = self.shared_amis(region, query);
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
                .filter(|a| filtered.is_none_or(|ids| ids.contains(&a.id.0)))
                .filter(|a| has_tags(&a.tags, &query.tags))
                .cloned()
                .collect();
            let found: Vec<Ami> = found
                .into_iter()
                .chain(shared)
                .filter(|a| !state.is_hidden(a.id.as_str()))
                .collect();
            let ended: Vec<Ami> = found
                .iter()
                .filter(|ami| !in_progress.contains(&ami.id))
                .cloned()
                .collect();
            state.advance_copies(&ended);
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
        let has_slot = self.has_copy_slot(region);
        let copied = self.call(
            ("copy_image", request.source.as_str(), true),
            region,
            |state| {
                if !has_slot {
                    let text = "ResourceLimitExceeded: too many concurrent copies";
                    return Err((CloudErrorKind::Busy, text.to_owned()));
                }
                if let Some(id) = state.tokens.get(&request.token) {
                    return Ok(id.clone());
                }
                if source.is_none() {
                    return not_found(request.source.as_str());
                }
                if state.refused_copies > 0 {
                    state.refused_copies -= 1;
                    let text = "no permission to access the storage of this ami";
                    return Err((CloudErrorKind::NotShared, text.to_owned()));
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
                state.hide(id.as_str());
                state.tokens.insert(request.token.clone(), id.clone());
                state.record_key(&id, request.kms_key.as_deref());
                Ok(id)
            },
        );
        let id = copied.await?;
        self.start_copy(region, &id);
        Ok(id)
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

    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Deregistration> {
        let result = self
            .call(("deregister", ami.id.as_str(), true), region, |state| {
                if state.is_hidden(ami.id.as_str()) {
                    return Ok(Deregistration::default());
                }
                let existed = state.images.remove(&ami.id).is_some();
                state.snapshots.retain(|id, _| !ami.snapshots.contains(id));
                Ok(Deregistration {
                    existed,
                    ..Deregistration::default()
                })
            })
            .await;
        or_absent(result, Deregistration::default())
    }
}

impl FakeCloud {
    /// Returns the AMIs of the builder's account with these IDs that the account of this fake may
    /// launch, without tags, which it cannot see.
    pub(super) fn shared_amis(&self, region: &Region, query: &ImageQuery) -> Vec<Ami> {
        let Some(account) = self.account.as_ref().filter(|_| query.owners == ["*"]) else {
            return Vec::new();
        };
        let mut inner = self.inner.lock().expect("no panic");
        let state = inner.state_of(ACCOUNT, region);
        let may_launch = |ami: &&Ami| {
            let who = state.permissions.get(&ami.id);
            query.ids.contains(&ami.id) && who.is_some_and(|who| who.contains(account))
        };
        let shared = state.images.values().filter(may_launch).cloned();
        let without_tags = |ami: Ami| Ami {
            tags: crate::model::Tags::new(),
            ..ami
        };
        shared.map(without_tags).collect()
    }

    /// Returns the copies to a Region that are in progress.
    fn copies_in_progress(&self, region: &Region) -> BTreeSet<AmiId> {
        let mut inner = self.inner.lock().expect("no panic");
        let ids: Vec<AmiId> = inner
            .state_of(self.account(), region)
            .images
            .keys()
            .cloned()
            .collect();
        let Some(pace) = &inner.pace else {
            return BTreeSet::new();
        };
        let is_in_progress = |id: &AmiId| pace.is_in_progress(self.account(), region, id);
        ids.into_iter().filter(is_in_progress).collect()
    }

    fn has_copy_slot(&self, region: &Region) -> bool {
        let inner = self.inner.lock().expect("no panic");
        let pace = inner.pace.as_ref();
        pace.is_none_or(|pace| pace.has_slot(self.account(), region))
    }

    fn start_copy(&self, region: &Region, id: &AmiId) {
        if let Some(pace) = &mut self.inner.lock().expect("no panic").pace {
            pace.start(self.account(), region, id);
        }
    }
}
