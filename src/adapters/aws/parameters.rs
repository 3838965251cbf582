//! Owns SSM parameters that publish AMI ids.

use aws_sdk_ssm::types::{ParameterType, Tag};

use super::{Clients, failed};
use crate::model::{AmiId, Tags};
use crate::ports::{CloudErrorKind, CloudResult};

pub(super) async fn get(clients: &Clients, name: &str) -> CloudResult<Option<String>> {
    let answer = clients.ssm.get_parameter().name(name).send().await;
    match answer.map_err(|e| failed("GetParameter", &clients.region, &e)) {
        Ok(answer) => Ok(answer.parameter.and_then(|p| p.value)),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Data type `aws:ec2:image`: consumers may name the parameter in a launch template, and AWS checks that the AMI exists,
/// but only after answering (Systems Manager user guide, "Native parameter support for AMI IDs").
pub(super) async fn put(clients: &Clients, name: &str, value: &AmiId, tags: &Tags) -> CloudResult<()> {
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
    let tags: Vec<Tag> = tags.iter().filter_map(|(k, v)| Tag::builder().key(k).value(v).build().ok()).collect();
    let first = call().set_tags(Some(tags)).send().await;
    match first {
        Ok(_) => Ok(()),
        Err(e) if e.as_service_error().is_some_and(|e| e.is_parameter_already_exists()) => {
            call().overwrite(true).send().await.map(drop).map_err(|e| failed("PutParameter", &clients.region, &e))
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
    let mut pages = clients.ssm.get_parameters_by_path().path(path).recursive(true).into_paginator().send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("GetParametersByPath", &clients.region, &e))?;
        out.extend(page.parameters.unwrap_or_default().into_iter().filter_map(|p| Some((p.name?, p.value?))));
    }
    out.sort();
    Ok(out)
}
