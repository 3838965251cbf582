//! Implements the calls for the usage of AMIs: launch permissions and references.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    ImageAttributeName, ImageReferenceResourceType, ResourceTypeOption, ResourceTypeRequest,
};

use super::errors::cloud_error;
use super::{Aws, references};
use crate::model::{AmiId, Reference, Region};
use crate::ports::{CloudError, CloudErrorKind, CloudResult, UsageReader};

/// AMIs per call (EC2, DescribeImageReferences).
const IMAGES_PER_CALL: usize = 10;
/// Versions of a launch template to search. The default of EC2 is ten.
const VERSION_DEPTH: &str = "10000";

#[async_trait]
impl UsageReader for Aws {
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
        let answer = sent.map_err(|e| cloud_error("DescribeImageAttribute", region, &e))?;
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

    async fn references(&self, region: &Region, amis: &[AmiId]) -> CloudResult<Vec<Reference>> {
        references::find_references(&self.clients(region), amis).await
    }

    async fn launch_configurations(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Vec<Reference>> {
        let (wanted, mut out) = (amis.iter().map(AmiId::as_str).collect(), BTreeSet::new());
        super::scaling::add_launch_configurations(&self.clients(region), &wanted, &mut out).await?;
        Ok(out.into_iter().collect())
    }

    async fn reported_references(
        &self,
        region: &Region,
        amis: &[AmiId],
    ) -> CloudResult<Option<Vec<Reference>>> {
        let mut out = BTreeSet::new();
        for chunk in amis.chunks(IMAGES_PER_CALL) {
            let call = self.clients(region).ec2.describe_image_references();
            let call = call.set_image_ids(Some(chunk.iter().map(ToString::to_string).collect()));
            let mut pages = call
                .set_resource_types(Some(resource_types()))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page =
                    match page.map_err(|e| cloud_error("DescribeImageReferences", region, &e)) {
                        Err(e) if is_unsupported(&e) => return Ok(None),
                        other => other?,
                    };
                out.extend(
                    page.image_references
                        .unwrap_or_default()
                        .into_iter()
                        .filter_map(convert_reference),
                );
            }
        }
        Ok(Some(out.into_iter().collect()))
    }
}

/// Returns true if the endpoint does not support the action (EC2 error codes; moto). A denied call
/// does not count, because references may exist.
fn is_unsupported(error: &CloudError) -> bool {
    let codes = [
        "InvalidAction",
        "UnsupportedOperation",
        "NotImplemented",
        "UnknownOperation",
    ];
    error.kind != CloudErrorKind::Denied && codes.iter().any(|code| error.message.contains(code))
}

/// Returns all resource types, with instances that are not terminated and all versions of launch
/// templates.
fn resource_types() -> Vec<ResourceTypeRequest> {
    let option = |name: &str, values: &[&str]| {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        ResourceTypeOption::builder()
            .option_name(name.into())
            .set_option_values(Some(values))
            .build()
    };
    let alive = ["pending", "running", "stopping", "stopped", "shutting-down"];
    let request =
        |kind: ImageReferenceResourceType| ResourceTypeRequest::builder().resource_type(kind);
    vec![
        request(ImageReferenceResourceType::Ec2Instance)
            .resource_type_options(option("state-name", &alive))
            .build(),
        request(ImageReferenceResourceType::Ec2LaunchTemplate)
            .resource_type_options(option("version-depth", &[VERSION_DEPTH]))
            .build(),
        request(ImageReferenceResourceType::SsmParameter).build(),
        request(ImageReferenceResourceType::ImageBuilderImageRecipe).build(),
        request(ImageReferenceResourceType::ImageBuilderContainerRecipe).build(),
    ]
}

fn convert_reference(found: aws_sdk_ec2::types::ImageReference) -> Option<Reference> {
    let arn = found.arn?;
    let kind = match found.resource_type? {
        ImageReferenceResourceType::Ec2Instance => "instance",
        ImageReferenceResourceType::Ec2LaunchTemplate => "launch-template",
        ImageReferenceResourceType::SsmParameter => "parameter",
        _ => "image-builder",
    };
    // Names as in `references`, so that a reference is not listed twice.
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
    fn denied_call_does_not_count_as_unsupported() {
        let is_unsupported = |kind, message: &str| {
            let (action, region) = ("DescribeImageReferences", "eu-west-1".to_owned());
            is_unsupported(&CloudError {
                kind,
                action,
                region,
                message: message.to_owned(),
            })
        };
        assert!(is_unsupported(
            CloudErrorKind::Other,
            "InvalidAction: The action is not valid for this endpoint"
        ));
        assert!(!is_unsupported(
            CloudErrorKind::Denied,
            "UnauthorizedOperation: You are not authorized: UnknownOperation"
        ));
        assert!(!is_unsupported(
            CloudErrorKind::Throttled,
            "RequestLimitExceeded: wait"
        ));
    }
}
