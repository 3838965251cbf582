//! Owns the way out of an AMI at AWS: deprecation, disabling, launch permissions, and EC2's own list of what refers to it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    ImageAttributeName, ImageReferenceResourceType, LaunchPermission,
    LaunchPermissionModifications, PermissionGroup, ResourceTypeOption, ResourceTypeRequest,
};

use super::{Aws, failed};
use crate::model::{AmiId, Reference, Region, Timestamp};
use crate::ports::{CloudError, CloudErrorKind, CloudResult, Ladder};

/// AMIs in one question (EC2, DescribeImageReferences).
const CHUNK: usize = 10;
/// Versions of a launch template that are looked at; EC2 looks at ten unless told otherwise.
const VERSIONS: &str = "10000";
/// Permissions in one call of ModifyImageAttribute.
const PERMISSIONS: usize = 100;

#[async_trait]
impl Ladder for Aws {
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
        sent.map(drop)
            .map_err(|e| failed("EnableImageDeprecation", region, &e))
    }

    async fn cancel_deprecation(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        let sent = self
            .clients(region)
            .ec2
            .disable_image_deprecation()
            .image_id(ami.as_str())
            .send()
            .await;
        sent.map(drop)
            .map_err(|e| failed("DisableImageDeprecation", region, &e))
    }

    async fn disable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        let sent = self
            .clients(region)
            .ec2
            .disable_image()
            .image_id(ami.as_str())
            .send()
            .await;
        sent.map(drop)
            .map_err(|e| failed("DisableImage", region, &e))
    }

    async fn enable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        let sent = self
            .clients(region)
            .ec2
            .enable_image()
            .image_id(ami.as_str())
            .send()
            .await;
        sent.map(drop)
            .map_err(|e| failed("EnableImage", region, &e))
    }

    async fn permissions(&self, region: &Region, ami: &AmiId) -> CloudResult<Vec<String>> {
        let call = self
            .clients(region)
            .ec2
            .describe_image_attribute()
            .image_id(ami.as_str());
        let sent = call
            .attribute(ImageAttributeName::LaunchPermission)
            .send()
            .await;
        let answer = match sent.map_err(|e| failed("DescribeImageAttribute", region, &e)) {
            Err(e) if e.kind == CloudErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let who = answer
            .launch_permissions
            .unwrap_or_default()
            .into_iter()
            .filter_map(|p| {
                let group = p.group.map(|g| g.as_str().to_owned());
                p.user_id
                    .or(p.organization_arn)
                    .or(p.organizational_unit_arn)
                    .or(group)
            });
        Ok(who.collect::<BTreeSet<_>>().into_iter().collect())
    }

    async fn permit(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()> {
        for chunk in who.chunks(PERMISSIONS) {
            let add = chunk.iter().map(|one| permission(one)).collect();
            let call = self
                .clients(region)
                .ec2
                .modify_image_attribute()
                .image_id(ami.as_str());
            let call = call.launch_permission(
                LaunchPermissionModifications::builder()
                    .set_add(Some(add))
                    .build(),
            );
            call.send()
                .await
                .map_err(|e| failed("ModifyImageAttribute", region, &e))?;
        }
        Ok(())
    }

    async fn reported(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Option<Vec<Reference>>> {
        let mut out = BTreeSet::new();
        for chunk in amis.chunks(CHUNK) {
            let call = self.clients(region).ec2.describe_image_references();
            let call = call.set_image_ids(Some(chunk.iter().map(ToString::to_string).collect()));
            let mut pages = call
                .set_resource_types(Some(everything()))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = match page.map_err(|e| failed("DescribeImageReferences", region, &e)) {
                    Err(e) if unknown(&e) => return Ok(None),
                    other => other?,
                };
                out.extend(
                    page.image_references
                        .unwrap_or_default()
                        .into_iter()
                        .filter_map(read),
                );
            }
        }
        Ok(Some(out.into_iter().collect()))
    }
}

/// Who may launch, as EC2 wants it.
fn permission(who: &str) -> LaunchPermission {
    let made = LaunchPermission::builder();
    match who {
        "all" => made.group(PermissionGroup::All),
        arn if arn.contains(":ou/") => made.organizational_unit_arn(arn),
        arn if arn.starts_with("arn:") => made.organization_arn(arn),
        account => made.user_id(account),
    }
    .build()
}

/// What an endpoint answers that does not know an action (EC2 error codes; moto). Who may not ask knows nothing, which is
/// no such answer: what refers to an AMI might be there.
fn unknown(error: &CloudError) -> bool {
    let codes = [
        "InvalidAction",
        "UnsupportedOperation",
        "NotImplemented",
        "UnknownOperation",
    ];
    error.kind != CloudErrorKind::Denied && codes.iter().any(|code| error.message.contains(code))
}

/// Every kind of resource; instances in every state but terminated, launch templates in all versions.
fn everything() -> Vec<ResourceTypeRequest> {
    let option = |name: &str, values: &[&str]| {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        ResourceTypeOption::builder()
            .option_name(name.into())
            .set_option_values(Some(values))
            .build()
    };
    let alive = ["pending", "running", "stopping", "stopped", "shutting-down"];
    let of = |kind: ImageReferenceResourceType| ResourceTypeRequest::builder().resource_type(kind);
    vec![
        of(ImageReferenceResourceType::Ec2Instance)
            .resource_type_options(option("state-name", &alive))
            .build(),
        of(ImageReferenceResourceType::Ec2LaunchTemplate)
            .resource_type_options(option("version-depth", &[VERSIONS]))
            .build(),
        of(ImageReferenceResourceType::SsmParameter).build(),
        of(ImageReferenceResourceType::ImageBuilderImageRecipe).build(),
        of(ImageReferenceResourceType::ImageBuilderContainerRecipe).build(),
    ]
}

fn read(found: aws_sdk_ec2::types::ImageReference) -> Option<Reference> {
    let arn = found.arn?;
    let kind = match found.resource_type? {
        ImageReferenceResourceType::Ec2Instance => "instance",
        ImageReferenceResourceType::Ec2LaunchTemplate => "launch-template",
        ImageReferenceResourceType::SsmParameter => "parameter",
        _ => "image-builder",
    };
    // The same words as the own listing's, so that one thing is not told twice.
    let by = match kind {
        "parameter" => arn
            .split_once(":parameter")
            .map_or(arn.as_str(), |(_, name)| name),
        "image-builder" => &arn,
        _ => arn.rsplit('/').next().unwrap_or(&arn),
    };
    Some(Reference {
        ami: AmiId(found.image_id?),
        kind: kind.to_owned(),
        referrer: by.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoint_that_does_not_know_the_question_has_no_answer() {
        let said = |kind, message: &str| {
            let (action, region) = ("DescribeImageReferences", "eu-west-1".to_owned());
            unknown(&CloudError {
                kind,
                action,
                region,
                message: message.to_owned(),
            })
        };
        assert!(said(
            CloudErrorKind::Other,
            "InvalidAction: The action is not valid for this endpoint"
        ));
        assert!(!said(
            CloudErrorKind::Denied,
            "UnauthorizedOperation: You are not authorized: UnknownOperation"
        ));
        assert!(!said(
            CloudErrorKind::Throttled,
            "RequestLimitExceeded: wait"
        ));
    }
}
