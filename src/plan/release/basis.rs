//! Chooses the AMI that an image is built on, by the cumulative table of the design.

use super::planner::ReleasePlanner;
use super::reasons::{Cause, Reason, source_tag};
use super::steps::step_id;
use crate::catalog::{Image, Origin, Source, SourceFilter};
use crate::lifecycle::{Record, tags};
use crate::model::{AmiId, Arch, ImageName, Region, SkippedAmis, Version};
use crate::plan::step::{AmiRef, Decision};
use crate::plan::{StepId, StepName};

/// AMI that a build starts from.
pub(super) struct BuildBase {
    pub(super) ami: AmiRef,
    pub(super) description: String,
    /// Reason for this base.
    pub(super) reason: String,
    pub(super) parent: Option<String>,
    pub(super) after: Option<StepId>,
    /// Number of builds between the new version and its origin.
    pub(super) depth: u32,
    /// Vendor AMI that the chain of builds started from.
    pub(super) source: Option<String>,
}

/// Reason why an image cannot be built now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingBaseError {
    /// Image that a recorded inventory does not contain.
    #[error(
        "source not recorded: the inventory has no vendor AMI for `{image}`; record a new one with \
         `bakeline plan --save-inventory FILE`"
    )]
    UnrecordedSource {
        /// Name of the image.
        image: ImageName,
    },
    /// Source filter without an available AMI.
    #[error("source not found: no available AMI named `{name}` of owner `{owner}` in {region}")]
    NoSourceAmi {
        /// Name pattern of the source.
        name: String,
        /// Owner of the source.
        owner: String,
        /// Home Region.
        region: Region,
    },
    /// Source filter whose `exclude` skips all available AMIs.
    #[error(
        "source not found: `exclude` skips all available AMIs named `{name}` of owner `{owner}` \
         in {region} ({count}); remove a pattern from `exclude` in {file}"
    )]
    ExcludedSource {
        /// Name pattern of the source.
        name: String,
        /// Owner of the source.
        owner: String,
        /// Home Region.
        region: Region,
        /// Number of skipped AMIs.
        count: usize,
        /// File of the image.
        file: String,
    },
    /// Source that only AMIs of other architectures match.
    #[error(
        "source not found: only AMIs of architecture {found} match in {region}, and the image has \
         {wanted}; set `arch` or change `source` in {file}"
    )]
    OtherArchitecture {
        /// Architectures of the AMIs.
        found: String,
        /// Architecture of the image.
        wanted: Arch,
        /// Home Region.
        region: Region,
        /// File of the image.
        file: String,
    },
    /// Source that only deprecated AMIs match.
    #[error(
        "source not found: only deprecated AMIs match, the newest is `{name}` ({ami}) in {region}, \
         deprecated since {since}; select a newer release in {file}, or set `deprecated: true` in \
         its `source` to build on this AMI"
    )]
    DeprecatedSource {
        /// Newest deprecated AMI.
        ami: AmiId,
        /// Name of this AMI.
        name: String,
        /// Home Region.
        region: Region,
        /// Date of the deprecation.
        since: String,
        /// File of the image.
        file: String,
    },
    /// SSM parameter of a source that names no available AMI.
    #[error("source not found: SSM parameter `{path}` in {region} names no available AMI")]
    NoParameterAmi {
        /// Path of the parameter.
        path: String,
        /// Home Region.
        region: Region,
    },
    /// Parent whose only version is held.
    #[error("the only version of its parent `{parent}`, {version}, is held")]
    HeldParent {
        /// Name of the parent.
        parent: ImageName,
        /// Held version.
        version: Version,
    },
    /// Parent without a released version and without a build in this plan.
    #[error("its parent `{parent}` has no released version and cannot be built now")]
    UnreleasedParent {
        /// Name of the parent.
        parent: ImageName,
    },
}

const FIRST_BUILD: &str = "first build";
const RECIPE_CHANGED: &str = "the recipe changed";
const NEWER_PARENT: &str = "the parent is newer";
const NEWER_SOURCE: &str = "the source is newer";
const UNCHANGED: &str = "its inputs are unchanged";

/// Returns the reason for the base of a build, unless it follows from the reasons of the build.
#[must_use]
pub fn base_reason(decision: &Decision) -> Option<&str> {
    let implied = [
        FIRST_BUILD,
        RECIPE_CHANGED,
        NEWER_PARENT,
        NEWER_SOURCE,
        UNCHANGED,
    ];
    let reason = decision.base_because.as_deref()?;
    (!implied.contains(&reason)).then_some(reason)
}

impl ReleasePlanner<'_> {
    /// Returns the base of a build: the last good build for an image that is only due, and the
    /// origin for any other.
    pub(super) fn build_base(
        &self,
        image: &Image,
        last: Option<&Record<'_>>,
        reasons: &[Reason],
    ) -> Result<BuildBase, MissingBaseError> {
        let Some(last) = last else {
            return self.base_on_origin(image, FIRST_BUILD.to_owned());
        };
        match self.rebase_reason(image, last, reasons) {
            Some(why) => self.base_on_origin(image, why),
            None => Ok(self.base_on_last_build(last)),
        }
    }

    /// Returns the reason why the image must start from its origin. Returns none if it may continue
    /// from its last good build.
    fn rebase_reason(
        &self,
        image: &Image,
        last: &Record<'_>,
        reasons: &[Reason],
    ) -> Option<String> {
        let has_cause = |cause| reasons.iter().any(|r| r.cause == cause);
        if has_cause(Cause::First) {
            return Some(FIRST_BUILD.to_owned());
        }
        if has_cause(Cause::Recipe) {
            return Some(RECIPE_CHANGED.to_owned());
        }
        if has_cause(Cause::Origin) {
            let newer = if image.parent().is_some() {
                NEWER_PARENT
            } else {
                NEWER_SOURCE
            };
            return Some(newer.to_owned());
        }
        if let Some(bad) = self.withdrawn_reason(image, last) {
            return Some(bad);
        }
        let (depth, limit) = (self.chain_depth(last), image.rebase_after);
        (depth >= limit).then(|| {
            format!(
                "rebase_after {limit} reached: {depth} builds between {} and its origin",
                last.version
            )
        })
    }

    fn base_on_last_build(&self, last: &Record<'_>) -> BuildBase {
        let source = last.tag(tags::SOURCE);
        BuildBase {
            ami: AmiRef::Known(last.ami.id.clone()),
            description: format!("last good build {}", last.version),
            reason: UNCHANGED.to_owned(),
            parent: Some(last.tag(tags::PARENT).to_owned()).filter(|p| !p.is_empty()),
            after: None,
            depth: self.chain_depth(last) + 1,
            source: Some(source.to_owned()).filter(|s| !s.is_empty()),
        }
    }

    pub(super) fn base_on_origin(
        &self,
        image: &Image,
        has_cause: String,
    ) -> Result<BuildBase, MissingBaseError> {
        let base = |ami, description, parent, after| BuildBase {
            ami,
            description,
            reason: has_cause,
            parent,
            after,
            depth: 0,
            source: None,
        };
        match &image.origin {
            Origin::Source(source) => {
                match self
                    .inventory
                    .sources
                    .get(&image.name)
                    .and_then(Option::as_ref)
                {
                    Some(ami) => {
                        let description = format!("{} ({})", ami.name, ami.id);
                        let base = base(AmiRef::Known(ami.id.clone()), description, None, None);
                        Ok(BuildBase {
                            source: Some(source_tag(ami)),
                            ..base
                        })
                    }
                    None => Err(self.missing_source(image, source)),
                }
            }
            Origin::Parent(parent) => {
                let (ami, description, version, after) = self.parent_base(parent)?;
                Ok(base(
                    ami,
                    description,
                    Some(format!("{}@{version}", parent.published())),
                    after,
                ))
            }
        }
    }

    /// Returns the AMI of the parent: from this run, or the last one that may be built on.
    fn parent_base(
        &self,
        parent: &ImageName,
    ) -> Result<(AmiRef, String, String, Option<StepId>), MissingBaseError> {
        if let Some(version) = self.built.get(parent) {
            let description = format!("{parent} {version} of this run");
            let built = AmiRef::MadeBy(step_id(parent, StepName::Build));
            return Ok((
                self.adopted
                    .get(parent)
                    .cloned()
                    .map_or(built, AmiRef::Known),
                description,
                version.to_string(),
                Some(step_id(parent, StepName::Release)),
            ));
        }
        let known = self.catalog.images.get(parent);
        match known.and_then(|p| self.index.layer_parent(self.catalog, p)) {
            Some(good) => {
                let description = format!("{parent} {} ({})", good.version, good.ami.id);
                // A child must not be built on a parent that fails its recheck.
                let after = self
                    .rechecked
                    .contains(parent)
                    .then(|| step_id(parent, StepName::Retag));
                Ok((
                    AmiRef::Known(good.ami.id.clone()),
                    description,
                    good.version.to_string(),
                    after,
                ))
            }
            None => match known.and_then(|p| self.index.last_good(self.catalog, p)) {
                Some(held) => Err(MissingBaseError::HeldParent {
                    parent: parent.clone(),
                    version: held.version,
                }),
                None => Err(MissingBaseError::UnreleasedParent {
                    parent: parent.clone(),
                }),
            },
        }
    }

    /// Returns the reason why the source selects no AMI.
    fn missing_source(&self, image: &Image, source: &Source) -> MissingBaseError {
        // An inventory from AWS has an entry for each source, also for those without an AMI.
        if !self.inventory.sources.contains_key(&image.name) {
            let image = image.name.clone();
            return MissingBaseError::UnrecordedSource { image };
        }
        let region = self.catalog.settings.home().clone();
        let file = image.file.clone();
        let none = SkippedAmis::default();
        let skipped = self.inventory.skipped.get(&image.name).unwrap_or(&none);
        if let Some(ami) = &skipped.newest_deprecated {
            return MissingBaseError::DeprecatedSource {
                ami: ami.id.clone(),
                name: ami.name.clone(),
                region,
                since: self.deprecation_date(ami).unwrap_or_default(),
                file,
            };
        }
        if !skipped.other_architectures.is_empty() {
            let found: Vec<&str> = skipped
                .other_architectures
                .iter()
                .map(String::as_str)
                .collect();
            return MissingBaseError::OtherArchitecture {
                found: found.join(", "),
                wanted: image.arch,
                region,
                file,
            };
        }
        match source.clone() {
            Source::Filter(SourceFilter { owner, name, .. }) if skipped.excluded > 0 => {
                MissingBaseError::ExcludedSource {
                    name,
                    owner,
                    region,
                    count: skipped.excluded,
                    file,
                }
            }
            Source::Filter(SourceFilter { owner, name, .. }) => MissingBaseError::NoSourceAmi {
                name,
                owner,
                region,
            },
            Source::Parameter { path, .. } => MissingBaseError::NoParameterAmi { path, region },
        }
    }
}
