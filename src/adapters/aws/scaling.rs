//! Finds launch configurations of EC2 Auto Scaling that refer to AMIs.

use std::collections::BTreeSet;

use super::clients::Clients;
use super::errors::cloud_error;
use crate::model::{AmiId, Reference};
use crate::ports::CloudResult;

/// Launch configurations per page (maximum of Auto Scaling).
const MAX_RECORDS: i32 = 100;

/// Adds the launch configurations that name one of the `wanted` AMIs to `out`.
pub(super) async fn add_launch_configurations(
    clients: &Clients,
    wanted: &BTreeSet<&str>,
    out: &mut BTreeSet<Reference>,
) -> CloudResult<()> {
    let mut pages = clients
        .autoscaling
        .describe_launch_configurations()
        .max_records(MAX_RECORDS)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|e| cloud_error("DescribeLaunchConfigurations", &clients.region, &e))?;
        for configuration in page.launch_configurations.unwrap_or_default() {
            let ami = configuration
                .image_id
                .filter(|ami| wanted.contains(ami.as_str()));
            if let (Some(ami), Some(by)) = (ami, configuration.launch_configuration_name) {
                out.insert(Reference {
                    ami: AmiId(ami),
                    kind: "launch-configuration".to_owned(),
                    referrer: by,
                });
            }
        }
    }
    Ok(())
}
