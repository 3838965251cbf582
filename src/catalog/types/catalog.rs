//! Defines the checked catalog and its queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::image::Image;
use super::profile::Profile;
use super::settings::Settings;
use super::waiver::CatalogWaiver;
use crate::checks::Control;
use crate::model::ImageName;

/// A valid catalog. All parents exist, and there are no cycles.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Settings of `bakeline.yaml`.
    pub settings: Settings,
    /// Images by name.
    pub images: BTreeMap<ImageName, Image>,
    /// Contents of all templates and of all files that images use, by path relative to the
    /// repository.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Waivers of `waivers.yaml` and of images.
    pub waivers: Vec<CatalogWaiver>,
}

impl Catalog {
    /// Combines the parts of a valid catalog.
    pub(crate) fn new(
        mut settings: Settings,
        images: BTreeMap<ImageName, Image>,
        files: BTreeMap<String, Vec<u8>>,
        waivers: Vec<CatalogWaiver>,
    ) -> Self {
        for image in images.values() {
            let published = image.name.published().to_owned();
            let known = settings.architectures.entry(published).or_default();
            known.insert(image.arch);
        }
        Self {
            settings,
            images,
            files,
            waivers,
        }
    }

    /// Returns the image and its ancestors, the base image last.
    #[must_use]
    pub fn lineage(&self, name: &ImageName) -> Vec<&Image> {
        let mut out = Vec::new();
        let mut next = self.images.get(name);
        while let Some(image) = next {
            out.push(image);
            next = image.parent().and_then(|p| self.images.get(p));
        }
        out
    }

    /// Returns the base image of an image, which sets source and platform.
    #[must_use]
    pub fn base_of<'c>(&'c self, image: &'c Image) -> &'c Image {
        self.lineage(&image.name).last().copied().unwrap_or(image)
    }

    /// Returns the controls of the image, those of ancestors first.
    #[must_use]
    pub fn controls(&self, name: &ImageName) -> Vec<&Control> {
        self.images
            .get(name)
            .into_iter()
            .flat_map(|image| &image.controls)
            .map(|control| &**control)
            .collect()
    }

    /// Returns the profiles of the image with their digests, in the order of the controls.
    #[must_use]
    pub fn profiles(&self, name: &ImageName) -> Vec<Profile> {
        let Some(image) = self.images.get(name) else {
            return Vec::new();
        };
        let with_digest = |profile: &Arc<Profile>| {
            let own = image
                .controls
                .iter()
                .map(|c| &**c)
                .filter(|c| c.defined_at.name == profile.name);
            Profile {
                sha256: profile.compute_digest(&own.collect::<Vec<_>>()),
                ..(**profile).clone()
            }
        };
        image.profiles.iter().map(with_digest).collect()
    }

    /// Returns all images, parents first and then by name.
    #[must_use]
    pub fn parents_first(&self) -> Vec<&Image> {
        let mut all: Vec<(usize, &Image)> = self
            .images
            .values()
            .map(|i| (self.lineage(&i.name).len(), i))
            .collect();
        all.sort_by_key(|(depth, image)| (*depth, &image.name));
        all.into_iter().map(|(_, image)| image).collect()
    }
}
