//! Defines the names of images.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arch::Arch;
use super::name::check_name;

/// Name of an image in the catalog, such as `jdk`; see [`check_name`].
///
/// An image file with several architectures defines one image per architecture, named
/// `NAME.ARCH` as in RPM: `jdk.x86_64` and `jdk.arm64`. Both publish their AMIs as `jdk`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ImageName(pub String);

impl ImageName {
    /// Returns the name of one architecture of an image.
    #[must_use]
    pub fn with_arch(published: &str, arch: Arch) -> Self {
        Self(format!("{published}.{arch}"))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the architecture in the name of an image with several architectures.
    #[must_use]
    pub fn arch(&self) -> Option<Arch> {
        split_arch(&self.0).1
    }

    /// Returns the name without architecture. Tags, AMI names, SSM parameters and keys of the store
    /// contain it.
    #[must_use]
    pub fn published(&self) -> &str {
        published_name(&self.0)
    }

    /// Returns whether the text is a valid name, with or without architecture.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        check_name(self.published()).is_ok()
    }
}

/// Returns the name of an image without architecture.
#[must_use]
pub fn published_name(image: &str) -> &str {
    split_arch(image).0
}

/// Splits the name of an image into the published name and the architecture.
fn split_arch(image: &str) -> (&str, Option<Arch>) {
    let parts = image.split_once('.');
    let parsed = parts.and_then(|(name, suffix)| {
        let arch = Arch::from_str(suffix).ok()?;
        (arch.as_str() == suffix).then_some((name, Some(arch)))
    });
    parsed.unwrap_or((image, None))
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for ImageName {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::ImageName;
    use crate::model::Arch;

    #[test]
    fn architecture_is_not_part_of_published_name() {
        let name = ImageName::with_arch("jdk", Arch::Arm64);
        assert_eq!(name.as_str(), "jdk.arm64");
        assert_eq!((name.published(), name.arch()), ("jdk", Some(Arch::Arm64)));
        assert!(name.is_valid());
        for text in ["jdk", "jdk.aarch64", "jdk.", "a.b.arm64"] {
            let name = ImageName::from(text);
            assert_eq!((name.published(), name.arch()), (text, None), "{text}");
            assert_eq!(name.is_valid(), text == "jdk", "{text}");
        }
    }
}
