//! Defines the tag keys that hold the state of an AMI. A changed meaning breaks every existing AMI.

/// Version of the tag schema.
pub const SCHEMA: &str = "bakeline:schema";
/// Value of [`SCHEMA`] that this version of bakeline reads and writes.
pub const SCHEMA_VERSION: &str = "1";
/// Name of the catalog that owns the AMI.
pub const CATALOG: &str = "bakeline:catalog";
/// ID of the AMI itself. It differs on a copy made by hand.
pub const SELF: &str = "bakeline:self";
/// Name of the image.
pub const IMAGE: &str = "bakeline:image";
/// The version.
pub const VERSION: &str = "bakeline:version";
/// The architecture.
pub const ARCH: &str = "bakeline:arch";
/// State of the version.
pub const STATE: &str = "bakeline:state";
/// Environments in which the version is current, with the time since when.
pub const CURRENT: &str = "bakeline:current";
/// Environments that were rolled back from this version, with the time at which the earlier version
/// became current again.
pub const ROLLED_BACK: &str = "bakeline:rolled-back";
/// Parent version of a custom image: `image@version`.
pub const PARENT: &str = "bakeline:parent";
/// AMI that Packer started from: `region:ami`. For information only.
pub const BASE: &str = "bakeline:base";
/// Original of a copy: `region:ami`.
pub const ORIGIN: &str = "bakeline:origin";
/// Vendor AMI that a chain of builds started from, with its creation date: `ami-… 2026-11-01T…`.
pub const SOURCE: &str = "bakeline:source";
/// Number of builds between this version and its origin.
pub const DEPTH: &str = "bakeline:depth";
/// Time of the last recheck.
pub const CHECKED: &str = "bakeline:checked";
/// Digest of the recipe.
pub const RECIPE: &str = "bakeline:recipe";
/// Digest of the controls that the version passed.
pub const CHECKS: &str = "bakeline:checks";
/// Run that created the AMI.
pub const RUN: &str = "bakeline:run";
/// Commit of the catalog.
pub const COMMIT: &str = "bakeline:commit";
/// ARN of the caller that created the AMI.
pub const BY: &str = "bakeline:by";
/// Time after which a sweep may remove a temporary resource.
pub const EXPIRES: &str = "bakeline:expires";
/// Mark on a resource that `--keep-failed` left for inspection. The end of the run does not make it
/// a leftover.
pub const KEPT: &str = "bakeline:kept";
/// Progress of the retirement: `deprecate=TIME disable=TIME was=STATE`.
pub const RETIRING: &str = "bakeline:retiring";
/// Launch permissions before the AMI was disabled: their number, then as many as fit.
pub const PERMISSIONS: &str = "bakeline:permissions";
/// Environments whose accounts may launch the AMI, with the digest of their receivers.
pub const SHARED: &str = "bakeline:shared";
/// Prefix of the tag that records the temporary copy permission of an account.
pub const SHARING: &str = "bakeline:sharing:";
/// Display name in EC2.
pub const NAME: &str = "Name";

/// Maximum length of a tag value in characters (EC2 user guide, "Tag restrictions").
pub const MAX_VALUE: usize = 256;

/// Tags of bakeline that a released version can have at the same time, except the environment tag and
/// those that record permissions. Later stages replace some of them: a retiring version is not
/// current, and a copy has no permissions for copies.
pub const RELEASED: [&str; 21] = [
    SCHEMA,
    CATALOG,
    SELF,
    IMAGE,
    VERSION,
    ARCH,
    STATE,
    CURRENT,
    ROLLED_BACK,
    SHARED,
    PARENT,
    BASE,
    SOURCE,
    DEPTH,
    CHECKED,
    RECIPE,
    CHECKS,
    RUN,
    COMMIT,
    BY,
    NAME,
];

/// Accounts that can always copy a version at the same time, because each needs a tag of it. More can
/// if users have set fewer tags than they may.
pub const PARALLEL_SHARES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::defaults::RESERVED_TAGS;

    #[test]
    fn catalog_reserves_the_tags_of_every_stage() {
        let environment = 1;
        let sharing = RELEASED.len() + environment + PARALLEL_SHARES;
        let candidate =
            RELEASED.len() - [CURRENT, ROLLED_BACK, CHECKED].len() + [EXPIRES, KEPT].len();
        let retiring_copy =
            RELEASED.len() + environment - 1 + [ORIGIN, RETIRING, PERMISSIONS].len();
        for needed in [sharing, candidate, retiring_copy] {
            assert!(needed <= RESERVED_TAGS, "{needed}");
        }
        assert_eq!(sharing, RESERVED_TAGS, "no more than needed");
    }
}
