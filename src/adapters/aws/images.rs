//! Describes AMIs and deregisters them with their snapshots.

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, Image, ImageState, ImdsSupportValues, SnapshotReturnCodes};

use super::clients::Clients;
use super::errors::cloud_error;
use super::tags::filter;
use super::{Aws, copies};
use crate::model::{Ami, AmiId, Region, Sharing, SnapshotId};
use crate::ports::{
    CloudErrorKind, CloudResult, CopyRequest, Deregistration, ImageQuery, ImageReader, ImageWriter,
};

/// AMIs per page. AWS recommends pagination, because calls without it may be throttled or time out.
const PAGE_SIZE: i32 = 500;

#[async_trait]
impl ImageReader for Aws {
    async fn images(&self, region: &Region, query: &ImageQuery) -> CloudResult<Vec<Ami>> {
        describe_images(&self.clients(region), query).await
    }

    async fn failure_reason(&self, region: &Region, ami: &AmiId) -> CloudResult<Option<String>> {
        copies::failure_reason(&self.clients(region), ami).await
    }

    async fn sharing(&self, region: &Region, ami: &Ami, account: &str) -> CloudResult<Sharing> {
        copies::read_sharing(&self.clients(region), ami, account).await
    }
}

#[async_trait]
impl ImageWriter for Aws {
    async fn copy_image(&self, region: &Region, request: &CopyRequest) -> CloudResult<AmiId> {
        copies::copy_image(&self.clients(region), request).await
    }

    async fn share(
        &self,
        region: &Region,
        ami: &AmiId,
        what: &Sharing,
        account: &str,
        on: bool,
    ) -> CloudResult<()> {
        copies::share(&self.clients(region), ami, what, account, on).await
    }

    async fn require_imds_v2(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        copies::require_imds_v2(&self.clients(region), ami).await
    }

    async fn deregister(&self, region: &Region, ami: &Ami) -> CloudResult<Deregistration> {
        deregister_image(&self.clients(region), ami).await
    }
}

pub(super) async fn describe_images(
    clients: &Clients,
    query: &ImageQuery,
) -> CloudResult<Vec<Ami>> {
    let mut call = clients
        .ec2
        .describe_images()
        .include_deprecated(true)
        .include_disabled(true);
    match query.owners.as_slice() {
        [] => call = call.owners("self"),
        [any] if any == "*" => {}
        owners => call = call.set_owners(Some(owners.to_vec())),
    }
    if let Some(name) = &query.name {
        call = call.filters(filter("name", name));
    }
    for (key, value) in &query.tags {
        call = call.filters(filter(format!("tag:{key}"), value));
    }
    for (name, values) in &query.filters {
        let values = Some(values.clone());
        call = call.filters(Filter::builder().name(name).set_values(values).build());
    }
    // A call with IDs cannot set MaxResults (DescribeImages).
    let mut pages = if query.ids.is_empty() {
        call.max_results(PAGE_SIZE).into_paginator().send()
    } else {
        call.set_image_ids(Some(query.ids.iter().map(ToString::to_string).collect()))
            .into_paginator()
            .send()
    };
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("DescribeImages", &clients.region, &e))?;
        out.extend(
            page.images
                .unwrap_or_default()
                .into_iter()
                .filter_map(|i| convert_image(clients, i)),
        );
    }
    out.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(out)
}

/// Converts an AMI. EC2 lists a deregistered AMI for a while, which counts as missing.
fn convert_image(clients: &Clients, image: Image) -> Option<Ami> {
    if image.state == Some(ImageState::Deregistered) {
        return None;
    }
    let root_device = image.root_device_name.unwrap_or_default();
    let mappings = image.block_device_mappings.unwrap_or_default();
    let volumes = mappings.iter().filter(|m| m.ebs.is_some());
    let other_devices = volumes
        .filter_map(|m| m.device_name.clone())
        .filter(|device| *device != root_device)
        .collect();
    let tags = image.tags.unwrap_or_default().into_iter();
    Some(Ami {
        id: AmiId(image.image_id?),
        region: clients.region.clone(),
        name: image.name.unwrap_or_default(),
        owner: image.owner_id.unwrap_or_default(),
        arch: image
            .architecture
            .map(|a| a.as_str().to_owned())
            .unwrap_or_default(),
        created: image.creation_date.unwrap_or_default(),
        status: image
            .state
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        root_device,
        other_devices,
        imds_v2: image.imds_support == Some(ImdsSupportValues::V20),
        snapshots: mappings
            .into_iter()
            .filter_map(|m| m.ebs?.snapshot_id)
            .map(SnapshotId)
            .collect(),
        tags: tags
            .filter_map(|t| Some((t.key?, t.value.unwrap_or_default())))
            .collect(),
        public: image.public.unwrap_or(false),
        last_launched: image.last_launched_time,
        protected: image
            .deregistration_protection
            .is_some_and(|p| p.starts_with("enabled")),
        deprecated: image.deprecation_time,
    })
}

/// Deregisters an AMI and lets EC2 delete its snapshots. The call succeeds even if a deletion fails,
/// so snapshots that EC2 does not report as deleted are deleted one by one, also if the AMI does not
/// exist: an interrupted run may have left its snapshots.
pub(super) async fn deregister_image(clients: &Clients, ami: &Ami) -> CloudResult<Deregistration> {
    let call = clients
        .ec2
        .deregister_image()
        .image_id(ami.id.as_str())
        .delete_associated_snapshots(true)
        .send()
        .await;
    let (existed, results) =
        match call.map_err(|e| cloud_error("DeregisterImage", &clients.region, &e)) {
            Ok(answer) => (true, answer.delete_snapshot_results.unwrap_or_default()),
            Err(error) if error.kind == CloudErrorKind::NotFound => (false, Vec::new()),
            Err(error) => return Err(error),
        };
    let return_code = |snapshot: &SnapshotId| {
        results
            .iter()
            .find(|r| r.snapshot_id() == Some(snapshot.as_str()))
            .and_then(|r| r.return_code())
    };
    let (mut remaining, mut reason) = (Vec::new(), None);
    for snapshot in &ami.snapshots {
        if matches!(return_code(snapshot), Some(SnapshotReturnCodes::Success)) {
            continue;
        }
        let call = clients
            .ec2
            .delete_snapshot()
            .snapshot_id(snapshot.as_str())
            .send()
            .await;
        match call.map_err(|e| cloud_error("DeleteSnapshot", &clients.region, &e)) {
            Ok(_) => {}
            Err(e) if e.kind == CloudErrorKind::NotFound => {}
            // Another AMI uses the snapshot too.
            Err(e)
                if e.kind == CloudErrorKind::InUse
                    && return_code(snapshot) == Some(&SnapshotReturnCodes::WarnSkipped) => {}
            Err(e) => {
                remaining.push(snapshot.clone());
                reason.get_or_insert(e.to_string());
            }
        }
    }
    Ok(Deregistration {
        existed,
        remaining,
        reason,
    })
}
