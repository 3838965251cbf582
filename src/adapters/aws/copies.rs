//! Copies AMIs and shares them for copies.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    AttributeValue, ImageAttributeName, LaunchPermission, LaunchPermissionModifications,
    OperationType, ResourceType, SnapshotAttributeName,
};

use super::clients::Clients;
use super::errors::cloud_error;
use super::tags::tag_specification;
use crate::model::{Ami, AmiId, Sharing};
use crate::ports::{CloudResult, CopyRequest};

/// Starts a copy in the Region of the copy. The client token makes a repeated call return the same
/// ID.
pub(super) async fn copy_image(clients: &Clients, request: &CopyRequest) -> CloudResult<AmiId> {
    let call = clients
        .ec2
        .copy_image()
        .source_region(request.source_region.as_str())
        .source_image_id(request.source.as_str())
        .name(&request.name)
        .client_token(&request.token)
        .set_encrypted(request.kms_key.is_some().then_some(true))
        .set_kms_key_id(request.kms_key.clone())
        .tag_specifications(tag_specification(ResourceType::Image, &request.tags))
        .tag_specifications(tag_specification(ResourceType::Snapshot, &request.tags));
    let answer = call
        .send()
        .await
        .map_err(|e| cloud_error("CopyImage", &clients.region, &e))?;
    Ok(AmiId(answer.image_id.unwrap_or_default()))
}

/// Returns the `StateReason` of an AMI.
pub(super) async fn failure_reason(clients: &Clients, ami: &AmiId) -> CloudResult<Option<String>> {
    let answer = clients
        .ec2
        .describe_images()
        .image_ids(ami.as_str())
        .send()
        .await;
    let answer = answer.map_err(|e| cloud_error("DescribeImages", &clients.region, &e))?;
    Ok(answer
        .images
        .unwrap_or_default()
        .into_iter()
        .find_map(|i| i.state_reason)
        .and_then(|r| r.message))
}

/// Returns the permissions of an account by its ID. Permissions of everyone or of an organization are
/// not included.
pub(super) async fn read_sharing(
    clients: &Clients,
    ami: &Ami,
    account: &str,
) -> CloudResult<Sharing> {
    let call = clients
        .ec2
        .describe_image_attribute()
        .image_id(ami.id.as_str());
    let answer = call
        .attribute(ImageAttributeName::LaunchPermission)
        .send()
        .await;
    let answer = answer.map_err(|e| cloud_error("DescribeImageAttribute", &clients.region, &e))?;
    let launch = answer.launch_permissions.unwrap_or_default();
    let image = launch.iter().any(|p| p.user_id.as_deref() == Some(account));
    let mut snapshots = BTreeSet::new();
    for snapshot in &ami.snapshots {
        let call = clients
            .ec2
            .describe_snapshot_attribute()
            .snapshot_id(snapshot.as_str());
        let answer = call
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .send()
            .await;
        let answer =
            answer.map_err(|e| cloud_error("DescribeSnapshotAttribute", &clients.region, &e))?;
        let volumes = answer.create_volume_permissions.unwrap_or_default();
        if volumes
            .iter()
            .any(|p| p.user_id.as_deref() == Some(account))
        {
            snapshots.insert(snapshot.clone());
        }
    }
    Ok(Sharing { image, snapshots })
}

/// Changes the permissions of an account. A copy from another account also needs the snapshots (EC2
/// User Guide, "Cross-account copying").
pub(super) async fn share(
    clients: &Clients,
    ami: &AmiId,
    what: &Sharing,
    account: &str,
    on: bool,
) -> CloudResult<()> {
    if what.image {
        let launch = LaunchPermission::builder().user_id(account).build();
        let change = LaunchPermissionModifications::builder();
        let change = if on {
            change.add(launch)
        } else {
            change.remove(launch)
        };
        let call = clients
            .ec2
            .modify_image_attribute()
            .image_id(ami.as_str())
            .launch_permission(change.build());
        call.send()
            .await
            .map_err(|e| cloud_error("ModifyImageAttribute", &clients.region, &e))?;
    }
    for snapshot in &what.snapshots {
        let call = clients
            .ec2
            .modify_snapshot_attribute()
            .snapshot_id(snapshot.as_str())
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .operation_type(if on {
                OperationType::Add
            } else {
                OperationType::Remove
            })
            .user_ids(account);
        call.send()
            .await
            .map_err(|e| cloud_error("ModifySnapshotAttribute", &clients.region, &e))?;
    }
    Ok(())
}

/// Sets `ImdsSupport` of an AMI to `v2.0`.
pub(super) async fn require_imds_v2(clients: &Clients, ami: &AmiId) -> CloudResult<()> {
    let value = AttributeValue::builder().value("v2.0").build();
    let call = clients
        .ec2
        .modify_image_attribute()
        .image_id(ami.as_str())
        .imds_support(value);
    let answer = call.send().await;
    answer.map_err(|e| cloud_error("ModifyImageAttribute", &clients.region, &e))?;
    Ok(())
}
