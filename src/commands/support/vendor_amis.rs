//! Resolves the sources of base images to vendor AMIs.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, Origin, Source};
use crate::error::{Error, Result};
use crate::lifecycle::vendor_ami::select_vendor_ami;
use crate::model::{Ami, AmiId, ImageName, Region, SkippedAmis, Timestamp};
use crate::ports::{Cloud, CloudErrorKind, ImageQuery};

/// Vendor AMIs of the base images.
#[derive(Debug, Default)]
pub(super) struct VendorAmis {
    /// Selected AMI of each base image, if there is one.
    pub(super) sources: BTreeMap<ImageName, Option<Ami>>,
    /// Skipped AMIs, for images with any.
    pub(super) skipped: BTreeMap<ImageName, SkippedAmis>,
}

/// Resolves the source of each base image.
pub(super) async fn resolve_sources(
    cloud: &dyn Cloud,
    region: &Region,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<VendorAmis> {
    let mut out = VendorAmis::default();
    for image in catalog.images.values() {
        let Origin::Source(source) = &image.origin else {
            continue;
        };
        let found = find_amis(cloud, region, source).await?;
        let (selected, skipped) = select_vendor_ami(found, image, source, now);
        out.sources.insert(image.name.clone(), selected);
        if skipped != SkippedAmis::default() {
            out.skipped.insert(image.name.clone(), skipped);
        }
    }
    Ok(out)
}

/// Returns the AMIs that match a source, in any state.
async fn find_amis(cloud: &dyn Cloud, region: &Region, source: &Source) -> Result<Vec<Ami>> {
    let query = match source {
        Source::Filter(filter) => ImageQuery {
            owners: vec![filter.owner.clone()],
            name: Some(filter.name.clone()),
            filters: filter.filters.clone(),
            ..ImageQuery::default()
        },
        Source::Parameter { path, .. } => match cloud.parameter(region, path).await? {
            Some(id) => ImageQuery {
                owners: vec!["*".to_owned()],
                ids: vec![parameter_ami(region, path, &id)?],
                ..ImageQuery::default()
            },
            None => return Ok(Vec::new()),
        },
    };
    match cloud.images(region, &query).await {
        Ok(found) => Ok(found),
        Err(e) if e.kind == CloudErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}

/// Returns the AMI ID in the value of a parameter. Some public parameters contain JSON instead.
fn parameter_ami(region: &Region, path: &str, value: &str) -> Result<AmiId> {
    let id = value.trim();
    if AmiId::find_all(id).any(|found| found.as_str() == id) {
        return Ok(AmiId::from(id));
    }
    let shown: String = value.chars().take(60).collect();
    let message = format!("SSM parameter `{path}` in {region} contains {shown:?}, not an AMI ID");
    Err(Error::input(message).hint("set `ssm` to a parameter whose value is an AMI ID"))
}
