//! Defines the variables of the check that a build runs first.

use serde::Serialize;

use crate::catalog::{Catalog, Image};
use crate::platform::Platform;

/// Variables of the check.
#[derive(Serialize)]
pub(super) struct CheckValues<'v> {
    /// Name of the image.
    image: &'v str,
    /// File of the base image, which sets the platform.
    file: &'v str,
    /// Name of the platform.
    platform: &'v str,
    /// Oldest supported major version.
    oldest: u32,
    /// All platforms with the systems that belong to them.
    platforms: Vec<PlatformIds>,
}

#[derive(Serialize)]
struct PlatformIds {
    name: &'static str,
    ids: &'static [&'static str],
}

/// Returns the variables of the check.
pub(super) fn check_values<'v>(catalog: &'v Catalog, image: &'v Image) -> CheckValues<'v> {
    let base = catalog.base_of(image);
    let platforms = Platform::ALL.map(|platform| PlatformIds {
        name: platform.name(),
        ids: platform.os_ids(),
    });
    CheckValues {
        image: image.name.published(),
        file: &base.file,
        platform: image.platform.name(),
        oldest: image.platform.oldest_version(),
        platforms: platforms.into(),
    }
}
