//! Implements the retirement of AMIs in EC2: deprecation, disabling and launch permissions.

use async_trait::async_trait;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::builders::LaunchPermissionModificationsBuilder;
use aws_sdk_ec2::types::{LaunchPermission, LaunchPermissionModifications, PermissionGroup};

use super::Aws;
use super::errors::cloud_error;
use crate::model::{AmiId, Region, Timestamp};
use crate::ports::{CloudResult, Retirement};

/// Launch permissions per call of ModifyImageAttribute.
const PERMISSIONS_PER_CALL: usize = 100;

#[async_trait]
impl Retirement for Aws {
    async fn deprecate(&self, region: &Region, ami: &AmiId, at: Timestamp) -> CloudResult<()> {
        let call = self
            .clients(region)
            .ec2
            .enable_image_deprecation()
            .image_id(ami.as_str());
        let sent = call
            .deprecate_at(DateTime::from_secs(at.as_second()))
            .send()
            .await;
        sent.map_err(|e| cloud_error("EnableImageDeprecation", region, &e))?;
        Ok(())
    }

    async fn cancel_deprecation(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        let sent = self
            .clients(region)
            .ec2
            .disable_image_deprecation()
            .image_id(ami.as_str())
            .send()
            .await;
        sent.map_err(|e| cloud_error("DisableImageDeprecation", region, &e))?;
        Ok(())
    }

    async fn disable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        let sent = self
            .clients(region)
            .ec2
            .disable_image()
            .image_id(ami.as_str())
            .send()
            .await;
        sent.map_err(|e| cloud_error("DisableImage", region, &e))?;
        Ok(())
    }

    async fn enable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        let sent = self
            .clients(region)
            .ec2
            .enable_image()
            .image_id(ami.as_str())
            .send()
            .await;
        sent.map_err(|e| cloud_error("EnableImage", region, &e))?;
        Ok(())
    }

    async fn permit(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()> {
        let change = |list| LaunchPermissionModifications::builder().set_add(Some(list));
        change_permissions(self, (region, ami), who, change).await
    }

    async fn forbid(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()> {
        let change = |list| LaunchPermissionModifications::builder().set_remove(Some(list));
        change_permissions(self, (region, ami), who, change).await
    }
}

async fn change_permissions(
    aws: &Aws,
    (region, ami): (&Region, &AmiId),
    who: &[String],
    change: impl Fn(Vec<LaunchPermission>) -> LaunchPermissionModificationsBuilder + Send,
) -> CloudResult<()> {
    for chunk in who.chunks(PERMISSIONS_PER_CALL) {
        let list = chunk.iter().map(|one| launch_permission(one)).collect();
        let clients = aws.clients(region);
        let call = clients
            .ec2
            .modify_image_attribute()
            .image_id(ami.as_str())
            .launch_permission(change(list).build());
        call.send()
            .await
            .map_err(|e| cloud_error("ModifyImageAttribute", region, &e))?;
    }
    Ok(())
}

/// Converts an account ID, an ARN or `all` to a launch permission.
fn launch_permission(who: &str) -> LaunchPermission {
    let permission = LaunchPermission::builder();
    match who {
        "all" => permission.group(PermissionGroup::All),
        arn if arn.contains(":ou/") => permission.organizational_unit_arn(arn),
        arn if arn.starts_with("arn:") => permission.organization_arn(arn),
        account => permission.user_id(account),
    }
    .build()
}
