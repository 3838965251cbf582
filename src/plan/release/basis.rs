//! Owns DESIGN's cumulative table: what an image is built on, and why that.

use super::reasons::{Cause, Reason, source_tag};
use super::{Planner, steps::id};
use crate::catalog::{Image, Origin, Source};
use crate::lifecycle::{Record, tags};
use crate::model::ImageName;
use crate::plan::step::{AmiRef, StepId};

/// What a build starts from.
pub(super) struct Basis {
    pub(super) ami: AmiRef,
    pub(super) words: String,
    /// Why it starts from that.
    pub(super) because: String,
    pub(super) parent: Option<String>,
    pub(super) after: Option<StepId>,
    /// How many builds on itself lie behind the new version.
    pub(super) depth: u32,
    /// The vendor AMI behind it.
    pub(super) source: Option<String>,
}

impl Planner<'_> {
    /// A merely due image goes on from its last good build, anything else starts from its origin.
    pub(super) fn basis(
        &self,
        image: &Image,
        last: Option<&Record<'_>>,
        reasons: &[Reason],
    ) -> Result<Basis, String> {
        let Some(last) = last else {
            return self.origin(image, "it is the first build".to_owned());
        };
        match self.rebase(image, last, reasons) {
            Some(why) => self.origin(image, why),
            None => Ok(self.itself(last)),
        }
    }

    /// Why the image must start from its origin again; none when it may go on from its last good build.
    fn rebase(&self, image: &Image, last: &Record<'_>, reasons: &[Reason]) -> Option<String> {
        let because = |cause| reasons.iter().any(|r| r.cause == cause);
        if because(Cause::First) {
            return Some("it is the first build".to_owned());
        }
        if because(Cause::Recipe) {
            return Some("the recipe changed".to_owned());
        }
        if because(Cause::Origin) {
            let what = if image.parent().is_some() {
                "parent"
            } else {
                "source"
            };
            return Some(format!("the {what} is newer"));
        }
        if let Some(bad) = self.withdrawn(image, last) {
            return Some(bad);
        }
        let (depth, limit) = (self.depth(last), image.rebase_after);
        (depth >= limit).then(|| {
            format!(
                "rebase_after {limit}: {depth} builds on itself lie behind {}",
                last.version
            )
        })
    }

    fn itself(&self, last: &Record<'_>) -> Basis {
        let source = last.tag(tags::SOURCE);
        Basis {
            ami: AmiRef::Known(last.ami.id.clone()),
            words: format!("its last good build {}", last.version),
            because: "nothing that makes it changed".to_owned(),
            parent: Some(last.tag(tags::PARENT).to_owned()).filter(|p| !p.is_empty()),
            after: None,
            depth: self.depth(last) + 1,
            source: Some(source.to_owned()).filter(|s| !s.is_empty()),
        }
    }

    pub(super) fn origin(&self, image: &Image, because: String) -> Result<Basis, String> {
        let basis = |ami, words, parent, after| Basis {
            ami,
            words,
            because,
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
                        let words = format!("{} ({})", ami.name, ami.id);
                        let made = basis(AmiRef::Known(ami.id.clone()), words, None, None);
                        Ok(Basis {
                            source: Some(source_tag(ami)),
                            ..made
                        })
                    }
                    None => Err(self.no_source(source)),
                }
            }
            Origin::Parent(parent) => {
                let (ami, words, version, after) = self.layer(parent)?;
                Ok(basis(
                    ami,
                    words,
                    Some(format!("{parent}@{version}")),
                    after,
                ))
            }
        }
    }

    /// The parent's AMI: of this run, or the last that may be built on.
    fn layer(
        &self,
        parent: &ImageName,
    ) -> Result<(AmiRef, String, String, Option<StepId>), String> {
        if let Some(version) = self.built.get(parent) {
            let words = format!("{parent} {version} of this run");
            return Ok((
                AmiRef::MadeBy(id(parent, "build")),
                words,
                version.to_string(),
                Some(id(parent, "release")),
            ));
        }
        let known = self.catalog.images.get(parent);
        match known.and_then(|p| self.index.layer(self.catalog, p)) {
            Some(good) => {
                let words = format!("{parent} {} ({})", good.version, good.ami.id);
                // A parent that fails its new checks must not get new children meanwhile.
                let after = self.rechecked.contains(parent).then(|| id(parent, "retag"));
                Ok((
                    AmiRef::Known(good.ami.id.clone()),
                    words,
                    good.version.to_string(),
                    after,
                ))
            }
            None => match known.and_then(|p| self.index.last_good(self.catalog, p)) {
                Some(held) => Err(format!(
                    "its parent `{parent}` has only version {}, which is held",
                    held.version
                )),
                None => Err(format!(
                    "its parent `{parent}` has no released version and can't be built now"
                )),
            },
        }
    }

    fn no_source(&self, source: &Source) -> String {
        let home = self.catalog.settings.home();
        match source {
            Source::Filter { owner, name } => {
                format!(
                    "source not found: no available AMI named `{name}` of owner `{owner}` in {home}"
                )
            }
            Source::Parameter(path) => {
                format!("source not found: SSM parameter `{path}` in {home} names no available AMI")
            }
        }
    }
}
