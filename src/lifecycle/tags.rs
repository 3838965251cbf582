//! Owns the tag schema: the keys under which state lives on an AMI. Version 1; changing a meaning breaks every AMI.

/// `1`; for upgrades.
pub const SCHEMA: &str = "bakeline:schema";
/// The value of [`SCHEMA`] that this bakeline writes and reads.
pub const SCHEMA_VERSION: &str = "1";
/// The catalog's name: whose it is.
pub const CATALOG: &str = "bakeline:catalog";
/// The AMI's own id: a copy made by hand differs here.
pub const SELF: &str = "bakeline:self";
/// The image's name.
pub const IMAGE: &str = "bakeline:image";
/// The version.
pub const VERSION: &str = "bakeline:version";
/// The architecture.
pub const ARCH: &str = "bakeline:arch";
/// Where it is in its life.
pub const STATE: &str = "bakeline:state";
/// The environments where it is current, with since.
pub const CURRENT: &str = "bakeline:current";
/// The environments that were rolled back from this version, each with the time at which the version before became current.
pub const ROLLED_BACK: &str = "bakeline:rolled-back";
/// `image@version` it is layered on.
pub const PARENT: &str = "bakeline:parent";
/// `region:ami` it was really built from; provenance only.
pub const BASE: &str = "bakeline:base";
/// `region:ami` of the original, on copies.
pub const ORIGIN: &str = "bakeline:origin";
/// The vendor AMI that a base image's chain of builds started from, with its creation date: `ami-… 2026-11-01T…`.
pub const SOURCE: &str = "bakeline:source";
/// How many builds on itself lie between this version and its origin.
pub const DEPTH: &str = "bakeline:depth";
/// When the controls were last judged on a boot without a build.
pub const CHECKED: &str = "bakeline:checked";
/// The digest of the recipe.
pub const RECIPE: &str = "bakeline:recipe";
/// The digest of the controls it passed.
pub const CHECKS: &str = "bakeline:checks";
/// The run that made it.
pub const RUN: &str = "bakeline:run";
/// The commit of the catalog.
pub const COMMIT: &str = "bakeline:commit";
/// The caller that made it.
pub const BY: &str = "bakeline:by";
/// When a temporary thing may be swept.
pub const EXPIRES: &str = "bakeline:expires";
/// On what `--keep-failed` left for a person to look at: the run's own end does not make it a leftover.
pub const KEPT: &str = "bakeline:kept";
/// Where it is on the way out: `deprecate=TIME disable=TIME was=STATE`.
pub const RETIRING: &str = "bakeline:retiring";
/// The launch permissions it had before it was disabled: how many, then as many as fit.
pub const PERMISSIONS: &str = "bakeline:permissions";
/// With an account's number behind it: what of this AMI that account may use only while a copy is made.
pub const SHARING: &str = "bakeline:sharing:";
/// EC2's display name.
pub const NAME: &str = "Name";

/// A tag value's longest length in characters (EC2 user guide, "Tag restrictions").
pub const MAX_VALUE: usize = 256;
