//! Decides whether the network and the instance types of launches exist.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Check, Group};
use super::launches::Launch;
use crate::error::{Error, ErrorKind};
use crate::model::Region;
use crate::ports::{CloudResult, Subnet};

/// Answers of EC2 about the home location. `None` for facts that no launch needs.
pub(super) struct Facts<'f> {
    /// Region and account for messages.
    pub(super) region: &'f Region,
    pub(super) account: &'f str,
    /// Those of the configured subnets that exist.
    pub(super) subnets: Option<CloudResult<Vec<Subnet>>>,
    /// Default subnets, or `None` without a default VPC.
    pub(super) defaults: Option<CloudResult<Option<Vec<Subnet>>>>,
    /// Architectures of the instance types that exist.
    pub(super) types: CloudResult<BTreeMap<String, Vec<String>>>,
    /// Zones of the instance types.
    pub(super) zones: CloudResult<BTreeMap<String, BTreeSet<String>>>,
}

impl Facts<'_> {
    /// Checks the network and the instance types of all launches.
    pub(super) fn check(&self, launches: &[Launch]) -> Vec<Check> {
        let mut out = self.check_subnets(launches);
        out.extend(self.check_default_network(launches));
        out.extend(self.check_vpcs(launches));
        let mut seen = BTreeSet::new();
        for launch in launches {
            let key = (&launch.instance_types, launch.arch, &launch.subnets);
            if seen.insert(key) {
                out.extend(self.check_types(launch));
            }
        }
        out
    }

    /// Returns the first instance type of a launch that is not known to be unusable.
    pub(super) fn usable_type<'l>(&self, launch: &'l Launch) -> Option<&'l String> {
        let mut types = launch.instance_types.iter();
        types.find(|name| !self.check_type(launch, name).blocks_release)
    }

    /// Returns whether the facts allow a launch, as far as they are known.
    pub(super) fn allow(&self, launch: &Launch) -> bool {
        let single = std::slice::from_ref(launch);
        self.check(single).iter().all(|check| !check.blocks_release)
    }

    /// Returns the VPC of the first subnet of a launch. `None` means the default VPC.
    pub(super) fn vpc_of(&self, launch: &Launch) -> Option<String> {
        let first = launch.subnets.first()?;
        let known = self.subnets.as_ref()?.as_ref().ok()?;
        let found = known.iter().find(|subnet| subnet.id == *first)?;
        Some(found.vpc.clone())
    }

    fn check_subnets(&self, launches: &[Launch]) -> Vec<Check> {
        let Some(found) = &self.subnets else {
            return Vec::new();
        };
        let wanted: BTreeSet<&String> = launches.iter().flat_map(|l| &l.subnets).collect();
        let check = |id: &String| match found {
            Err(error) => Check::unread(Group::Network, id, error.clone()),
            Ok(known) => match known.iter().find(|subnet| subnet.id == *id) {
                Some(subnet) => Check::ok(Group::Network, id)
                    .with_note(format!("in {}, {}", subnet.vpc, subnet.zone)),
                None => {
                    let text = format!(
                        "subnet {id} does not exist in {} of account {}",
                        self.region, self.account
                    );
                    let hint = "set `subnets` of the builder to subnets of this Region";
                    Check::missing(Group::Network, id, Error::input(text).hint(hint))
                }
            },
        };
        wanted.into_iter().map(check).collect()
    }

    fn check_default_network(&self, launches: &[Launch]) -> Option<Check> {
        if launches.iter().all(|launch| !launch.subnets.is_empty()) {
            return None;
        }
        let object = format!("default VPC in {}", self.region);
        let refuse = |text: String| {
            let hint = "set `builder.subnet` in bakeline.yaml, or create one: \
                        `aws ec2 create-default-vpc`";
            Check::missing(Group::Network, &object, Error::input(text).hint(hint))
        };
        Some(match self.defaults.as_ref()? {
            Err(error) => Check::unread(Group::Network, &object, error.clone()),
            Ok(None) => refuse(format!(
                "account {} has no default VPC in {}",
                self.account, self.region
            )),
            Ok(Some(subnets)) if subnets.is_empty() => refuse(format!(
                "the default VPC of account {} in {} has no default subnets",
                self.account, self.region
            )),
            Ok(Some(subnets)) => {
                Check::ok(Group::Network, &object).with_note(format!("{} subnets", subnets.len()))
            }
        })
    }

    /// Returns a warning for each launch whose subnets are in several VPCs: the security group of a
    /// run is in one of them.
    fn check_vpcs(&self, launches: &[Launch]) -> Vec<Check> {
        let Some(Ok(known)) = &self.subnets else {
            return Vec::new();
        };
        let lists: BTreeSet<&Vec<String>> = launches.iter().map(|l| &l.subnets).collect();
        let check = |list: &Vec<String>| {
            let vpcs: BTreeSet<&str> = known
                .iter()
                .filter(|subnet| list.contains(&subnet.id))
                .map(|subnet| subnet.vpc.as_str())
                .collect();
            let text = || {
                let vpcs: Vec<&str> = vpcs.iter().copied().collect();
                format!(
                    "the subnets are in several VPCs ({}), so a launch cannot use another subnet if \
                     one has no capacity",
                    vpcs.join(", ")
                )
            };
            (vpcs.len() > 1).then(|| {
                let error = Error::input(text()).hint("set `subnets` to subnets of one VPC");
                Check::missing(Group::Network, list.join(", "), error).as_warning()
            })
        };
        lists.into_iter().filter_map(check).collect()
    }

    /// Returns the zones in which a launch can start, if they are known.
    fn zones_of(&self, launch: &Launch) -> Option<BTreeSet<&str>> {
        let subnets: Vec<&Subnet> = if launch.subnets.is_empty() {
            self.defaults
                .as_ref()?
                .as_ref()
                .ok()?
                .iter()
                .flatten()
                .collect()
        } else {
            let known = self.subnets.as_ref()?.as_ref().ok()?.iter();
            known.filter(|s| launch.subnets.contains(&s.id)).collect()
        };
        let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
        (!zones.is_empty()).then_some(zones)
    }

    /// Checks the instance types of a launch. One that is missing is a warning if another can take its
    /// place.
    fn check_types(&self, launch: &Launch) -> Vec<Check> {
        let names = launch.instance_types.iter();
        let checks: Vec<Check> = names.map(|name| self.check_type(launch, name)).collect();
        let has_usable = checks.iter().any(|check| !check.blocks_release);
        let mut out = Vec::new();
        for check in checks {
            out.push(if has_usable && check.blocks_release {
                check.as_warning()
            } else {
                check
            });
        }
        out
    }

    fn check_type(&self, launch: &Launch, name: &str) -> Check {
        let refuse = |text: String| {
            let hint = "set `instance_type` of the builder, or other `subnets`";
            Check::missing(Group::Instances, name, Error::input(text).hint(hint))
        };
        let architectures = match &self.types {
            Err(error) => return Check::unread(Group::Instances, name, error.clone()),
            Ok(known) => known.get(name),
        };
        let Some(architectures) = architectures else {
            return refuse(format!("{} has no instance type {name}", self.region));
        };
        let arch = launch.arch.as_str();
        if !architectures.iter().any(|a| a == arch) {
            let found = architectures.join(", ");
            return refuse(format!(
                "instance type {name} has the architecture {found}, but `{}` has {arch}",
                launch.image
            ));
        }
        let offered = match &self.zones {
            Err(error) => return Check::unread(Group::Instances, name, error.clone()),
            Ok(known) => known.get(name),
        };
        let Some(zones) = self.zones_of(launch) else {
            return Check::unknown(
                Group::Instances,
                name,
                "the zones of the subnets are unknown",
            );
        };
        let is_offered = |zone: &&&str| offered.is_some_and(|all| all.contains(**zone));
        let here: Vec<&str> = zones.iter().filter(is_offered).copied().collect();
        if here.is_empty() {
            let zones: Vec<&str> = zones.into_iter().collect();
            return refuse(format!(
                "instance type {name} is not offered in {}",
                zones.join(", ")
            ));
        }
        Check::ok(Group::Instances, name).with_note(format!("{arch}, in {}", here.join(", ")))
    }
}

/// Returns the error for an exceeded quota.
pub(super) fn quota_error(message: &str) -> Error {
    Error::new(ErrorKind::Refused, message.to_owned())
        .hint("request a higher quota (Service Quotas), or delete unused resources")
}
