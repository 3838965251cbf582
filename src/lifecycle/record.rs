//! Owns reading an AMI's tags into what they mean, and the question whether this catalog made it.

use crate::lifecycle::current::{self, Current};
use crate::lifecycle::tags;
use crate::model::{Ami, Arch, CatalogName, ImageName, State, Version};

/// An AMI that this catalog made, with its tags understood.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// The AMI itself.
    pub ami: &'a Ami,
    /// Which image it is a version of.
    pub image: ImageName,
    /// Which version.
    pub version: Version,
    /// Its architecture.
    pub arch: Arch,
    /// Where it is in its life.
    pub state: State,
    /// Where it is current.
    pub current: Current,
    /// The layer parent.
    pub parent: Option<(ImageName, Version)>,
}

impl<'a> Record<'a> {
    /// Reads an AMI; none unless its tags say that this catalog made exactly this AMI (a hand copy carries the tags
    /// but another id than `bakeline:self`).
    #[must_use]
    pub fn read(ami: &'a Ami, catalog: &CatalogName) -> Option<Self> {
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

    /// Every AMI of `images` that this catalog made, newest version of each image first.
    #[must_use]
    pub fn all(images: &'a [Ami], catalog: &CatalogName) -> Vec<Self> {
        let mut out: Vec<Self> = images
            .iter()
            .filter_map(|a| Self::read(a, catalog))
            .collect();
        out.sort_by(|a, b| {
            (&a.image, a.arch, b.version, &a.ami.id).cmp(&(&b.image, b.arch, a.version, &b.ami.id))
        });
        out
    }

    /// Whether it may be found at all: passed its checks, not withdrawn, usable.
    #[must_use]
    pub fn usable(&self) -> bool {
        matches!(self.state, State::Released | State::Held) && self.ami.status == "available"
    }

    /// A tag's value, or nothing.
    #[must_use]
    pub fn tag(&self, key: &str) -> &str {
        self.ami.tags.get(key).map_or("", String::as_str)
    }
}
