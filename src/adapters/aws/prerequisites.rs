//! Reads what a build requires of an account: Regions, network, instance types and KMS keys.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, LocationType};
use aws_sdk_kms::types::{KeyState, KeyUsageType};

use super::errors::{cloud_error, require_field};
use super::tags::filter;
use super::{Aws, dry_run};
use crate::model::Region;
use crate::ports::{CloudResult, CreationTest, KeyDescription, PrerequisiteReader, Subnet};

#[async_trait]
impl PrerequisiteReader for Aws {
    async fn enabled_regions(&self, region: &Region) -> CloudResult<BTreeSet<Region>> {
        // Without `AllRegions`, the response has only enabled Regions.
        let answer = self.clients(region).ec2.describe_regions().send().await;
        let answer = answer.map_err(|e| cloud_error("DescribeRegions", region, &e))?;
        let found = require_field(answer.regions, "regionInfo", "DescribeRegions", region)?;
        let names = found.into_iter().filter_map(|r| r.region_name);
        Ok(names.map(|name| Region::from(name.as_str())).collect())
    }

    async fn subnets(&self, region: &Region, ids: &[String]) -> CloudResult<Vec<Subnet>> {
        // A filter, because an ID that does not exist would fail the call.
        self.find_subnets(region, filter_any("subnet-id", ids))
            .await
    }

    async fn default_subnets(&self, region: &Region) -> CloudResult<Option<Vec<Subnet>>> {
        let clients = self.clients(region);
        let call = clients
            .ec2
            .describe_vpcs()
            .filters(filter("is-default", "true"));
        let subnets = self.find_subnets(region, filter("default-for-az", "true"));
        let (answer, subnets) = tokio::join!(call.send(), subnets);
        let answer = answer.map_err(|e| cloud_error("DescribeVpcs", region, &e))?;
        let vpcs = require_field(answer.vpcs, "vpcSet", "DescribeVpcs", region)?;
        if vpcs.is_empty() {
            return Ok(None);
        }
        subnets.map(Some)
    }

    async fn instance_types(
        &self,
        region: &Region,
        names: &[String],
    ) -> CloudResult<BTreeMap<String, Vec<String>>> {
        let clients = self.clients(region);
        let call = clients.ec2.describe_instance_types();
        let call = call.filters(filter_any("instance-type", names));
        let mut pages = call.into_paginator().send();
        let mut out = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| cloud_error("DescribeInstanceTypes", region, &e))?;
            let (field, action) = ("instanceTypeSet", "DescribeInstanceTypes");
            let found = require_field(page.instance_types, field, action, region)?;
            out.extend(found.into_iter().filter_map(|described| {
                let processor = described.processor_info?;
                let names = processor.supported_architectures.unwrap_or_default();
                let names = names.iter().map(|a| a.as_str().to_owned()).collect();
                Some((described.instance_type?.as_str().to_owned(), names))
            }));
        }
        Ok(out)
    }

    async fn type_zones(
        &self,
        region: &Region,
        names: &[String],
    ) -> CloudResult<BTreeMap<String, BTreeSet<String>>> {
        let clients = self.clients(region);
        let call = clients
            .ec2
            .describe_instance_type_offerings()
            .location_type(LocationType::AvailabilityZone)
            .filters(filter_any("instance-type", names));
        let mut pages = call.into_paginator().send();
        let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|e| cloud_error("DescribeInstanceTypeOfferings", region, &e))?;
            let (field, action) = ("instanceTypeOfferingSet", "DescribeInstanceTypeOfferings");
            for offering in require_field(page.instance_type_offerings, field, action, region)? {
                if let (Some(name), Some(zone)) = (offering.instance_type, offering.location) {
                    let name = name.as_str().to_owned();
                    out.entry(name).or_default().insert(zone);
                }
            }
        }
        Ok(out)
    }

    async fn describe_key(&self, region: &Region, key: &str) -> CloudResult<KeyDescription> {
        let clients = self.clients(region);
        let answer = clients.kms.describe_key().key_id(key).send().await;
        let answer = answer.map_err(|e| cloud_error("DescribeKey", region, &e))?;
        let data = require_field(answer.key_metadata, "KeyMetadata", "DescribeKey", region)?;
        let is_enabled = data.key_state == Some(KeyState::Enabled);
        let state = data.key_state.map(|s| s.as_str().to_owned());
        let state = state.unwrap_or_default();
        // An answer without the usage decides nothing.
        let other_usage = data
            .key_usage
            .filter(|usage| *usage != KeyUsageType::EncryptDecrypt);
        Ok(KeyDescription {
            is_usable: is_enabled && other_usage.is_none(),
            state: match other_usage {
                Some(usage) => format!("{state}, for {}", usage.as_str()),
                None => state,
            },
        })
    }

    async fn test_creation(&self, region: &Region, test: &CreationTest) -> CloudResult<()> {
        dry_run::test_creation(&self.clients(region), test).await
    }
}

impl Aws {
    /// Returns the subnets that match a filter.
    async fn find_subnets(&self, region: &Region, wanted: Filter) -> CloudResult<Vec<Subnet>> {
        let clients = self.clients(region);
        let call = clients.ec2.describe_subnets().filters(wanted);
        let mut pages = call.into_paginator().send();
        let mut out = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| cloud_error("DescribeSubnets", region, &e))?;
            let found = require_field(page.subnets, "subnetSet", "DescribeSubnets", region)?;
            out.extend(found.into_iter().filter_map(|subnet| {
                Some(Subnet {
                    id: subnet.subnet_id?,
                    vpc: subnet.vpc_id?,
                    zone: subnet.availability_zone?,
                })
            }));
        }
        Ok(out)
    }
}

/// Returns a filter with several values, of which one must match.
fn filter_any(name: &str, values: &[String]) -> Filter {
    let values = values.to_vec();
    Filter::builder()
        .name(name)
        .set_values(Some(values))
        .build()
}
