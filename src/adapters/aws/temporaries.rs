//! Lists temporary resources for a sweep.

use std::collections::BTreeSet;

use super::clients::Clients;
use super::errors::cloud_error;
use super::tags::filter;
use crate::model::{Tags, TemporaryKind, TemporaryResource};
use crate::ports::{CloudResult, ImageQuery, TemporaryQuery};

/// Names of Packer's key pairs and security groups (packer-plugin-amazon, `step_key_pair`,
/// `step_security_group`).
const PACKER_NAMES: &str = "packer_*";
/// Resources per page (the lowest maximum, that of DescribeVolumes). Without a page size, a call on a
/// large account may time out.
const PAGE_SIZE: i32 = 500;

pub(super) async fn list_temporaries(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut used = BTreeSet::new();
    let mut out = list_instances(clients, query, &mut used).await?;
    out.extend(list_images(clients, query, &mut used).await?);
    out.extend(list_snapshots(clients, query).await?);
    out.extend(list_volumes(clients, query).await?);
    out.extend(list_groups(clients, query).await?);
    out.extend(list_key_pairs(clients, query).await?);
    for resource in out.iter_mut().filter(|t| t.kind != TemporaryKind::Volume) {
        let name = if resource.kind == TemporaryKind::KeyPair {
            &resource.name
        } else {
            &resource.id
        };
        resource.used = used.contains(name);
    }
    Ok(out)
}

fn temporary(
    clients: &Clients,
    kind: TemporaryKind,
    id: String,
    name: Option<String>,
    tags: Tags,
) -> TemporaryResource {
    let (region, name) = (clients.region.clone(), name.unwrap_or_default());
    TemporaryResource {
        kind,
        id,
        name,
        region,
        account: None,
        tags,
        used: false,
    }
}

fn convert_tags(list: Option<Vec<aws_sdk_ec2::types::Tag>>) -> Tags {
    list.unwrap_or_default()
        .into_iter()
        .filter_map(|t| Some((t.key?, t.value.unwrap_or_default())))
        .collect()
}

fn owner_filter(query: &TemporaryQuery) -> aws_sdk_ec2::types::Filter {
    filter(format!("tag:{}", query.owner.0), &query.owner.1)
}

/// Lists instances of the catalog that are not terminated. Adds the security groups and key pairs of
/// all instances to `used`.
async fn list_instances(
    clients: &Clients,
    query: &TemporaryQuery,
    used: &mut BTreeSet<String>,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut pages = clients
        .ec2
        .describe_instances()
        .max_results(PAGE_SIZE)
        .into_paginator()
        .send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("DescribeInstances", &clients.region, &e))?;
        for one in page
            .reservations
            .unwrap_or_default()
            .into_iter()
            .flat_map(|r| r.instances.unwrap_or_default())
        {
            let status = one
                .state
                .and_then(|s| s.name)
                .map(|n| n.as_str().to_owned())
                .unwrap_or_default();
            let (Some(id), false) = (one.instance_id, status == "terminated") else {
                continue;
            };
            used.extend(one.key_name);
            used.extend(
                one.security_groups
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|g| g.group_id),
            );
            let tags = convert_tags(one.tags);
            if tags.get(&query.owner.0) == Some(&query.owner.1) && status != "shutting-down" {
                out.push(temporary(clients, TemporaryKind::Instance, id, None, tags));
            }
        }
    }
    Ok(out)
}

/// Lists AMIs of the catalog, and AMIs without its tag whose names have its prefix. Adds the
/// snapshots of all AMIs of the account to `used`.
async fn list_images(
    clients: &Clients,
    query: &TemporaryQuery,
    used: &mut BTreeSet<String>,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut out = Vec::new();
    for ami in super::images::describe_images(clients, &ImageQuery::default()).await? {
        used.extend(ami.snapshots.iter().map(ToString::to_string));
        let owner = ami.tags.get(&query.owner.0);
        let has_prefix = owner.is_none() && ami.name.starts_with(&query.prefix);
        if has_prefix || owner == Some(&query.owner.1) {
            out.push(temporary(
                clients,
                TemporaryKind::Image,
                ami.id.0,
                Some(ami.name),
                ami.tags,
            ));
        }
    }
    Ok(out)
}

async fn list_snapshots(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut pages = clients
        .ec2
        .describe_snapshots()
        .max_results(PAGE_SIZE)
        .owner_ids("self")
        .filters(owner_filter(query))
        .into_paginator()
        .send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("DescribeSnapshots", &clients.region, &e))?;
        for one in page.snapshots.unwrap_or_default() {
            let tags = convert_tags(one.tags);
            out.extend(
                one.snapshot_id
                    .map(|id| temporary(clients, TemporaryKind::Snapshot, id, None, tags)),
            );
        }
    }
    Ok(out)
}

async fn list_volumes(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut pages = clients
        .ec2
        .describe_volumes()
        .max_results(PAGE_SIZE)
        .filters(owner_filter(query))
        .into_paginator()
        .send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("DescribeVolumes", &clients.region, &e))?;
        for one in page.volumes.unwrap_or_default() {
            let used = one.attachments.is_some_and(|a| !a.is_empty());
            let tags = convert_tags(one.tags);
            let volume = one
                .volume_id
                .map(|id| temporary(clients, TemporaryKind::Volume, id, None, tags));
            out.extend(volume.map(|volume| TemporaryResource { used, ..volume }));
        }
    }
    Ok(out)
}

async fn list_groups(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut out = Vec::new();
    for wanted in [owner_filter(query), filter("group-name", PACKER_NAMES)] {
        let mut pages = clients
            .ec2
            .describe_security_groups()
            .max_results(PAGE_SIZE)
            .filters(wanted)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|e| cloud_error("DescribeSecurityGroups", &clients.region, &e))?;
            for one in page.security_groups.unwrap_or_default() {
                let (tags, name) = (convert_tags(one.tags), one.group_name);
                out.extend(
                    one.group_id
                        .map(|id| temporary(clients, TemporaryKind::SecurityGroup, id, name, tags)),
                );
            }
        }
    }
    Ok(out)
}

async fn list_key_pairs(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut out = Vec::new();
    for wanted in [owner_filter(query), filter("key-name", PACKER_NAMES)] {
        let answer = clients
            .ec2
            .describe_key_pairs()
            .filters(wanted)
            .send()
            .await;
        let answer = answer.map_err(|e| cloud_error("DescribeKeyPairs", &clients.region, &e))?;
        for one in answer.key_pairs.unwrap_or_default() {
            let (tags, name) = (convert_tags(one.tags), one.key_name);
            out.extend(
                one.key_pair_id
                    .map(|id| temporary(clients, TemporaryKind::KeyPair, id, name, tags)),
            );
        }
    }
    Ok(out)
}
