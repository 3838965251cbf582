//! Links images: checks parents and cycles, and applies inherited values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::codes;
use crate::catalog::image::draft::ImageDraft;
use crate::catalog::image::instance::link_instance;
use crate::catalog::image::volumes::check_volume_sizes;
use crate::catalog::profiles::controls::{ControlSources, ImageControls, report_unused_waivers};
use crate::catalog::settings::{SharedSettings, find_environment};
use crate::catalog::types::{Image, Origin};
use crate::catalog::yaml::source::Diagnostics;
use crate::diagnostic::nearest;
use crate::model::{Arch, EnvName, ImageName, RunId, Version, ami_name, published_name};
use crate::provision::Provision;
use crate::provision::packages::Packages;

/// Input for linking the images.
pub(crate) struct Linker<'a, 'd, 's> {
    pub(crate) drafts: &'d BTreeMap<String, ImageDraft<'a>>,
    /// Names of images whose files have errors.
    pub(crate) broken: &'d BTreeSet<String>,
    /// True if the names of some images are not known.
    pub(crate) has_unnamed: bool,
    /// Sources of the controls.
    pub(crate) sources: ControlSources<'a, 'd>,
    /// Controls of the images that were resolved already.
    pub(crate) states: BTreeMap<String, Arc<ImageControls>>,
    pub(crate) known: &'d SharedSettings,
    pub(crate) diagnostics: &'s mut Diagnostics,
}

/// Longest version and run ID that the name of an AMI must have room for.
const LONGEST_VERSION: Version = Version {
    day: 99_991_231,
    number: 999,
};
const LONGEST_RUN: usize = 32;
/// Length of the longest AMI name (EC2 CreateImage).
const MAX_AMI_NAME: usize = 128;

impl<'a> Linker<'a, '_, '_> {
    /// Checks each image against the others and applies inherited values. Leaves out invalid
    /// images.
    pub(crate) fn link(mut self) -> BTreeMap<ImageName, Image> {
        let cyclic = self.find_cycles();
        let drafts = self.drafts;
        let mut out = BTreeMap::new();
        for (name, draft) in drafts {
            self.check_parent(name, draft, &cyclic);
            let lineage = lineage(drafts, name, &cyclic);
            if let Some(image) = self.build_image(name, draft, &lineage) {
                out.insert(ImageName(name.clone()), image);
            }
        }
        let images = drafts
            .keys()
            .chain(self.broken)
            .map(|name| published_name(name))
            .collect();
        report_unused_waivers(
            self.sources.waivers,
            &self.states,
            &images,
            self.diagnostics,
        );
        out
    }

    fn checker_for<'x>(
        diagnostics: &'x mut Diagnostics,
        draft: &ImageDraft<'a>,
    ) -> Checker<'a, 'x> {
        Checker {
            source: draft.file,
            diagnostics,
        }
    }

    fn check_parent(&mut self, name: &str, draft: &ImageDraft<'a>, cyclic: &BTreeSet<String>) {
        let Some(parent) = &draft.parent else { return };
        if self.drafts.contains_key(&parent.value)
            || self.broken.contains(&parent.value)
            || self.has_unnamed
        {
            return;
        }
        // Images of the same file and descendants would be a cycle.
        let is_below = |other: &str| {
            let lineage = lineage(self.drafts, other, cyclic);
            other == name
                || lineage
                    .ancestors
                    .iter()
                    .any(|(name, _)| self.drafts[*name].file.path == draft.file.path)
        };
        let drafts = self.drafts.iter();
        let others = drafts.filter(|(_, other)| other.file.path != draft.file.path);
        let known = others.map(|(other, _)| other).chain(self.broken);
        let known = known.map(String::as_str).filter(|other| !is_below(other));
        let known = known.map(published_name);
        let help = match nearest(&parent.value, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "add images/{}.yaml, or use an existing image",
                quote_text(&parent.value)
            ),
        };
        let message = format!("the image `{}` does not exist", quote_text(&parent.value));
        Self::checker_for(self.diagnostics, draft)
            .error(codes::UNKNOWN_PARENT, &parent.span, message)
            .help(help);
    }

    /// Reports each cycle once, at its first image by name. Returns all images whose parents never
    /// reach a base image.
    fn find_cycles(&mut self) -> BTreeSet<String> {
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
        let cycle = ring
            .iter()
            .chain([&ring[0]])
            .copied()
            .collect::<Vec<_>>()
            .join(" -> ");
        let last = ring.last().and_then(|l| self.drafts.get(*l));
        let back = last.and_then(|d| Some(d.file.span(d.parent.as_ref()?.span.clone())));
        let found = Self::checker_for(self.diagnostics, first)
            .diagnostics
            .error(
                codes::CYCLE,
                first.file.span(parent.span.clone()),
                format!("cycle of parents: {cycle}"),
            )
            .help("set another parent or a `source` in one of them");
        if let Some(back) = back.filter(|_| ring.len() > 1) {
            found.add_related(back, "the cycle closes here");
        }
    }

    fn build_image(
        &mut self,
        name: &str,
        draft: &ImageDraft<'a>,
        lineage: &Lineage<'_, 'a>,
    ) -> Option<Image> {
        let base = lineage.ancestors.last().map_or(draft, |(_, base)| *base);
        let arch = base
            .arch
            .as_ref()
            .map(|arch| arch.value)
            .unwrap_or_default();
        let platform = base.platform.unwrap_or_default();
        self.check_ami_name(name, draft, arch);
        let environment = self.highest_environment(draft, lineage);
        let mut c = Self::checker_for(self.diagnostics, draft);
        check_arch(draft, arch, lineage, &mut c);
        let ancestors = lineage.ancestors.iter().map(|(_, draft)| &draft.instance);
        check_volume_sizes(&draft.volumes, &lineage.ancestors, &mut c);
        let instance = link_instance((name, arch), &draft.instance, ancestors, &mut c);
        for package in &draft.packages {
            if let Err(error) = platform.check_package(&package.value) {
                let message = format!(
                    "`{}` is not a valid package: {error}",
                    quote_text(&package.value)
                );
                c.error(codes::PACKAGE, &package.span, message)
                    .help(format!("use {}", platform.package_syntax()));
            }
        }
        let mut provision = draft.provision.clone();
        if !draft.packages.is_empty() {
            let names = draft.packages.iter().map(|p| p.value.clone()).collect();
            provision.insert(0, Provision::Packages(Packages { names }));
        }
        let controls = self.controls_of(name, draft, lineage);
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
            controls: controls
                .entries
                .iter()
                .map(|entry| Arc::clone(&entry.control))
                .collect(),
            profiles: controls.profiles.clone(),
            template_variables: draft.template_variables.clone(),
            tags: draft.tags.clone(),
            volumes: draft.volumes.iter().map(|v| v.volume.clone()).collect(),
            instance,
            template: draft.template.clone(),
            max_age: draft.max_age,
            rebase_after: draft.rebase_after,
            variables: draft.variables.clone(),
            file: draft.file.path.to_owned(),
        })
    }

    fn check_ami_name(&mut self, name: &str, draft: &ImageDraft<'a>, arch: Arch) {
        let Some(catalog) = &self.known.name else {
            return;
        };
        let run = RunId("r".repeat(LONGEST_RUN));
        let longest = ami_name(catalog, &ImageName::from(name), arch, LONGEST_VERSION, &run);
        if longest.len() > MAX_AMI_NAME {
            let over = longest.len() - MAX_AMI_NAME;
            Self::checker_for(self.diagnostics, draft)
                .error(
                    codes::AMI_NAME,
                    &(0..0),
                    format!("the name of the AMI could be {over} characters too long for EC2"),
                )
                .help(format!(
                    "shorten `{catalog}` and `{name}` by {over} characters in total"
                ));
        }
    }

    /// Returns the highest environment of the image: its own, else that of its parent, else the
    /// last.
    fn highest_environment(
        &mut self,
        draft: &ImageDraft<'a>,
        lineage: &Lineage<'_, 'a>,
    ) -> Option<EnvName> {
        let environments = self.known.environments.as_ref()?;
        let own = match &draft.environment {
            Some(text) => Some(find_environment(
                text,
                environments,
                &mut Self::checker_for(self.diagnostics, draft),
            )?),
            None => None,
        };
        let level = |text: &str| environments.iter().position(|e| e.as_str() == text);
        let limit = lineage
            .ancestors
            .iter()
            .filter_map(|(name, d)| {
                d.environment
                    .as_ref()
                    .and_then(|e| Some((level(&e.value)?, e, *name, *d)))
            })
            .min_by_key(|(level, ..)| *level);
        match (own, limit) {
            (Some(own), Some((lowest, text, name, parent)))
                if level(own.as_str()) > Some(lowest) =>
            {
                let span = parent.file.span(text.span.clone());
                let name = published_name(name);
                let own_range = draft.environment.as_ref().map_or(0..0, |e| e.span.clone());
                let message = format!(
                    "the environment `{own}` is above `{}`, the highest environment of `{name}`",
                    text.value
                );
                Self::checker_for(self.diagnostics, draft)
                    .error(codes::ENVIRONMENT_ORDER, &own_range, message)
                    .help(format!(
                        "use `{}` or lower here, or a higher environment in `{name}`",
                        text.value
                    ))
                    .add_related(span, "the limit");
                None
            }
            (Some(own), _) => Some(own),
            (None, Some((lowest, ..))) => environments.get(lowest).cloned(),
            (None, None) => environments.last().cloned(),
        }
    }

    /// Returns the controls of the image. Resolves each ancestor once.
    fn controls_of(
        &mut self,
        name: &str,
        draft: &ImageDraft<'a>,
        lineage: &Lineage<'_, 'a>,
    ) -> Arc<ImageControls> {
        let mut inherited: Option<Arc<ImageControls>> = None;
        for (image, draft) in lineage
            .ancestors
            .iter()
            .copied()
            .rev()
            .chain([(name, draft)])
        {
            let controls = match self.states.get(image) {
                Some(known) => Arc::clone(known),
                None => Arc::new(self.sources.resolve(
                    published_name(image),
                    draft,
                    inherited.as_deref(),
                    self.diagnostics,
                )),
            };
            self.states.insert(image.to_owned(), Arc::clone(&controls));
            inherited = Some(controls);
        }
        inherited.unwrap_or_default()
    }
}

/// Reports an architecture that the parent does not have.
fn check_arch(
    draft: &ImageDraft<'_>,
    arch: Arch,
    lineage: &Lineage<'_, '_>,
    checker: &mut Checker<'_, '_>,
) {
    let (Some(own), Some((parent, _))) = (&draft.arch, lineage.ancestors.first()) else {
        return;
    };
    if own.value != arch {
        let message = format!(
            "the parent `{}` is not built for {}",
            published_name(parent),
            own.value
        );
        checker
            .error(codes::INHERITED, &own.span, message)
            .help(format!(
                "remove `arch` to inherit it, or build the parent for {}: see `arch` of its ancestors",
                own.value
            ));
    }
}

/// Ancestors of an image, nearest first.
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
