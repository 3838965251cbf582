//! Owns what a sweep asks of AWS: instances, volumes, snapshots, key pairs, groups and AMIs that may be left over.

use std::collections::BTreeSet;

use super::{Clients, failed, filter};
use crate::model::{Tags, TemporaryKind, TemporaryResource};
use crate::ports::{CloudErrorKind, CloudResult, ImageQuery, TemporaryQuery};

/// The names Packer gives its own key pairs and groups (packer-plugin-amazon, `step_key_pair`, `step_security_group`).
const PACKER: &str = "packer_*";

pub(super) async fn find(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut used = BTreeSet::new();
    let mut out = instances(clients, query, &mut used).await?;
    let images = images(clients, query, &mut used).await?;
    out.extend(images);
    out.extend(snapshots(clients, query).await?);
    out.extend(volumes(clients, query).await?);
    out.extend(groups(clients, query).await?);
    out.extend(key_pairs(clients, query).await?);
    for thing in out.iter_mut().filter(|t| t.kind != TemporaryKind::Volume) {
        let name = if thing.kind == TemporaryKind::KeyPair {
            &thing.name
        } else {
            &thing.id
        };
        thing.used = used.contains(name);
    }
    Ok(out)
}

fn thing(
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

fn tags(list: Option<Vec<aws_sdk_ec2::types::Tag>>) -> Tags {
    list.unwrap_or_default()
        .into_iter()
        .filter_map(|t| Some((t.key?, t.value.unwrap_or_default())))
        .collect()
}

fn ours(query: &TemporaryQuery) -> aws_sdk_ec2::types::Filter {
    filter(format!("tag:{}", query.owner.0), &query.owner.1)
}

/// Our instances that are not terminated; the groups and key pairs that any instance uses go into `used`.
async fn instances(
    clients: &Clients,
    query: &TemporaryQuery,
    used: &mut BTreeSet<String>,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut pages = clients.ec2.describe_instances().into_paginator().send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("DescribeInstances", &clients.region, &e))?;
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
            let tags = tags(one.tags);
            if tags.get(&query.owner.0) == Some(&query.owner.1) && status != "shutting-down" {
                out.push(thing(clients, TemporaryKind::Instance, id, None, tags));
            }
        }
    }
    Ok(out)
}

/// Our AMIs, and own ones without tags whose names begin as ours do; the snapshots of every own AMI go into `used`.
async fn images(
    clients: &Clients,
    query: &TemporaryQuery,
    used: &mut BTreeSet<String>,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut out = Vec::new();
    for ami in super::images::describe(clients, &ImageQuery::default()).await? {
        used.extend(ami.snapshots.iter().map(ToString::to_string));
        let owner = ami.tags.get(&query.owner.0);
        let nameless = owner.is_none() && ami.name.starts_with(&query.prefix);
        if nameless || owner == Some(&query.owner.1) {
            out.push(thing(
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

async fn snapshots(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut pages = clients
        .ec2
        .describe_snapshots()
        .owner_ids("self")
        .filters(ours(query))
        .into_paginator()
        .send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("DescribeSnapshots", &clients.region, &e))?;
        for one in page.snapshots.unwrap_or_default() {
            let tags = tags(one.tags);
            out.extend(
                one.snapshot_id
                    .map(|id| thing(clients, TemporaryKind::Snapshot, id, None, tags)),
            );
        }
    }
    Ok(out)
}

async fn volumes(clients: &Clients, query: &TemporaryQuery) -> CloudResult<Vec<TemporaryResource>> {
    let mut pages = clients
        .ec2
        .describe_volumes()
        .filters(ours(query))
        .into_paginator()
        .send();
    let mut out = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("DescribeVolumes", &clients.region, &e))?;
        for one in page.volumes.unwrap_or_default() {
            let used = one.attachments.is_some_and(|a| !a.is_empty());
            let tags = tags(one.tags);
            let made = one
                .volume_id
                .map(|id| thing(clients, TemporaryKind::Volume, id, None, tags));
            out.extend(made.map(|volume| TemporaryResource { used, ..volume }));
        }
    }
    Ok(out)
}

async fn groups(clients: &Clients, query: &TemporaryQuery) -> CloudResult<Vec<TemporaryResource>> {
    let mut out = Vec::new();
    for wanted in [ours(query), filter("group-name", PACKER)] {
        let mut pages = clients
            .ec2
            .describe_security_groups()
            .filters(wanted)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| failed("DescribeSecurityGroups", &clients.region, &e))?;
            for one in page.security_groups.unwrap_or_default() {
                let (tags, name) = (tags(one.tags), one.group_name);
                out.extend(
                    one.group_id
                        .map(|id| thing(clients, TemporaryKind::SecurityGroup, id, name, tags)),
                );
            }
        }
    }
    Ok(out)
}

async fn key_pairs(
    clients: &Clients,
    query: &TemporaryQuery,
) -> CloudResult<Vec<TemporaryResource>> {
    let mut out = Vec::new();
    for wanted in [ours(query), filter("key-name", PACKER)] {
        let answer = clients
            .ec2
            .describe_key_pairs()
            .filters(wanted)
            .send()
            .await;
        let answer = answer.map_err(|e| failed("DescribeKeyPairs", &clients.region, &e))?;
        for one in answer.key_pairs.unwrap_or_default() {
            let (tags, name) = (tags(one.tags), one.key_name);
            out.extend(
                one.key_pair_id
                    .map(|id| thing(clients, TemporaryKind::KeyPair, id, name, tags)),
            );
        }
    }
    Ok(out)
}

pub(super) async fn delete_snapshot(clients: &Clients, id: &str) -> CloudResult<()> {
    let answer = clients.ec2.delete_snapshot().snapshot_id(id).send().await;
    match answer.map_err(|e| failed("DeleteSnapshot", &clients.region, &e)) {
        Err(e) if e.kind != CloudErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

pub(super) async fn delete_volume(clients: &Clients, id: &str) -> CloudResult<()> {
    let answer = clients.ec2.delete_volume().volume_id(id).send().await;
    match answer.map_err(|e| failed("DeleteVolume", &clients.region, &e)) {
        Err(e) if e.kind != CloudErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
