//! Owns what holds between images: parents, cycles, and what a child inherits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::codes;
use crate::catalog::image::ImageDraft;
use crate::catalog::profiles::controls::{ControlSources, ImageControls, report_unused_waivers};
use crate::catalog::settings::{SettingsDefaults, find_environment};
use crate::catalog::types::{Image, Origin};
use crate::catalog::yaml::source::Diagnostics;
use crate::diagnostic::nearest;
use crate::model::{Arch, EnvName, ImageName, RunId, Version, ami_name};
use crate::provision::Provision;
use crate::provision::packages::Packages;

/// All that is known when images are linked.
pub(crate) struct Linker<'a, 'd, 's> {
    pub(crate) drafts: &'d BTreeMap<String, ImageDraft<'a>>,
    /// Names that exist although their files are broken.
    pub(crate) broken: &'d BTreeSet<String>,
    /// What controls are made of.
    pub(crate) sources: ControlSources<'a, 'd>,
    /// The controls of images that were looked at.
    pub(crate) states: BTreeMap<String, Arc<ImageControls>>,
    pub(crate) known: &'d SettingsDefaults,
    pub(crate) diagnostics: &'s mut Diagnostics,
}

/// The longest version and run that a name must have room for.
const LONGEST_VERSION: Version = Version {
    day: 99_991_231,
    number: 999,
};
const LONGEST_RUN: usize = 32;
/// EC2, CreateImage: the longest AMI name.
const MAX_AMI_NAME: usize = 128;

impl<'a> Linker<'a, '_, '_> {
    /// Checks every image against the others and fills in what is inherited; images that are wrong are left out.
    pub(crate) fn link(mut self) -> BTreeMap<ImageName, Image> {
        let cyclic = self.cycles();
        let drafts = self.drafts;
        let mut out = BTreeMap::new();
        for (name, draft) in drafts {
            self.parent_exists(name, draft);
            let lineage = lineage(drafts, name, &cyclic);
            if let Some(image) = self.image(name, draft, &lineage) {
                out.insert(ImageName(name.clone()), image);
            }
        }
        let images = drafts
            .keys()
            .chain(self.broken)
            .map(String::as_str)
            .collect();
        report_unused_waivers(
            self.sources.waivers,
            &self.states,
            &images,
            self.diagnostics,
        );
        out
    }

    fn at<'x>(diagnostics: &'x mut Diagnostics, draft: &ImageDraft<'a>) -> Checker<'a, 'x> {
        Checker {
            source: draft.origin,
            diagnostics,
        }
    }

    fn parent_exists(&mut self, name: &str, draft: &ImageDraft<'a>) {
        let Some(parent) = &draft.parent else { return };
        if self.drafts.contains_key(&parent.value) || self.broken.contains(&parent.value) {
            return;
        }
        let known = self
            .drafts
            .keys()
            .chain(self.broken)
            .map(String::as_str)
            .filter(|k| *k != name);
        let help = match nearest(&parent.value, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "add images/{}.yaml, or name an image that exists",
                shown(&parent.value)
            ),
        };
        let message = format!("there is no image `{}`", shown(&parent.value));
        Self::at(self.diagnostics, draft)
            .error(codes::UNKNOWN_PARENT, &parent.span, message)
            .help(help);
    }

    /// Reports each cycle once, at the image whose name comes first, and returns every image that never reaches a base.
    fn cycles(&mut self) -> BTreeSet<String> {
        let mut cyclic = BTreeSet::new();
        for start in self.drafts.keys() {
            let mut path: Vec<&str> = Vec::new();
            let mut next = Some(start.as_str());
            while let Some(name) = next {
                if let Some(at) = path.iter().position(|p| *p == name) {
                    cyclic.insert(start.clone());
                    if path[at..].iter().min() == Some(&start.as_str()) && at == 0 {
                        self.report_cycle(&path[at..]);
                    }
                    break;
                }
                path.push(name);
                next = self
                    .drafts
                    .get(name)
                    .and_then(|d| d.parent.as_ref())
                    .map(|p| p.value.as_str());
            }
        }
        cyclic
    }

    fn report_cycle(&mut self, ring: &[&str]) {
        let first = &self.drafts[ring[0]];
        let Some(parent) = &first.parent else { return };
        let shape = ring
            .iter()
            .chain([&ring[0]])
            .copied()
            .collect::<Vec<_>>()
            .join(" -> ");
        let last = ring.last().and_then(|l| self.drafts.get(*l));
        let back = last.and_then(|d| Some(d.origin.span(d.parent.as_ref()?.span.clone())));
        let found = Self::at(self.diagnostics, first)
            .diagnostics
            .error(
                codes::CYCLE,
                first.origin.span(parent.span.clone()),
                format!("images are each other's parents: {shape}"),
            )
            .help("one of them must start from another image or have a `source`");
        if let Some(back) = back.filter(|_| ring.len() > 1) {
            found.related(back, "the cycle closes here");
        }
    }

    fn image(
        &mut self,
        name: &str,
        draft: &ImageDraft<'a>,
        lineage: &Lineage<'_, 'a>,
    ) -> Option<Image> {
        let base = lineage.ancestors.last().map_or(draft, |(_, base)| *base);
        let arch = base.arch.unwrap_or_default();
        let platform = base.platform.unwrap_or_default();
        self.ami_name_fits(name, draft, arch);
        self.disk(draft, lineage);
        let environment = self.environment(draft, lineage);
        let mut c = Self::at(self.diagnostics, draft);
        for package in &draft.packages {
            if let Err(error) = platform.check_package(&package.value) {
                let message = format!("`{}` is not a package: {error}", shown(&package.value));
                c.error(codes::PACKAGE, &package.span, message)
                    .help("use a package's name, or `name=version`");
            }
        }
        let mut provision = draft.provision.clone();
        if !draft.packages.is_empty() {
            let names = draft.packages.iter().map(|p| p.value.clone()).collect();
            provision.insert(0, Provision::Packages(Packages { names }));
        }
        let state = self.state(name, draft, lineage);
        let origin = match (&draft.source, &draft.parent) {
            (Some(source), None) => Origin::Source(source.clone()),
            (None, Some(parent)) => Origin::Parent(ImageName(parent.value.clone())),
            _ => return None,
        };
        Some(Image {
            name: ImageName::from(name),
            description: draft.description.clone(),
            origin,
            platform,
            arch,
            environment: environment?,
            provision,
            controls: state
                .entries
                .iter()
                .map(|entry| Arc::clone(&entry.control))
                .collect(),
            profiles: state.profiles.clone(),
            tags: draft.tags.clone(),
            disk_gib: draft.disk_gib.as_ref().map(|d| d.value),
            max_age: draft.max_age,
            rebase_after: draft.rebase_after,
            file: draft.origin.file.to_owned(),
        })
    }

    fn ami_name_fits(&mut self, name: &str, draft: &ImageDraft<'a>, arch: Arch) {
        let Some(catalog) = &self.known.name else {
            return;
        };
        let run = RunId("r".repeat(LONGEST_RUN));
        let longest = ami_name(catalog, &ImageName::from(name), arch, LONGEST_VERSION, &run);
        if longest.len() > MAX_AMI_NAME {
            let over = longest.len() - MAX_AMI_NAME;
            Self::at(self.diagnostics, draft)
                .error(
                    codes::AMI_NAME,
                    &(0..0),
                    format!("the AMI's name could be {over} characters too long for EC2"),
                )
                .help(format!(
                    "shorten the names `{catalog}` and `{name}` by {over} together"
                ));
        }
    }

    fn disk(&mut self, draft: &ImageDraft<'a>, lineage: &Lineage<'_, 'a>) {
        let Some(own) = &draft.disk_gib else { return };
        let larger = lineage
            .ancestors
            .iter()
            .find_map(|(name, d)| d.disk_gib.as_ref().map(|g| (name, d, g)));
        if let Some((name, parent, size)) = larger.filter(|(_, _, size)| size.value > own.value) {
            let span = parent.origin.span(size.span.clone());
            Self::at(self.diagnostics, draft)
                .error(
                    codes::DISK,
                    &own.span,
                    format!("the root volume is smaller than that of `{name}`"),
                )
                .help(format!("use {} or more, or remove the key", size.value))
                .related(span, "the larger size");
        }
    }

    /// The highest rung the image may reach: its own, else its parent's, else the top.
    fn environment(
        &mut self,
        draft: &ImageDraft<'a>,
        lineage: &Lineage<'_, 'a>,
    ) -> Option<EnvName> {
        let ladder = self.known.ladder.as_ref()?;
        let own = match &draft.environment {
            Some(text) => Some(find_environment(
                text,
                ladder,
                &mut Self::at(self.diagnostics, draft),
            )?),
            None => None,
        };
        let rung = |text: &str| ladder.iter().position(|e| e.as_str() == text);
        let limit = lineage
            .ancestors
            .iter()
            .filter_map(|(name, d)| {
                d.environment
                    .as_ref()
                    .and_then(|e| Some((rung(&e.value)?, e, *name, *d)))
            })
            .min_by_key(|(rung, ..)| *rung);
        match (own, limit) {
            (Some(own), Some((lowest, text, name, parent)))
                if rung(own.as_str()) > Some(lowest) =>
            {
                let span = parent.origin.span(text.span.clone());
                let own_range = draft.environment.as_ref().map_or(0..0, |e| e.span.clone());
                let message = format!(
                    "the image may reach `{own}`, but `{name}` below it only `{}`",
                    text.value
                );
                Self::at(self.diagnostics, draft)
                    .error(codes::LADDER, &own_range, message)
                    .help(format!(
                        "use `{}` or lower here, or raise `{name}`",
                        text.value
                    ))
                    .related(span, "the limit");
                None
            }
            (Some(own), _) => Some(own),
            (None, Some((lowest, ..))) => ladder.get(lowest).cloned(),
            (None, None) => ladder.last().cloned(),
        }
    }

    /// The controls of the image and its ancestors; each image is looked at once.
    fn state(
        &mut self,
        name: &str,
        draft: &ImageDraft<'a>,
        lineage: &Lineage<'_, 'a>,
    ) -> Arc<ImageControls> {
        let mut above: Option<Arc<ImageControls>> = None;
        for (image, draft) in lineage
            .ancestors
            .iter()
            .copied()
            .rev()
            .chain([(name, draft)])
        {
            let state = match self.states.get(image) {
                Some(known) => Arc::clone(known),
                None => {
                    Arc::new(
                        self.sources
                            .state(image, draft, above.as_deref(), self.diagnostics),
                    )
                }
            };
            self.states.insert(image.to_owned(), Arc::clone(&state));
            above = Some(state);
        }
        above.unwrap_or_default()
    }
}

/// An image's ancestors, nearest first.
struct Lineage<'d, 'a> {
    ancestors: Vec<(&'d str, &'d ImageDraft<'a>)>,
}

fn lineage<'d, 'a>(
    drafts: &'d BTreeMap<String, ImageDraft<'a>>,
    name: &str,
    cyclic: &BTreeSet<String>,
) -> Lineage<'d, 'a> {
    let mut ancestors = Vec::new();
    let mut next = drafts
        .get(name)
        .and_then(|d| d.parent.as_ref())
        .filter(|_| !cyclic.contains(name));
    while let Some((parent, draft)) = next.and_then(|p| drafts.get_key_value(&p.value)) {
        ancestors.push((parent.as_str(), draft));
        next = draft.parent.as_ref();
    }
    Lineage { ancestors }
}
