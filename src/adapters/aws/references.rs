//! Finds references to AMIs in a Region: instances, launch templates and launch configurations.
//! `parameters` finds references in SSM parameters.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;

use super::clients::Clients;
use super::errors::cloud_error;
use crate::model::{AmiId, Reference};
use crate::ports::CloudResult;

/// Instances per page. Without a page size, a call on a large account may time out.
const INSTANCES_PER_PAGE: i32 = 1000;
/// Launch templates, or versions of one, per page (maximum of EC2).
const TEMPLATES_PER_PAGE: i32 = 200;
/// Values per filter (limit of EC2).
const VALUES_PER_FILTER: usize = 200;

pub(super) async fn find_references(
    clients: &Clients,
    amis: &[AmiId],
) -> CloudResult<Vec<Reference>> {
    let mut out = BTreeSet::new();
    if amis.is_empty() {
        return Ok(Vec::new());
    }
    for chunk in amis.chunks(VALUES_PER_FILTER) {
        add_instances(clients, chunk, &mut out).await?;
    }
    let wanted: BTreeSet<&str> = amis.iter().map(AmiId::as_str).collect();
    add_launch_templates(clients, &wanted, &mut out).await?;
    super::scaling::add_launch_configurations(clients, &wanted, &mut out).await?;
    Ok(out.into_iter().collect())
}

async fn add_instances(
    clients: &Clients,
    amis: &[AmiId],
    out: &mut BTreeSet<Reference>,
) -> CloudResult<()> {
    let by_image = Filter::builder()
        .name("image-id")
        .set_values(Some(amis.iter().map(ToString::to_string).collect()));
    let alive = ["pending", "running", "stopping", "stopped", "shutting-down"]
        .map(str::to_owned)
        .to_vec();
    let by_state = Filter::builder()
        .name("instance-state-name")
        .set_values(Some(alive));
    let call = clients
        .ec2
        .describe_instances()
        .filters(by_image.build())
        .filters(by_state.build())
        .max_results(INSTANCES_PER_PAGE);
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("DescribeInstances", &clients.region, &e))?;
        for instance in page
            .reservations
            .unwrap_or_default()
            .into_iter()
            .flat_map(|r| r.instances.unwrap_or_default())
        {
            if let (Some(ami), Some(by)) = (instance.image_id, instance.instance_id) {
                out.insert(Reference {
                    ami: AmiId(ami),
                    kind: "instance".to_owned(),
                    referrer: by,
                });
            }
        }
    }
    Ok(())
}

async fn add_launch_templates(
    clients: &Clients,
    wanted: &BTreeSet<&str>,
    out: &mut BTreeSet<Reference>,
) -> CloudResult<()> {
    let mut pages = clients
        .ec2
        .describe_launch_templates()
        .max_results(TEMPLATES_PER_PAGE)
        .into_paginator()
        .send();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| cloud_error("DescribeLaunchTemplates", &clients.region, &e))?;
        ids.extend(
            page.launch_templates
                .unwrap_or_default()
                .into_iter()
                .filter_map(|t| t.launch_template_id),
        );
    }
    for id in ids {
        let mut versions = clients
            .ec2
            .describe_launch_template_versions()
            .launch_template_id(&id)
            .max_results(TEMPLATES_PER_PAGE)
            .into_paginator()
            .send();
        while let Some(page) = versions.next().await {
            let page = page
                .map_err(|e| cloud_error("DescribeLaunchTemplateVersions", &clients.region, &e))?;
            for version in page.launch_template_versions.unwrap_or_default() {
                let ami = version.launch_template_data.and_then(|d| d.image_id);
                if let Some(ami) = ami.filter(|a| wanted.contains(a.as_str())) {
                    let by = id.clone();
                    out.insert(Reference {
                        ami: AmiId(ami),
                        kind: "launch-template".to_owned(),
                        referrer: by,
                    });
                }
            }
        }
    }
    Ok(())
}
