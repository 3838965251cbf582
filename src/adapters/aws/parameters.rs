//! Reads and writes SSM parameters that hold AMI IDs.

use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType, Tag};

use super::{Clients, failed, required};
use crate::model::{AmiId, Reference, Tags};
use crate::ports::{CloudError, CloudErrorKind, CloudResult};

/// Names in one call (SSM API Reference, GetParameters).
const NAMES: usize = 10;

pub(super) async fn get(clients: &Clients, name: &str) -> CloudResult<Option<String>> {
    let answer = clients.ssm.get_parameter().name(name).send().await;
    match answer.map_err(|e| failed("GetParameter", &clients.region, &e)) {
        Ok(answer) => Ok(required(
            answer.parameter,
            "Parameter",
            "GetParameter",
            &clients.region,
        )?
        .value),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Data type `aws:ec2:image`: consumers may name the parameter in a launch template, and AWS checks that the AMI exists,
/// but only after answering (Systems Manager user guide, "Native parameter support for AMI IDs").
pub(super) async fn put(
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
            .data_type("aws:ec2:image")
    };
    // Tags can't be given together with Overwrite, so a new parameter is tried first.
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
                .map(drop)
                .map_err(|e| failed("PutParameter", &clients.region, &e))
        }
        Err(e) => Err(failed("PutParameter", &clients.region, &e)),
    }
}

pub(super) async fn delete(clients: &Clients, name: &str) -> CloudResult<()> {
    let answer = clients.ssm.delete_parameter().name(name).send().await;
    match answer.map_err(|e| failed("DeleteParameter", &clients.region, &e)) {
        Err(e) if e.kind != CloudErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Every parameter below a path; ten come on a page (SSM API Reference, GetParametersByPath).
pub(super) async fn below(clients: &Clients, path: &str) -> CloudResult<Vec<(String, String)>> {
    let mut pages = clients
        .ssm
        .get_parameters_by_path()
        .path(path)
        .recursive(true)
        .into_paginator()
        .send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("GetParametersByPath", &clients.region, &e))?;
        let found = required(
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

/// Returns every AMI ID in a parameter of type `String` or `StringList`: alone, in a list, or within a text such as JSON.
pub(super) async fn references(clients: &Clients) -> CloudResult<Vec<Reference>> {
    let mut out = Vec::new();
    for names in text_parameters(clients).await?.chunks(NAMES) {
        let answer = clients
            .ssm
            .get_parameters()
            .set_names(Some(names.to_vec()))
            .send()
            .await;
        let answer = answer.map_err(|e| failed("GetParameters", &clients.region, &e))?;
        let found = required(
            answer.parameters,
            "Parameters",
            "GetParameters",
            &clients.region,
        )?;
        // A parameter that was deleted since it was listed is named here.
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
                message: format!("the answer does not mention `{name}`"),
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

async fn text_parameters(clients: &Clients) -> CloudResult<Vec<String>> {
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
        let page = page.map_err(|e| failed("DescribeParameters", &clients.region, &e))?;
        let found = required(
            page.parameters,
            "Parameters",
            "DescribeParameters",
            &clients.region,
        )?;
        names.extend(found.into_iter().filter_map(|p| p.name));
    }
    Ok(names)
}
