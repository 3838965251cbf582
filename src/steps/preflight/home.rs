//! Checks the prerequisites of builds in the builder's account and Region.

use std::collections::BTreeSet;

use super::check::{Check, Group};
use super::creations::test_creations;
use super::launches::{BuildNeed, Launch, different_launches};
use super::network::Facts;
use crate::catalog::Settings;
use crate::lifecycle::tags;
use crate::model::{RunId, Tags, Timestamp};
use crate::plan::release::EXPIRES;
use crate::ports::{CloudErrorKind, CloudReader, CreationTest, LaunchTest};
use crate::steps::context::temporary_tags;
use crate::steps::errors::first_call_error;

/// Maximum number of launches that are tested.
const MAX_LAUNCHES: usize = 6;

/// Check of the home location for builds.
pub struct HomeCheck<'c> {
    /// Settings of the catalog.
    pub settings: &'c Settings,
    /// Account of the builder.
    pub account: &'c str,
    /// ID of the run, for names and tags.
    pub run: &'c RunId,
    /// Time of the facts.
    pub now: Timestamp,
    /// Builds.
    pub builds: &'c [BuildNeed<'c>],
    /// Client for the account of the builder.
    pub cloud: &'c dyn CloudReader,
}

impl HomeCheck<'_> {
    /// Checks network, instance types and permissions. Makes at most six reads and a few dry runs,
    /// and none without builds.
    pub async fn run(&self) -> Vec<Check> {
        let launches = different_launches(self.settings, self.builds);
        if launches.is_empty() {
            return Vec::new();
        }
        let (facts, instances) = tokio::join!(self.read_facts(&launches), self.check_instances());
        let mut out = facts.check(&launches);
        out.push(instances);
        let (tests, untested) = self.tests(&launches, &facts);
        out.extend(untested);
        let home = self.settings.home();
        out.extend(test_creations(self.cloud, home, tests).await);
        out
    }

    /// Checks that the caller may read instances. Packer waits for its instance with this call, and its
    /// wait ignores a denial until the time limit.
    async fn check_instances(&self) -> Check {
        let action = "ec2:DescribeInstances";
        let of_run = Tags::from([(tags::RUN.to_owned(), self.run.to_string())]);
        let home = self.settings.home();
        match self.cloud.instances_with_tags(home, &of_run).await {
            Ok(_) => Check::ok(Group::Permissions, action),
            Err(error) if error.kind == CloudErrorKind::Denied => {
                Check::missing(Group::Permissions, action, first_call_error(error))
            }
            Err(error) => Check::unread(Group::Permissions, action, error),
        }
    }

    async fn read_facts(&self, launches: &[Launch]) -> Facts<'_> {
        let home = self.settings.home();
        let collect = |values: BTreeSet<&String>| values.into_iter().cloned().collect::<Vec<_>>();
        let ids = collect(launches.iter().flat_map(|l| &l.subnets).collect());
        let names = collect(launches.iter().flat_map(|l| &l.instance_types).collect());
        let needs_default = launches.iter().any(|l| l.subnets.is_empty());
        let subnets = async {
            match ids.is_empty() {
                true => None,
                false => Some(self.cloud.subnets(home, &ids).await),
            }
        };
        let defaults = async {
            match needs_default {
                true => Some(self.cloud.default_subnets(home).await),
                false => None,
            }
        };
        let types = self.cloud.instance_types(home, &names);
        let zones = self.cloud.type_zones(home, &names);
        let (subnets, defaults, types, zones) = tokio::join!(subnets, defaults, types, zones);
        Facts {
            region: home,
            account: self.account,
            subnets,
            defaults,
            types,
            zones,
        }
    }

    /// Returns the dry runs, and a check for each launch that cannot be tested. A launch whose network
    /// or type is missing is left out: its dry run would report the same.
    fn tests(&self, launches: &[Launch], facts: &Facts<'_>) -> (Vec<CreationTest>, Vec<Check>) {
        let tags = |image: &str| {
            let expires = self.now + EXPIRES;
            temporary_tags(self.settings, self.run, expires, image)
        };
        let possible: Vec<&Launch> = launches.iter().filter(|l| facts.allow(l)).collect();
        let name = format!("bakeline-{}", self.run);
        let mut tests = vec![CreationTest::KeyPair {
            name: name.clone(),
            tags: tags(launches[0].image.as_str()),
        }];
        let mut vpcs: BTreeSet<Option<String>> = BTreeSet::new();
        for launch in &possible {
            vpcs.insert(facts.vpc_of(launch));
        }
        tests.extend(vpcs.into_iter().map(|vpc| CreationTest::SecurityGroup {
            name: name.clone(),
            vpc,
            tags: tags(launches[0].image.as_str()),
        }));
        let mut untested = Vec::new();
        for (number, launch) in possible.into_iter().enumerate() {
            let Some(instance_type) = facts.usable_type(launch) else {
                continue;
            };
            match &launch.ami {
                Some(_) if number >= MAX_LAUNCHES => {
                    let cause = format!("only {MAX_LAUNCHES} different launches are tested");
                    untested.push(unknown_launch(instance_type, &cause));
                }
                Some(ami) => tests.push(CreationTest::Instance(LaunchTest {
                    ami: ami.clone(),
                    instance_type: instance_type.clone(),
                    has_fallback: launch.instance_types.last() != Some(instance_type),
                    subnet: launch.subnets.first().cloned(),
                    instance_profile: launch.instance_profile.clone(),
                    public_address: launch.public_address,
                    tags: tags(launch.image.as_str()),
                })),
                None => untested.push(unknown_launch(
                    instance_type,
                    "no AMI for a dry run is known",
                )),
            }
        }
        (tests, untested)
    }
}

fn unknown_launch(instance_type: &str, cause: &str) -> Check {
    let object = format!("ec2:RunInstances of {instance_type}");
    Check::unknown(Group::Permissions, object, cause)
}
