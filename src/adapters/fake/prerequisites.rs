//! Defines what an account of the fake cloud has for builds. By default, it has everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Region;
use crate::ports::{CloudErrorKind, CreationTest, Subnet};

/// Facts of an account and a Region that builds require.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakePrerequisites {
    /// The account has no default VPC.
    pub no_default_vpc: bool,
    /// Subnets besides the default subnets.
    pub subnets: Vec<Subnet>,
    /// Instance types that do not exist.
    pub unknown_types: BTreeSet<String>,
    /// Zones of the instance types that not all zones offer.
    pub type_zones: BTreeMap<String, BTreeSet<String>>,
    /// States of KMS keys that are not enabled. An empty text means that the key does not exist.
    pub key_states: BTreeMap<String, String>,
    /// Regions that the account has not enabled.
    pub disabled_regions: BTreeSet<Region>,
    /// Refused dry runs: kind of the error and message, by action.
    pub refusals: BTreeMap<&'static str, (CloudErrorKind, String)>,
    /// Dry runs so far.
    pub tests: Vec<CreationTest>,
}
