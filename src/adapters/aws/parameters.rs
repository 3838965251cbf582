//! Reads and writes SSM parameters that hold AMI IDs.

use async_trait::async_trait;
use aws_sdk_ssm::types::{Parameter, ParameterStringFilter, ParameterType, Tag};

use super::Aws;
use super::clients::Clients;
use super::errors::{cloud_error, require_field};
use crate::model::{AmiId, Reference, Region, Tags};
use crate::ports::{CloudError, CloudErrorKind, CloudResult, ParameterReader, ParameterWriter};

/// Data type of a parameter with an AMI ID.
const IMAGE_TYPE: &str = "aws:ec2:image";
/// Names per call (SSM API Reference, GetParameters).
const NAMES_PER_CALL: usize = 10;

#[async_trait]
impl ParameterReader for Aws {
    async fn parameter(&self, region: &Region, name: &str) -> CloudResult<Option<String>> {
        get_parameter(&self.clients(region), name).await
    }

    async fn other_parameter_type(
        &self,
        region: &Region,
        name: &str,
    ) -> CloudResult<Option<String>> {
        let found = read_parameter(&self.clients(region), name).await?;
        Ok(found.and_then(|parameter| {
            let kind = parameter.r#type.as_ref().map_or("", ParameterType::as_str);
            let data_type = parameter.data_type.as_deref().unwrap_or("text");
            let fits = kind == ParameterType::String.as_str() && data_type == IMAGE_TYPE;
            (!fits).then(|| format!("{kind}, {data_type}"))
        }))
    }

    async fn parameters(&self, region: &Region, path: &str) -> CloudResult<Vec<(String, String)>> {
        list_below(&self.clients(region), path).await
    }

    async fn parameter_references(&self, region: &Region) -> CloudResult<Vec<Reference>> {
        find_references(&self.clients(region)).await
    }
}

#[async_trait]
impl ParameterWriter for Aws {
    async fn put_parameter(
        &self,
        region: &Region,
        name: &str,
        value: &AmiId,
        tags: &Tags,
    ) -> CloudResult<()> {
        put_parameter(&self.clients(region), name, value, tags).await
    }

    async fn delete_parameter(&self, region: &Region, name: &str) -> CloudResult<()> {
        delete_parameter(&self.clients(region), name).await
    }
}

pub(super) async fn get_parameter(clients: &Clients, name: &str) -> CloudResult<Option<String>> {
    let found = read_parameter(clients, name).await?;
    Ok(found.and_then(|parameter| parameter.value))
}

async fn read_parameter(clients: &Clients, name: &str) -> CloudResult<Option<Parameter>> {
    let answer = clients.ssm.get_parameter().name(name).send().await;
    match answer.map_err(|e| cloud_error("GetParameter", &clients.region, &e)) {
        Ok(answer) => Ok(Some(require_field(
            answer.parameter,
            "Parameter",
            "GetParameter",
            &clients.region,
        )?)),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes a parameter of data type `aws:ec2:image`, which launch templates can refer to. AWS checks
/// that the AMI exists, but only after the response (Systems Manager User Guide, "Native parameter
/// support for Amazon Machine Image IDs").
pub(super) async fn put_parameter(
    clients: &Clients,
    name: &str,
    value: &AmiId,
    tags: &Tags,
) -> CloudResult<()> {
    let call = || {
        clients
            .ssm
            .put_parameter()
            .name(name)
            .value(value.as_str())
            .r#type(ParameterType::String)
            .data_type(IMAGE_TYPE)
    };
    // A call cannot combine tags and Overwrite, so the first call creates a new parameter.
    let tags: Vec<Tag> = tags
        .iter()
        .filter_map(|(k, v)| Tag::builder().key(k).value(v).build().ok())
        .collect();
    let first = call().set_tags(Some(tags)).send().await;
    match first {
        Ok(_) => Ok(()),
        Err(e)
            if e.as_service_error()
                .is_some_and(|e| e.is_parameter_already_exists()) =>
        {
            call()
                .overwrite(true)
                .send()
                .await
                .map_err(|e| cloud_error("PutParameter", &clients.region, &e))?;
            Ok(())
        }
        Err(e) => Err(cloud_error("PutParameter", &clients.region, &e)),
    }
}

pub(super) async fn delete_parameter(clients: &Clients, name: &str) -> CloudResult<()> {
    let answer = clients.ssm.delete_parameter().name(name).send().await;
    match answer.map_err(|e| cloud_error("DeleteParameter", &clients.region, &e)) {
        Err(e) if e.kind != CloudErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Lists the parameters below a path. A page has ten (SSM API Reference, GetParametersByPath).
pub(super) async fn list_below(
    clients: &Clients,
    path: &str,
) -> CloudResult<Vec<(String, String)>> {
    let mut pages = clients
        .ssm
        .get_parameters_by_path()
        .path(path)
        .recursive(true)
        .into_paginator()
        .send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("GetParametersByPath", &clients.region, &e))?;
        let found = require_field(
            page.parameters,
            "Parameters",
            "GetParametersByPath",
            &clients.region,
        )?;
        out.extend(found.into_iter().filter_map(|p| Some((p.name?, p.value?))));
    }
    out.sort();
    Ok(out)
}

/// Returns all AMI IDs in parameters of type `String` or `StringList`: alone, in a list, or inside a
/// text such as JSON.
pub(super) async fn find_references(clients: &Clients) -> CloudResult<Vec<Reference>> {
    let mut out = Vec::new();
    for names in list_text_parameters(clients).await?.chunks(NAMES_PER_CALL) {
        let answer = clients
            .ssm
            .get_parameters()
            .set_names(Some(names.to_vec()))
            .send()
            .await;
        let answer = answer.map_err(|e| cloud_error("GetParameters", &clients.region, &e))?;
        let found = require_field(
            answer.parameters,
            "Parameters",
            "GetParameters",
            &clients.region,
        )?;
        // Contains parameters that were deleted after they were listed.
        let invalid = answer.invalid_parameters.unwrap_or_default();
        if let Some(name) = names.iter().find(|name| {
            !found.iter().any(|p| p.name.as_ref() == Some(*name)) && !invalid.contains(name)
        }) {
            let (kind, action, region) = (
                CloudErrorKind::Malformed,
                "GetParameters",
                clients.region.to_string(),
            );
            return Err(CloudError {
                kind,
                action,
                region,
                message: format!("the response does not contain `{name}`"),
            });
        }
        for parameter in found {
            let (Some(value), Some(by)) = (parameter.value, parameter.name) else {
                continue;
            };
            let kind = || "parameter".to_owned();
            out.extend(AmiId::find_all(&value).map(|ami| Reference {
                ami,
                kind: kind(),
                referrer: by.clone(),
            }));
        }
    }
    Ok(out)
}

async fn list_text_parameters(clients: &Clients) -> CloudResult<Vec<String>> {
    let types = [ParameterType::String, ParameterType::StringList]
        .map(|t| t.as_str().to_owned())
        .to_vec();
    let filter = ParameterStringFilter::builder()
        .key("Type")
        .option("Equals")
        .set_values(Some(types))
        .build();
    let mut pages = clients
        .ssm
        .describe_parameters()
        .set_parameter_filters(filter.ok().map(|f| vec![f]));
    pages = pages.max_results(50);
    let mut pages = pages.into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("DescribeParameters", &clients.region, &e))?;
        let found = require_field(
            page.parameters,
            "Parameters",
            "DescribeParameters",
            &clients.region,
        )?;
        names.extend(found.into_iter().filter_map(|p| p.name));
    }
    Ok(names)
}
