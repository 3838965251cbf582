//! Implements the facts that a build requires of an account on a fake cloud. By default, everything
//! exists.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::not_found;
use crate::adapters::fake::FakeCloud;
use crate::model::{Arch, Region};
use crate::ports::{CloudResult, CreationTest, KeyDescription, PrerequisiteReader, Subnet};

const ZONES: [&str; 3] = ["a", "b", "c"];

#[async_trait]
impl PrerequisiteReader for FakeCloud {
    async fn enabled_regions(&self, region: &Region) -> CloudResult<BTreeSet<Region>> {
        self.call(("enabled_regions", "", false), region, |state| {
            let all = ["eu-west-1", "eu-central-1", "us-east-1"].map(Region::from);
            let is_enabled =
                |region: &Region| !state.prerequisites.disabled_regions.contains(region);
            Ok(all.into_iter().filter(is_enabled).collect())
        })
        .await
    }

    async fn subnets(&self, region: &Region, ids: &[String]) -> CloudResult<Vec<Subnet>> {
        self.call(("subnets", &ids.join(" "), false), region, |state| {
            let wanted = |subnet: &&Subnet| ids.contains(&subnet.id);
            Ok(state
                .prerequisites
                .subnets
                .iter()
                .filter(wanted)
                .cloned()
                .collect())
        })
        .await
    }

    async fn default_subnets(&self, region: &Region) -> CloudResult<Option<Vec<Subnet>>> {
        self.call(("default_subnets", "", false), region, |state| {
            let subnet = |zone: &str| Subnet {
                id: format!("subnet-default-{zone}"),
                vpc: "vpc-default".to_owned(),
                zone: format!("{region}{zone}"),
            };
            Ok((!state.prerequisites.no_default_vpc).then(|| ZONES.map(subnet).into()))
        })
        .await
    }

    async fn instance_types(
        &self,
        region: &Region,
        names: &[String],
    ) -> CloudResult<BTreeMap<String, Vec<String>>> {
        self.call(
            ("instance_types", &names.join(" "), false),
            region,
            |state| {
                let unknown = &state.prerequisites.unknown_types;
                let known = |name: &&String| !unknown.contains(*name);
                let described = |name: &String| {
                    let arch = Arch::of_instance_type(name).as_str().to_owned();
                    (name.clone(), vec![arch])
                };
                Ok(names.iter().filter(known).map(described).collect())
            },
        )
        .await
    }

    async fn type_zones(
        &self,
        region: &Region,
        names: &[String],
    ) -> CloudResult<BTreeMap<String, BTreeSet<String>>> {
        self.call(("type_zones", &names.join(" "), false), region, |state| {
            let zones = |name: &String| {
                let all = || ZONES.map(|zone| format!("{region}{zone}")).into();
                let zones = state
                    .prerequisites
                    .type_zones
                    .get(name)
                    .cloned()
                    .unwrap_or_else(all);
                (name.clone(), zones)
            };
            Ok(names.iter().map(zones).collect())
        })
        .await
    }

    async fn describe_key(&self, region: &Region, key: &str) -> CloudResult<KeyDescription> {
        self.call(("describe_key", key, false), region, |state| {
            match state.prerequisites.key_states.get(key) {
                Some(state) if state.is_empty() => not_found(key),
                other => {
                    let state = other.map_or("Enabled", String::as_str).to_owned();
                    let is_usable = state == "Enabled";
                    Ok(KeyDescription { state, is_usable })
                }
            }
        })
        .await
    }

    async fn test_creation(&self, region: &Region, test: &CreationTest) -> CloudResult<()> {
        self.call(("test_creation", test.action(), false), region, |state| {
            state.prerequisites.tests.push(test.clone());
            match state.prerequisites.refusals.get(test.action()) {
                Some((kind, message)) => Err((*kind, message.clone())),
                None => Ok(()),
            }
        })
        .await
    }
}
