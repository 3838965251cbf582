//! Parses the tags of AMIs, and accepts only AMIs that this catalog created.

use crate::catalog::Settings;
use crate::lifecycle::current::{self, Current};
use crate::lifecycle::tags;
use crate::model::{Ami, Arch, CatalogName, ImageName, State, Version};

/// AMI of this catalog with its tags parsed.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// The AMI.
    pub ami: &'a Ami,
    /// Image of which it is a version.
    pub image: ImageName,
    /// Version of the image.
    pub version: Version,
    /// Architecture of the AMI.
    pub arch: Arch,
    /// State of the version.
    pub state: State,
    /// Environments in which it is current.
    pub current: Current,
    /// Parent version of a custom image.
    pub parent: Option<(ImageName, Version)>,
}

impl<'a> Record<'a> {
    /// Parses an AMI. Returns none unless its tags prove that this catalog created exactly this
    /// AMI: a copy made by hand has a different ID than `bakeline:self`.
    #[must_use]
    pub fn read(ami: &'a Ami, settings: &Settings) -> Option<Self> {
        let mut record = Self::read_published(ami, &settings.name)?;
        let arch = record.arch;
        record.image = settings.image_name(record.image.published(), arch);
        record.parent = record
            .parent
            .map(|(parent, version)| (settings.image_name(parent.published(), arch), version));
        Some(record)
    }

    /// Parses an AMI like [`Self::read`], for lookups without a checkout: the names of images with
    /// several architectures have none.
    #[must_use]
    pub fn read_published(ami: &'a Ami, catalog: &CatalogName) -> Option<Self> {
        let tag = |key: &str| ami.tags.get(key).map(String::as_str);
        let ours = tag(tags::SCHEMA) == Some(tags::SCHEMA_VERSION)
            && tag(tags::CATALOG) == Some(catalog.as_str())
            && tag(tags::SELF) == Some(ami.id.as_str());
        if !ours {
            return None;
        }
        Some(Self {
            ami,
            image: ImageName::from(tag(tags::IMAGE)?),
            version: tag(tags::VERSION)?.parse().ok()?,
            arch: tag(tags::ARCH)?.parse().ok()?,
            state: tag(tags::STATE)?.parse().ok()?,
            current: current::parse(tag(tags::CURRENT).unwrap_or("")),
            parent: tag(tags::PARENT)
                .and_then(|p| p.split_once('@'))
                .and_then(|(image, version)| Some((ImageName::from(image), version.parse().ok()?))),
        })
    }

    /// Returns the records of `images` that this catalog created, newest version of each image
    /// first.
    #[must_use]
    pub fn read_all(images: &'a [Ami], settings: &Settings) -> Vec<Self> {
        sort_records(images.iter().filter_map(|a| Self::read(a, settings)))
    }

    /// Returns the records like [`Self::read_all`], for lookups without a checkout.
    #[must_use]
    pub fn read_all_published(images: &'a [Ami], catalog: &CatalogName) -> Vec<Self> {
        sort_records(
            images
                .iter()
                .filter_map(|a| Self::read_published(a, catalog)),
        )
    }

    /// Returns whether lookups may find the AMI: released or held, and available in EC2.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        matches!(self.state, State::Released | State::Held) && self.ami.status == "available"
    }

    /// Returns the value of a tag, or an empty text.
    #[must_use]
    pub fn tag(&self, key: &str) -> &str {
        self.ami.tags.get(key).map_or("", String::as_str)
    }
}

/// Sorts records by image and architecture, newest version first.
fn sort_records<'a>(records: impl Iterator<Item = Record<'a>>) -> Vec<Record<'a>> {
    let mut out: Vec<Record<'a>> = records.collect();
    out.sort_by(|a, b| {
        (&a.image, a.arch, b.version, &a.ami.id).cmp(&(&b.image, b.arch, a.version, &b.ami.id))
    });
    out
}
