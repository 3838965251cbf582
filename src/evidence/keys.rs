//! Owns the names of everything in the store; changing one loses what older bakelines wrote.
//!
//! All keys are below the catalog's name, so that several catalogs can share a bucket.

use crate::checks::Phase;
use crate::model::{AmiId, Arch, CatalogName, EnvName, ImageName, Region, RunId, Version};

/// Says which shape the store has: `{"schema": 1}`.
#[must_use]
pub fn schema(catalog: &CatalogName) -> String {
    format!("{catalog}/schema.json")
}

/// Everything about one image; below it are its versions.
#[must_use]
pub fn image(catalog: &CatalogName, image: &ImageName, arch: Arch) -> String {
    format!("{catalog}/images/{image}/{arch}")
}

/// Everything about all images.
#[must_use]
pub fn images(catalog: &CatalogName) -> String {
    format!("{catalog}/images")
}

/// All recorded launch permissions.
#[must_use]
pub fn all_permissions(catalog: &CatalogName) -> String {
    format!("{catalog}/permissions")
}

/// The version that a key below [`image`] is about.
#[must_use]
pub fn version_in(key: &str) -> Option<Version> {
    key.split('/').find_map(|part| part.parse().ok())
}

/// The recipe of one version, input by input.
#[must_use]
pub fn manifest(catalog: &CatalogName, image: &ImageName, arch: Arch, version: Version) -> String {
    format!("{catalog}/images/{image}/{arch}/{version}/recipe.json")
}

/// The facts that the checks of one version collected in a phase, with the verdicts.
#[must_use]
pub fn facts(
    catalog: &CatalogName,
    image: &ImageName,
    arch: Arch,
    version: Version,
    phase: Phase,
) -> String {
    let name = match phase {
        Phase::Boot => "facts.json",
        Phase::Build => "facts-build.json",
    };
    format!("{catalog}/images/{image}/{arch}/{version}/{name}")
}

/// The pending updates last found on an image.
#[must_use]
pub fn probe(catalog: &CatalogName, image: &ImageName, arch: Arch) -> String {
    format!("{catalog}/images/{image}/{arch}/probe.json")
}

/// The launch permissions an AMI had before it was disabled.
#[must_use]
pub fn permissions(catalog: &CatalogName, region: &Region, ami: &AmiId) -> String {
    format!("{catalog}/permissions/{region}/{ami}.json")
}

/// The plan of a run: what it set out to make.
#[must_use]
pub fn plan(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}/plan.json")
}

/// The run that a key below [`runs`] is about.
#[must_use]
pub fn run_in(key: &str) -> Option<RunId> {
    let mut parts = key.split('/').skip_while(|part| *part != "runs");
    parts.nth(1).map(RunId::from)
}

/// The result of a run.
#[must_use]
pub fn report(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}/result.json")
}

/// One line of a run's journal.
#[must_use]
pub fn journal(catalog: &CatalogName, run: &RunId, seq: u64) -> String {
    format!("{catalog}/runs/{run}/journal/{seq:06}.json")
}

/// All runs.
#[must_use]
pub fn runs(catalog: &CatalogName) -> String {
    format!("{catalog}/runs")
}

/// The generations of an environment's lock.
#[must_use]
pub fn locks(catalog: &CatalogName, env: &EnvName) -> String {
    format!("{catalog}/locks/{env}")
}
