//! Defines an image before it is linked, and the input of its checks.

use std::collections::BTreeMap;

use crate::catalog::checks::ParsedCheck;
use crate::catalog::files::Files;
use crate::catalog::image::instance::InstanceDraft;
use crate::catalog::image::volumes::VolumeDraft;
use crate::catalog::profiles::overrides::{Overrides, ProfileUse};
use crate::catalog::profiles::waivers::WaiverEntry;
use crate::catalog::raw::Text;
use crate::catalog::settings::SharedSettings;
use crate::catalog::types::Source;
use crate::catalog::yaml::node::ByteRange;
use crate::catalog::yaml::source::SourceFile;
use crate::model::{Arch, Tags};
use crate::platform::Platform;
use crate::provision::Provision;

/// An image before its parent is known.
#[derive(Debug)]
pub(crate) struct ImageDraft<'a> {
    pub(crate) file: SourceFile<'a>,
    pub(crate) description: String,
    pub(crate) source: Option<Source>,
    pub(crate) parent: Option<Text>,
    pub(crate) platform: Option<Platform>,
    pub(crate) arch: Option<ArchSetting>,
    /// True if the file defines an image for each of several architectures.
    pub(crate) is_split: bool,
    pub(crate) environment: Option<Text>,
    pub(crate) packages: Vec<Text>,
    pub(crate) provision: Vec<Provision>,
    pub(crate) profiles: Vec<ProfileUse>,
    pub(crate) checks: Vec<ParsedCheck>,
    pub(crate) overrides: Overrides,
    pub(crate) waivers: Vec<WaiverEntry<'a>>,
    pub(crate) tags: Tags,
    pub(crate) volumes: Vec<VolumeDraft>,
    pub(crate) instance: InstanceDraft,
    pub(crate) template: Option<String>,
    pub(crate) max_age: Option<jiff::SignedDuration>,
    pub(crate) rebase_after: u32,
    /// Variables that the recipe uses, with their values as text.
    pub(crate) variables: BTreeMap<String, String>,
    /// All variables of an image with template files.
    pub(crate) template_variables: BTreeMap<String, serde_json::Value>,
}

/// Architecture that an image file sets.
#[derive(Debug)]
pub(crate) struct ArchSetting {
    pub(crate) value: Arch,
    pub(crate) span: ByteRange,
}

/// Checks of an image: profiles, own checks, overrides and waivers.
pub(crate) struct ImageChecks<'a> {
    pub(crate) profiles: Vec<ProfileUse>,
    pub(crate) checks: Vec<ParsedCheck>,
    pub(crate) overrides: Overrides,
    pub(crate) waivers: Vec<WaiverEntry<'a>>,
}

/// Values that all images need.
pub(crate) struct ImageContext<'c> {
    pub(crate) known: &'c SharedSettings,
    pub(crate) files: &'c dyn Files,
    /// Contents of the files that the images use, by path.
    pub(crate) contents: &'c mut BTreeMap<String, Vec<u8>>,
}
