//! Owns AMIs at AWS: describing every page of them, and deregistering one with its snapshots.

use aws_sdk_ec2::types::{Image, SnapshotReturnCodes};

use super::{Clients, failed, filter};
use crate::model::{Ami, AmiId, SnapshotId};
use crate::ports::{CloudErrorKind, CloudResult, ImageQuery};

/// AMIs per page; AWS advises to page always, because unpaged calls risk throttling and timeouts.
const PAGE: i32 = 500;

pub(super) async fn describe(clients: &Clients, query: &ImageQuery) -> CloudResult<Vec<Ami>> {
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
    // Ids and pages exclude each other (DescribeImages, MaxResults).
    let mut pages = if query.ids.is_empty() {
        call.max_results(PAGE).into_paginator().send()
    } else {
        call.set_image_ids(Some(query.ids.iter().map(ToString::to_string).collect()))
            .into_paginator()
            .send()
    };
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("DescribeImages", &clients.region, &e))?;
        out.extend(
            page.images
                .unwrap_or_default()
                .into_iter()
                .filter_map(|i| read(clients, i)),
        );
    }
    out.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(out)
}

fn read(clients: &Clients, image: Image) -> Option<Ami> {
    let snapshots = image.block_device_mappings.unwrap_or_default().into_iter();
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
        root_device: image.root_device_name.unwrap_or_default(),
        snapshots: snapshots
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
    })
}

/// Deregisters and has EC2 delete the snapshots; those of which it does not say that they are deleted are deleted one by one,
/// because deregistering succeeds also when that fails. Gone AMIs are fine: a run that was cut may have left snapshots.
pub(super) async fn deregister(clients: &Clients, ami: &Ami) -> CloudResult<Vec<SnapshotId>> {
    let call = clients
        .ec2
        .deregister_image()
        .image_id(ami.id.as_str())
        .delete_associated_snapshots(true)
        .send()
        .await;
    let results = match call.map_err(|e| failed("DeregisterImage", &clients.region, &e)) {
        Ok(answer) => answer.delete_snapshot_results.unwrap_or_default(),
        Err(error) if error.kind == CloudErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let said = |snapshot: &SnapshotId| {
        results
            .iter()
            .find(|r| r.snapshot_id() == Some(snapshot.as_str()))
            .and_then(|r| r.return_code())
    };
    let mut left = Vec::new();
    for snapshot in &ami.snapshots {
        if matches!(said(snapshot), Some(SnapshotReturnCodes::Success)) {
            continue;
        }
        let call = clients
            .ec2
            .delete_snapshot()
            .snapshot_id(snapshot.as_str())
            .send()
            .await;
        match call.map_err(|e| failed("DeleteSnapshot", &clients.region, &e)) {
            Ok(_) => {}
            Err(e) if e.kind == CloudErrorKind::NotFound => {}
            // Another AMI is made of it too, and goes on needing it.
            Err(e)
                if e.kind == CloudErrorKind::InUse
                    && said(snapshot) == Some(&SnapshotReturnCodes::WarnSkipped) => {}
            Err(e) => {
                tracing::warn!(snapshot = %snapshot, error = %e, "snapshot not deleted");
                left.push(snapshot.clone());
            }
        }
    }
    Ok(left)
}
