//! Launches, describes and terminates EC2 instances, and tests launches with a dry run.

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    HttpTokensState, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification,
    InstanceType, ResourceType, ShutdownBehavior,
};

use super::clients::Clients;
use super::errors::{cloud_error, exists};
use super::refused_launch::RefusedLaunch;
use super::tags::{filter, tag_specification};
use super::{Aws, dry_run};
use crate::model::{InstanceId, Region, Tags};
use crate::ports::{
    CloudError, CloudErrorKind, CloudResult, Instance, InstanceReader, InstanceWriter,
    LaunchRequest, TrialOutcome, TrialRequest,
};

/// Instances per page. Without a page size, a call on a large account may time out.
const PAGE_SIZE: i32 = 500;

#[async_trait]
impl InstanceReader for Aws {
    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>> {
        describe_instance(&self.clients(region), id).await
    }

    async fn instances_with_tags(
        &self,
        region: &Region,
        tags: &Tags,
    ) -> CloudResult<Vec<Instance>> {
        list_tagged(&self.clients(region), tags).await
    }

    async fn dry_run_launch(
        &self,
        region: &Region,
        request: &TrialRequest,
    ) -> CloudResult<TrialOutcome> {
        dry_run::dry_run_launch(&self.clients(region), request).await
    }
}

#[async_trait]
impl InstanceWriter for Aws {
    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId> {
        launch_instance(&self.clients(region), request).await
    }

    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<bool> {
        terminate_instance(&self.clients(region), id).await
    }
}

pub(super) async fn launch_instance(
    clients: &Clients,
    request: &LaunchRequest,
) -> CloudResult<InstanceId> {
    let interface = InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .set_associate_public_ip_address(request.public_address.then_some(true))
        .delete_on_termination(true)
        .groups(&request.group)
        .set_subnet_id(request.subnet.clone())
        .build();
    let profile = request.instance_profile.as_ref().map(|name| {
        aws_sdk_ec2::types::IamInstanceProfileSpecification::builder()
            .name(name)
            .build()
    });
    let call = clients
        .ec2
        .run_instances()
        .image_id(request.ami.as_str())
        .instance_type(InstanceType::from(request.instance_type.as_str()))
        .min_count(1)
        .max_count(1)
        .key_name(&request.key_name)
        .network_interfaces(interface)
        .set_iam_instance_profile(profile)
        .set_user_data(
            request
                .user_data
                .as_ref()
                .map(|text| aws_smithy_types::base64::encode(text.expose())),
        )
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(
            InstanceMetadataOptionsRequest::builder()
                .http_tokens(HttpTokensState::Required)
                .build(),
        )
        .tag_specifications(tag_specification(ResourceType::Instance, &request.tags))
        .tag_specifications(tag_specification(ResourceType::Volume, &request.tags))
        .tag_specifications(tag_specification(
            ResourceType::NetworkInterface,
            &request.tags,
        ))
        .client_token(&request.token);
    let overrides = aws_sdk_ec2::Config::builder().retry_classifier(RefusedLaunch);
    let answer = call
        .customize()
        .config_override(overrides)
        .send()
        .await
        .map_err(|e| cloud_error("RunInstances", &clients.region, &e))?;
    let id = answer
        .instances
        .unwrap_or_default()
        .into_iter()
        .next()
        .and_then(|i| i.instance_id);
    id.map(InstanceId).ok_or_else(|| CloudError {
        kind: CloudErrorKind::Other,
        action: "RunInstances",
        region: clients.region.to_string(),
        message: "the response contains no instance".to_owned(),
    })
}

pub(super) async fn describe_instance(
    clients: &Clients,
    id: &InstanceId,
) -> CloudResult<Option<Instance>> {
    let answer = clients
        .ec2
        .describe_instances()
        .instance_ids(id.as_str())
        .send()
        .await;
    match answer.map_err(|e| cloud_error("DescribeInstances", &clients.region, &e)) {
        Ok(answer) => Ok(convert_reservations(answer.reservations).into_iter().next()),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

pub(super) async fn list_tagged(clients: &Clients, tags: &Tags) -> CloudResult<Vec<Instance>> {
    let mut call = clients.ec2.describe_instances().max_results(PAGE_SIZE);
    for (key, value) in tags {
        call = call.filters(filter(format!("tag:{key}"), value));
    }
    let mut pages = call.into_paginator().send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        out.extend(convert_reservations(
            page.map_err(|e| cloud_error("DescribeInstances", &clients.region, &e))?
                .reservations,
        ));
    }
    out.retain(|i| i.status != "terminated");
    Ok(out)
}

pub(super) async fn terminate_instance(clients: &Clients, id: &InstanceId) -> CloudResult<bool> {
    let answer = clients
        .ec2
        .terminate_instances()
        .instance_ids(id.as_str())
        .send()
        .await;
    exists(answer.map_err(|e| cloud_error("TerminateInstances", &clients.region, &e)))
}

fn convert_reservations(
    reservations: Option<Vec<aws_sdk_ec2::types::Reservation>>,
) -> Vec<Instance> {
    let instances = reservations
        .unwrap_or_default()
        .into_iter()
        .flat_map(|r| r.instances.unwrap_or_default());
    instances
        .filter_map(|i| {
            Some(Instance {
                id: InstanceId(i.instance_id?),
                status: i
                    .state
                    .and_then(|s| s.name)
                    .map(|n| n.as_str().to_owned())
                    .unwrap_or_default(),
                reason: i.state_reason.and_then(|r| r.message),
                private_ip: i.private_ip_address,
                public_ip: i.public_ip_address,
            })
        })
        .collect()
}
