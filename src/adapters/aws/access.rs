//! Creates and deletes EC2 key pairs and security groups.

use async_trait::async_trait;
use aws_sdk_ec2::types::builders::IpPermissionBuilder;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, KeyType, ResourceType};

use super::Aws;
use super::clients::Clients;
use super::errors::{cloud_error, exists, require_field};
use super::tags::{filter, tag_specification};
use crate::model::{Region, Tags};
use crate::ports::{AccessReader, AccessWriter, CloudErrorKind, CloudResult, GroupRequest, Secret};

#[async_trait]
impl AccessReader for Aws {
    async fn find_group(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Option<String>> {
        find_group(&self.clients(region), name, tags).await
    }

    async fn has_key_pair(&self, region: &Region, name: &str) -> CloudResult<bool> {
        has_key_pair(&self.clients(region), name).await
    }
}

#[async_trait]
impl AccessWriter for Aws {
    async fn create_key_pair(
        &self,
        region: &Region,
        name: &str,
        tags: &Tags,
    ) -> CloudResult<Secret> {
        create_key_pair(&self.clients(region), name, tags).await
    }

    async fn delete_key_pair(&self, region: &Region, name: &str) -> CloudResult<bool> {
        delete_key_pair(&self.clients(region), name).await
    }

    async fn create_group(&self, region: &Region, request: &GroupRequest) -> CloudResult<String> {
        create_group(&self.clients(region), request).await
    }

    async fn allow_ssh(&self, region: &Region, group: &str, from: &[String]) -> CloudResult<()> {
        allow_ssh(&self.clients(region), group, from).await
    }

    async fn delete_group(&self, region: &Region, id: &str) -> CloudResult<bool> {
        delete_group(&self.clients(region), id).await
    }
}

pub(super) async fn create_key_pair(
    clients: &Clients,
    name: &str,
    tags: &Tags,
) -> CloudResult<Secret> {
    let call = clients
        .ec2
        .create_key_pair()
        .key_name(name)
        .key_type(KeyType::Ed25519)
        .tag_specifications(tag_specification(ResourceType::KeyPair, tags));
    let answer = call
        .send()
        .await
        .map_err(|e| cloud_error("CreateKeyPair", &clients.region, &e))?;
    Ok(Secret::new(answer.key_material.unwrap_or_default()))
}

pub(super) async fn delete_key_pair(clients: &Clients, name: &str) -> CloudResult<bool> {
    let answer = clients.ec2.delete_key_pair().key_name(name).send().await;
    exists(answer.map_err(|e| cloud_error("DeleteKeyPair", &clients.region, &e)))
}

async fn has_key_pair(clients: &Clients, name: &str) -> CloudResult<bool> {
    let call = clients.ec2.describe_key_pairs();
    let answer = call.filters(filter("key-name", name)).send().await;
    let answer = answer.map_err(|e| cloud_error("DescribeKeyPairs", &clients.region, &e))?;
    let listed = require_field(
        answer.key_pairs,
        "keySet",
        "DescribeKeyPairs",
        &clients.region,
    )?;
    Ok(!listed.is_empty())
}

pub(super) async fn create_group(clients: &Clients, request: &GroupRequest) -> CloudResult<String> {
    let vpc = match &request.subnet {
        Some(subnet) => Some(find_vpc(clients, subnet).await?),
        None => None,
    };
    let call = clients
        .ec2
        .create_security_group()
        .group_name(&request.name)
        .description("bakeline: SSH to a build or test instance of one run")
        .set_vpc_id(vpc)
        .tag_specifications(tag_specification(
            ResourceType::SecurityGroup,
            &request.tags,
        ));
    let answer = call
        .send()
        .await
        .map_err(|e| cloud_error("CreateSecurityGroup", &clients.region, &e))?;
    require_field(
        answer.group_id,
        "groupId",
        "CreateSecurityGroup",
        &clients.region,
    )
}

pub(super) async fn allow_ssh(clients: &Clients, id: &str, from: &[String]) -> CloudResult<()> {
    if from.is_empty() {
        return Ok(());
    }
    let ssh = ssh_permission(from);
    let call = clients
        .ec2
        .authorize_security_group_ingress()
        .group_id(id)
        .ip_permissions(ssh);
    match call
        .send()
        .await
        .map_err(|e| cloud_error("AuthorizeSecurityGroupIngress", &clients.region, &e))
    {
        // The response of an earlier attempt was lost.
        Err(error) if error.kind != CloudErrorKind::Duplicate => Err(error),
        _ => Ok(()),
    }
}

/// Returns the permission for SSH from IPv4 and IPv6 ranges.
fn ssh_permission(from: &[String]) -> IpPermission {
    let description = "bakeline";
    let permission = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22);
    let add = |permission: IpPermissionBuilder, cidr: &String| {
        if cidr.contains(':') {
            let range = Ipv6Range::builder().cidr_ipv6(cidr);
            permission.ipv6_ranges(range.description(description).build())
        } else {
            let range = IpRange::builder().cidr_ip(cidr);
            permission.ip_ranges(range.description(description).build())
        }
    };
    from.iter().fold(permission, add).build()
}

async fn find_vpc(clients: &Clients, subnet: &str) -> CloudResult<String> {
    let answer = clients
        .ec2
        .describe_subnets()
        .subnet_ids(subnet)
        .send()
        .await;
    let answer = answer.map_err(|e| cloud_error("DescribeSubnets", &clients.region, &e))?;
    Ok(answer
        .subnets
        .unwrap_or_default()
        .into_iter()
        .find_map(|s| s.vpc_id)
        .unwrap_or_default())
}

pub(super) async fn find_group(
    clients: &Clients,
    name: &str,
    tags: &Tags,
) -> CloudResult<Option<String>> {
    let mut call = clients
        .ec2
        .describe_security_groups()
        .filters(filter("group-name", name));
    for (key, value) in tags {
        call = call.filters(filter(format!("tag:{key}"), value));
    }
    let answer = call
        .send()
        .await
        .map_err(|e| cloud_error("DescribeSecurityGroups", &clients.region, &e))?;
    Ok(answer
        .security_groups
        .unwrap_or_default()
        .into_iter()
        .find_map(|g| g.group_id))
}

pub(super) async fn delete_group(clients: &Clients, id: &str) -> CloudResult<bool> {
    let answer = clients
        .ec2
        .delete_security_group()
        .group_id(id)
        .send()
        .await;
    exists(answer.map_err(|e| cloud_error("DeleteSecurityGroup", &clients.region, &e)))
}
