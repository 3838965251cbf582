//! Defines the keys of all objects in the store. A changed key loses the objects of older versions.
//!
//! All keys are below the catalog's name, so that several catalogs can share a bucket.

use crate::checks::Phase;
use crate::model::{AmiId, Arch, CatalogName, EnvName, ImageName, Region, RunId, Version};

/// Returns the key of the schema version: `{"schema": 1}`.
#[must_use]
pub fn schema(catalog: &CatalogName) -> String {
    format!("{catalog}/schema.json")
}

/// Returns the prefix of one image; its versions are below.
#[must_use]
pub fn image(catalog: &CatalogName, image: &ImageName, arch: Arch) -> String {
    format!("{catalog}/images/{}/{arch}", image.published())
}

/// Returns the prefix of all images.
#[must_use]
pub fn images(catalog: &CatalogName) -> String {
    format!("{catalog}/images")
}

/// Returns the prefix of all launch permissions.
#[must_use]
pub fn all_permissions(catalog: &CatalogName) -> String {
    format!("{catalog}/permissions")
}

/// Parses the version of a key below [`image`].
#[must_use]
pub fn version_in(key: &str) -> Option<Version> {
    key.split('/').find_map(|part| part.parse().ok())
}

/// Returns the key of the manifest of one version.
#[must_use]
pub fn manifest(catalog: &CatalogName, image: &ImageName, arch: Arch, version: Version) -> String {
    format!(
        "{}/{version}/recipe.json",
        self::image(catalog, image, arch)
    )
}

/// Returns the key of the facts and verdicts of one version in a phase.
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
    format!("{}/{version}/{name}", self::image(catalog, image, arch))
}

/// Returns the key of the pending updates of an image.
#[must_use]
pub fn probe(catalog: &CatalogName, image: &ImageName, arch: Arch) -> String {
    format!("{}/probe.json", self::image(catalog, image, arch))
}

/// Returns the key of the launch permissions that an AMI had before it was disabled.
#[must_use]
pub fn permissions(catalog: &CatalogName, region: &Region, ami: &AmiId) -> String {
    format!("{catalog}/permissions/{region}/{ami}.json")
}

/// Returns the key of the plan of a run.
#[must_use]
pub fn plan(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}/plan.json")
}

/// Parses the run of a key below [`runs`].
#[must_use]
pub fn run_in(key: &str) -> Option<RunId> {
    let mut parts = key.split('/').skip_while(|part| *part != "runs");
    parts.nth(1).map(RunId::from)
}

/// Returns the key of the result of a run.
#[must_use]
pub fn report(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}/result.json")
}

/// Returns the prefix of one run.
#[must_use]
pub fn run(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}")
}

/// Returns the key of one line of a run's journal. The lines exist until the run ends.
#[must_use]
pub fn journal_line(catalog: &CatalogName, run: &RunId, seq: u64) -> String {
    format!("{catalog}/runs/{run}/journal/{seq:06}.json")
}

/// Returns the key of the complete journal of a run that has ended.
#[must_use]
pub fn journal(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}/journal.jsonl")
}

/// Returns the prefix of the files that a run needs if it continues on another machine.
#[must_use]
pub fn run_files(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}/files")
}

/// Returns the key of the description of a run.
#[must_use]
pub fn run_description(catalog: &CatalogName, run: &RunId) -> String {
    format!("{catalog}/runs/{run}/run.json")
}

/// Returns the key of the results of the newest runs, so that a plan does not list all runs.
#[must_use]
pub fn recent_results(catalog: &CatalogName) -> String {
    format!("{catalog}/recent-results.json")
}

/// Returns the prefix of all runs.
#[must_use]
pub fn runs(catalog: &CatalogName) -> String {
    format!("{catalog}/runs")
}

/// Returns the prefix of the lock of an environment.
#[must_use]
pub fn locks(catalog: &CatalogName, env: &EnvName) -> String {
    format!("{catalog}/locks/{env}")
}
