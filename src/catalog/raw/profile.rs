//! Defines the keys of `profiles/*.yaml` and `waivers.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Text;
use crate::catalog::syntax;
use crate::checks::{WrittenCheck, WrittenInput, WrittenOverride, WrittenUse};

/// profiles/NAME.yaml: a check profile that images can use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A bakeline check profile")]
pub(crate) struct RawProfile {
    /// Title.
    #[schemars(length(max = 255))]
    pub(crate) title: Option<Text>,
    /// Version of the profile, in quotes.
    #[schemars(length(max = 255))]
    pub(crate) version: Option<Text>,
    /// Summary in one line.
    #[schemars(length(max = 255))]
    pub(crate) summary: Option<Text>,
    /// License, such as `Apache-2.0`.
    #[schemars(length(max = 255))]
    pub(crate) license: Option<Text>,
    /// Maintainer.
    #[schemars(length(max = 255))]
    pub(crate) maintainer: Option<Text>,
    /// Profiles that this one extends, with values for their inputs.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) extends: Vec<WrittenUse>,
    /// Inputs, which the checks use as `$inputs.NAME`. Their values can depend on the target.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry, as the checks are")]
    pub(crate) inputs: BTreeMap<String, WrittenInput>,
    /// Overrides of controls of extended profiles by ID.
    #[serde(default, rename = "override")]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) overrides: BTreeMap<String, WrittenOverride>,
    /// Disabled controls of extended profiles, with the reason.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) disable: BTreeMap<String, String>,
    /// Checks.
    #[expect(
        dead_code,
        reason = "read entry by entry, so that one wrong check does not hide the others"
    )]
    pub(crate) checks: Option<Vec<WrittenCheck>>,
    /// Synonym of `checks`.
    #[expect(
        dead_code,
        reason = "read entry by entry, so that one wrong check does not hide the others"
    )]
    pub(crate) controls: Option<Vec<WrittenCheck>>,
}

/// waivers.yaml: accepted failures of checks, with an owner and an expiry date.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bakeline's waivers")]
pub(crate) struct RawWaivers {
    /// Waivers.
    #[schemars(required)]
    pub(crate) waivers: Option<Vec<RawWaiver>>,
}

/// An accepted failure of a check, with an owner and an expiry date. Waivers cover failures, never
/// errors.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Waiver")]
pub(crate) struct RawWaiver {
    /// ID of the control.
    #[schemars(required)]
    pub(crate) control: Option<Text>,
    /// Images of the waiver and their descendants. Default: all images with the control.
    #[schemars(length(min = 1))]
    pub(crate) images: Option<Vec<Text>>,
    /// Reason for accepting the failure.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) justification: Option<Text>,
    /// Owner of the waiver.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) owner: Option<Text>,
    /// Last valid date, such as 2030-12-31.
    #[schemars(required, regex(pattern = syntax::DATE.pattern))]
    pub(crate) expires: Option<Text>,
}

/// An accepted failure of a check in this image and its descendants, with an owner and an expiry
/// date.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OwnWaiver")]
pub(crate) struct RawOwnWaiver {
    /// ID of the control.
    #[schemars(required)]
    pub(crate) control: Option<Text>,
    /// Reason for accepting the failure.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) justification: Option<Text>,
    /// Owner of the waiver.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) owner: Option<Text>,
    /// Last valid date, such as 2030-12-31.
    #[schemars(required, regex(pattern = syntax::DATE.pattern))]
    pub(crate) expires: Option<Text>,
}

impl From<RawOwnWaiver> for RawWaiver {
    fn from(own: RawOwnWaiver) -> Self {
        let RawOwnWaiver {
            control,
            justification,
            owner,
            expires,
        } = own;
        Self {
            control,
            images: None,
            justification,
            owner,
            expires,
        }
    }
}
