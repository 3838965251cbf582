//! Resolves the controls of an image: those of its parent, its own, and its overrides and waivers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::checks::{ControlIds, ImageControl, is_same_control};
use crate::catalog::codes;
use crate::catalog::image::draft::ImageDraft;
use crate::catalog::profiles::overrides::{InputValues, ProfileUse, report_unknown_control};
use crate::catalog::profiles::waivers::WaiverEntry;
use crate::catalog::profiles::{ResolvedProfile, report_invalid_checks};
use crate::catalog::types::Profile;
use crate::catalog::yaml::source::Diagnostics;
use crate::checks::{Control, Problem};
use crate::model::published_name;

/// Controls and profiles of an image and its ancestors.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageControls {
    pub(crate) entries: Vec<Arc<ImageControl>>,
    pub(crate) profiles: Vec<Arc<Profile>>,
    /// False if a parent or profile failed to parse.
    pub(crate) is_complete: bool,
}

/// Sources of the controls of all images.
pub(crate) struct ControlSources<'a, 'd> {
    /// Valid profiles by name.
    pub(crate) profiles: &'d BTreeMap<String, ResolvedProfile>,
    /// Waivers of `waivers.yaml`.
    pub(crate) waivers: &'d [WaiverEntry<'a>],
}

impl<'a> ControlSources<'a, '_> {
    /// Returns the controls of an image. `inherited` is `None` if the parent is invalid.
    pub(crate) fn resolve(
        &self,
        name: &str,
        draft: &ImageDraft<'a>,
        inherited: Option<&ImageControls>,
        diagnostics: &mut Diagnostics,
    ) -> ImageControls {
        let is_orphan = draft.parent.is_some() && inherited.is_none();
        let mut controls = inherited.cloned().unwrap_or(ImageControls {
            is_complete: !is_orphan,
            ..ImageControls::default()
        });
        let adds_controls = !draft.profiles.is_empty() || !draft.checks.is_empty();
        let inherited_ids = if adds_controls {
            index_by_id(&controls.entries)
        } else {
            HashMap::new()
        };
        let mut collector = ControlCollector {
            name,
            image: name.into(),
            inherited_ids,
            ids: ControlIds::default(),
            own: Vec::new(),
            diagnostics,
        };
        for used in &draft.profiles {
            self.add_profile(used, draft, &mut controls, &mut collector);
        }
        self.add_own_checks(name, draft, &mut controls, &mut collector);
        controls.entries.append(&mut collector.own);
        let mut checker = Checker {
            source: draft.file,
            diagnostics,
        };
        draft
            .overrides
            .apply(&mut controls.entries, controls.is_complete, &mut checker);
        self.apply_waivers(name, draft, &mut controls, diagnostics);
        controls
    }

    /// Adds a profile, or sets inputs of a profile that the parent has already.
    fn add_profile(
        &self,
        used: &ProfileUse,
        draft: &ImageDraft<'a>,
        controls: &mut ImageControls,
        collector: &mut ControlCollector<'_, '_>,
    ) {
        let input_values = InputValues {
            values: &used.inputs,
            source: draft.file,
        };
        let at = controls
            .profiles
            .iter()
            .position(|p| p.name == used.name.value);
        let Some(profile) = self.profiles.get(&used.name.value) else {
            controls.is_complete = false;
            return;
        };
        if let Some(at) = at {
            input_values
                .report_undeclared_inputs(&controls.profiles[at].inputs, collector.diagnostics);
            let mut metadata = (*controls.profiles[at]).clone();
            input_values.apply_to_inputs(&mut metadata.inputs, collector.diagnostics);
            controls.profiles[at] = Arc::new(metadata);
            update_inherited_inputs(
                input_values,
                used,
                draft,
                &mut controls.entries,
                collector.diagnostics,
            );
            return;
        }
        let mut profile = profile.clone();
        input_values.report_undeclared_inputs(&profile.metadata.inputs, collector.diagnostics);
        input_values.apply_to_inputs(&mut profile.metadata.inputs, collector.diagnostics);
        input_values.apply_to_checks(&mut profile.checks, collector.diagnostics);
        let is_set = |name: &String| used.inputs.iter().any(|(key, _)| key.text == *name);
        let empty = profile
            .metadata
            .inputs
            .iter()
            .filter(|(_, i)| i.rules.required && i.choices.is_empty());
        for (input, _) in empty.filter(|(name, _)| !is_set(name)) {
            let message = format!(
                "the input `{input}` of the profile `{}` has no value",
                used.name.value
            );
            let span = draft.file.span(used.name.span.clone());
            let help = format!(
                "set it: `{{name: {}, inputs: {{{input}: …}}}}`",
                used.name.value
            );
            collector
                .diagnostics
                .error(codes::INPUT, span, message)
                .help(help);
        }
        let owner: Arc<str> = used.name.value.as_str().into();
        for check in &profile.checks {
            if let Err(problems) = collector.add_check(check, &owner, &controls.entries) {
                let mut checker = Checker {
                    source: draft.file,
                    diagnostics: collector.diagnostics,
                };
                report_invalid_checks(problems, check, std::slice::from_ref(used), &mut checker);
            }
        }
        controls.profiles.push(Arc::new(profile.metadata));
    }

    /// Adds the checks of the image file.
    fn add_own_checks(
        &self,
        name: &str,
        draft: &ImageDraft<'a>,
        controls: &mut ImageControls,
        collector: &mut ControlCollector<'_, '_>,
    ) {
        if draft.checks.is_empty() {
            return;
        }
        let name_is_taken = self.profiles.contains_key(name);
        let owner: Arc<str> = if name_is_taken {
            format!("{name}.image").into()
        } else {
            name.into()
        };
        let count_before = collector.own.len();
        for check in &draft.checks {
            // The problems of the check are already reported for its file.
            let _reported = collector.add_check(check, &owner, &controls.entries);
        }
        if collector.own.len() > count_before {
            let title = Some(draft.description.clone()).filter(|text| !text.is_empty());
            controls.profiles.push(Arc::new(Profile {
                name: owner.to_string(),
                title,
                version: None,
                summary: None,
                license: None,
                maintainer: None,
                sha256: String::new(),
                file: draft.file.path.to_owned(),
                inputs: BTreeMap::new(),
            }));
        }
    }

    /// Applies the waivers. The most specific waiver applies.
    fn apply_waivers(
        &self,
        name: &str,
        draft: &ImageDraft<'a>,
        controls: &mut ImageControls,
        diagnostics: &mut Diagnostics,
    ) {
        if self.waivers.is_empty() && draft.waivers.is_empty() {
            return;
        }
        let index: BTreeMap<String, usize> = index_by_id(&controls.entries).into_iter().collect();
        let names_image = |w: &WaiverEntry<'_>| w.images.iter().any(|image| image.value == name);
        let general = self
            .waivers
            .iter()
            .filter(|w| w.images.is_empty())
            .map(|w| (1, w));
        let specific = self
            .waivers
            .iter()
            .filter(|w| names_image(w))
            .map(|w| (2, w));
        for (rank, waived) in general
            .chain(specific)
            .chain(draft.waivers.iter().map(|w| (3, w)))
        {
            match index.get(&waived.control.value) {
                Some(at)
                    if rank > 1 && rank >= controls.entries[*at].waiver_rank
                        || controls.entries[*at].waiver_rank == 0 =>
                {
                    controls.entries[*at] =
                        Arc::new(controls.entries[*at].with_waiver(&waived.waiver, rank));
                }
                Some(_) => {}
                None if rank == 1 || !controls.is_complete => {}
                None if rank == 2 && draft.is_split => {} // see `report_unused_waivers`
                None => {
                    let span = waived.source.span(waived.control.span.clone());
                    report_unknown_control(&waived.control.value, span, index.keys(), diagnostics);
                }
            }
        }
    }
}

/// Returns the index of each control by ID.
fn index_by_id(entries: &[Arc<ImageControl>]) -> HashMap<String, usize> {
    entries
        .iter()
        .enumerate()
        .map(|(at, entry)| (entry.control.id.clone(), at))
        .collect()
}

/// Sets the inputs of inherited controls of a profile.
fn update_inherited_inputs(
    input_values: InputValues<'_, '_>,
    used: &ProfileUse,
    draft: &ImageDraft<'_>,
    entries: &mut [Arc<ImageControl>],
    diagnostics: &mut Diagnostics,
) {
    let indices: Vec<usize> = (0..entries.len())
        .filter(|at| *entries[*at].owner == *used.name.value)
        .collect();
    let mut checks: Vec<_> = indices
        .iter()
        .map(|at| entries[*at].check.clone())
        .collect();
    input_values.apply_to_checks(&mut checks, diagnostics);
    for (at, check) in indices.into_iter().zip(checks) {
        if Arc::ptr_eq(&check.inputs, &entries[at].check.inputs) {
            continue;
        }
        let known = check.clone();
        match entries[at].with_check(check) {
            Ok(entry) if is_same_control(&entry.control, &entries[at].control) => {}
            Ok(entry) => entries[at] = Arc::new(entry),
            Err(problems) => {
                let mut checker = Checker {
                    source: draft.file,
                    diagnostics,
                };
                report_invalid_checks(problems, &known, std::slice::from_ref(used), &mut checker);
            }
        }
    }
}

/// Collector of the controls that an image adds to those of its ancestors.
struct ControlCollector<'n, 's> {
    name: &'n str,
    image: Arc<str>,
    /// Indices of the inherited controls by ID.
    inherited_ids: HashMap<String, usize>,
    ids: ControlIds,
    own: Vec<Arc<ImageControl>>,
    diagnostics: &'s mut Diagnostics,
}

impl ControlCollector<'_, '_> {
    /// Adds a check.
    ///
    /// Evidence needs unique IDs, so a second check with the same ID is an error. An identical
    /// check of an ancestor is allowed.
    fn add_check(
        &mut self,
        check: &crate::catalog::checks::ParsedCheck,
        owner: &Arc<str>,
        inherited: &[Arc<ImageControl>],
    ) -> Result<(), Vec<Problem>> {
        let owner_name = format!("of the image `{}`", self.name);
        let control: Control = self.ids.add(check, owner, &owner_name, self.diagnostics)?;
        match self
            .inherited_ids
            .get(&control.id)
            .and_then(|at| inherited.get(*at))
        {
            Some(entry) if is_same_control(&entry.control, &control) => {}
            Some(entry) => {
                let message = format!(
                    "the check `{}` of `{}` has the ID of a different check of its ancestor `{}`",
                    quote_text(&control.id),
                    self.name,
                    entry.image
                );
                self.diagnostics
                    .error(codes::CHECK, check.span.clone(), message)
                    .help("set a unique `id` to run both checks")
                    .add_related(entry.check.span.clone(), "the check of the ancestor");
            }
            None => self.own.push(Arc::new(ImageControl::new(
                check,
                control,
                owner,
                &self.image,
            ))),
        }
        Ok(())
    }
}

/// Reports waivers of unknown images and of controls that no image has.
pub(crate) fn report_unused_waivers(
    waivers: &[WaiverEntry<'_>],
    states: &BTreeMap<String, Arc<ImageControls>>,
    images: &BTreeSet<&str>,
    diagnostics: &mut Diagnostics,
) {
    let known: BTreeSet<&str> = states.keys().map(|name| published_name(name)).collect();
    let is_complete = known == *images && states.values().all(|controls| controls.is_complete);
    for waived in waivers {
        for image in waived
            .images
            .iter()
            .filter(|image| !images.contains(image.value.as_str()))
        {
            let help = match crate::diagnostic::nearest(&image.value, images.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use images of this catalog".to_owned(),
            };
            let span = waived.source.span(image.span.clone());
            diagnostics
                .error(
                    codes::WAIVER,
                    span,
                    format!("the image `{}` does not exist", quote_text(&image.value)),
                )
                .help(help);
        }
        if is_complete {
            report_missing_in_architectures(waived, states, diagnostics);
        }
        let has = |controls: &ImageControls| {
            controls
                .entries
                .iter()
                .any(|entry| entry.control.id == waived.control.value)
        };
        if waived.images.is_empty() && is_complete && !states.values().any(|controls| has(controls))
        {
            let ids: BTreeSet<&String> = states
                .values()
                .flat_map(|s| &s.entries)
                .map(|e| &e.control.id)
                .collect();
            let span = waived.source.span(waived.control.span.clone());
            report_unknown_control(&waived.control.value, span, ids.into_iter(), diagnostics);
        }
    }
}

/// Reports a waiver whose control no architecture of an image has.
fn report_missing_in_architectures(
    waived: &WaiverEntry<'_>,
    states: &BTreeMap<String, Arc<ImageControls>>,
    diagnostics: &mut Diagnostics,
) {
    for image in &waived.images {
        let is_part = |name: &str| name != image.value && published_name(name) == image.value;
        let split = states.iter().filter(|(name, _)| is_part(name));
        let entries = split.flat_map(|(_, c)| &c.entries);
        let ids: BTreeSet<&String> = entries.map(|entry| &entry.control.id).collect();
        if !ids.is_empty() && !ids.contains(&waived.control.value) {
            let span = waived.source.span(waived.control.span.clone());
            report_unknown_control(&waived.control.value, span, ids.into_iter(), diagnostics);
        }
    }
}
