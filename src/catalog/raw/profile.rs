//! Owns the shape of `profiles/*.yaml` and `waivers.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Text;
use crate::catalog::syntax;
use crate::checks::{WrittenCheck, WrittenInput, WrittenOverride, WrittenUse};

/// profiles/NAME.yaml: checks that images name together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A bakeline check profile")]
pub(crate) struct RawProfile {
    /// One line for people.
    #[schemars(length(max = 255))]
    pub(crate) title: Option<Text>,
    /// Its own version, in quotes.
    #[schemars(length(max = 255))]
    pub(crate) version: Option<Text>,
    /// What it is for, on one line.
    #[schemars(length(max = 255))]
    pub(crate) summary: Option<Text>,
    /// Its licence, such as `Apache-2.0`.
    #[schemars(length(max = 255))]
    pub(crate) license: Option<Text>,
    /// Who keeps it.
    #[schemars(length(max = 255))]
    pub(crate) maintainer: Option<Text>,
    /// Other profiles that are part of this one, with values for their inputs where they need others.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) extends: Vec<WrittenUse>,
    /// Values that the checks name as `$inputs.NAME`, and that may depend on the system they are judged on.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry, as the checks are")]
    pub(crate) inputs: BTreeMap<String, WrittenInput>,
    /// What is different about controls of the profiles that it extends, by their ids.
    #[serde(default, rename = "override")]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) overrides: BTreeMap<String, WrittenOverride>,
    /// Controls of the profiles that it extends that are not judged, with the reason.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) disable: BTreeMap<String, String>,
    /// The checks.
    #[expect(
        dead_code,
        reason = "read entry by entry, so that one wrong check does not hide the others"
    )]
    pub(crate) checks: Option<Vec<WrittenCheck>>,
    /// Another word for `checks`.
    #[expect(
        dead_code,
        reason = "read entry by entry, so that one wrong check does not hide the others"
    )]
    pub(crate) controls: Option<Vec<WrittenCheck>>,
}

/// waivers.yaml: failures of checks that somebody answers for, until a day.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bakeline's waivers")]
pub(crate) struct RawWaivers {
    /// The waivers.
    #[schemars(required)]
    pub(crate) waivers: Option<Vec<RawWaiver>>,
}

/// A failure of a check that somebody answers for, until a day. It covers failures, never errors.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Waiver")]
pub(crate) struct RawWaiver {
    /// The id of the control.
    #[schemars(required)]
    pub(crate) control: Option<Text>,
    /// The images that it is for, with everything built on them; all that have the control when absent.
    #[schemars(length(min = 1))]
    pub(crate) images: Option<Vec<Text>>,
    /// Why it may fail.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) justification: Option<Text>,
    /// Who answers for it.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) owner: Option<Text>,
    /// The last day on which it counts, such as 2030-12-31.
    #[schemars(required, regex(pattern = syntax::DATE.pattern))]
    pub(crate) expires: Option<Text>,
}

/// A failure of a check that somebody answers for, until a day, in this image and those built on it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OwnWaiver")]
pub(crate) struct RawOwnWaiver {
    /// The id of the control.
    #[schemars(required)]
    pub(crate) control: Option<Text>,
    /// Why it may fail.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) justification: Option<Text>,
    /// Who answers for it.
    #[schemars(required, length(min = 1, max = 255))]
    pub(crate) owner: Option<Text>,
    /// The last day on which it counts, such as 2030-12-31.
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
