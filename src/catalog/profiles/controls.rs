//! Owns the controls of an image: those of its parent, those that it adds, and what it changes about any of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::checks::{ControlIds, ImageControl, same};
use crate::catalog::codes;
use crate::catalog::image::ImageDraft;
use crate::catalog::profiles::overrides::{InputValues, ProfileUse, unknown};
use crate::catalog::profiles::waivers::WaiverEntry;
use crate::catalog::profiles::{ResolvedProfile, report_invalid_checks};
use crate::catalog::types::Profile;
use crate::catalog::yaml::source::Diagnostics;
use crate::checks::{Control, Problem};

/// What an image and its ancestors are checked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageControls {
    pub(crate) entries: Vec<Arc<ImageControl>>,
    pub(crate) profiles: Vec<Arc<Profile>>,
    /// Whether everything is known that it should have: nothing that it is made of is broken.
    pub(crate) whole: bool,
}

/// What the controls of all images are made of.
pub(crate) struct ControlSources<'a, 'd> {
    /// Profiles that make sense.
    pub(crate) profiles: &'d BTreeMap<String, ResolvedProfile>,
    /// The waivers of the whole catalog.
    pub(crate) waivers: &'d [WaiverEntry<'a>],
}

impl<'a> ControlSources<'a, '_> {
    /// An image's controls on top of its parent's; `above` is none where the parent is broken.
    pub(crate) fn state(
        &self,
        name: &str,
        draft: &ImageDraft<'a>,
        above: Option<&ImageControls>,
        diagnostics: &mut Diagnostics,
    ) -> ImageControls {
        let orphan = draft.parent.is_some() && above.is_none();
        let mut state = above.cloned().unwrap_or(ImageControls {
            whole: !orphan,
            ..ImageControls::default()
        });
        let adds = !draft.profiles.is_empty() || !draft.checks.is_empty();
        let inherited = if adds {
            spans(&state.entries)
        } else {
            HashMap::new()
        };
        let mut adding = ControlCollector {
            name,
            image: name.into(),
            inherited,
            ids: ControlIds::default(),
            own: Vec::new(),
            diagnostics,
        };
        for used in &draft.profiles {
            self.profile_uses(used, draft, &mut state, &mut adding);
        }
        self.own(name, draft, &mut state, &mut adding);
        state.entries.append(&mut adding.own);
        let mut checker = Checker {
            source: draft.origin,
            diagnostics,
        };
        draft
            .changes
            .apply(&mut state.entries, state.whole, &mut checker);
        self.waive(name, draft, &mut state, diagnostics);
        state
    }

    /// A profile that the image names: a new one, or other values for the inputs of one that its parent has.
    fn profile_uses(
        &self,
        used: &ProfileUse,
        draft: &ImageDraft<'a>,
        state: &mut ImageControls,
        adding: &mut ControlCollector<'_, '_>,
    ) {
        let given = InputValues {
            values: &used.inputs,
            source: draft.origin,
        };
        let at = state
            .profiles
            .iter()
            .position(|p| p.name == used.name.value);
        let Some(flat) = self.profiles.get(&used.name.value) else {
            state.whole = false;
            return;
        };
        if let Some(at) = at {
            given.declared(&state.profiles[at].inputs, adding.diagnostics);
            let mut about = (*state.profiles[at]).clone();
            given.give(&mut about.inputs, adding.diagnostics);
            state.profiles[at] = Arc::new(about);
            update_inherited_inputs(given, used, draft, &mut state.entries, adding.diagnostics);
            return;
        }
        let mut flat = flat.clone();
        given.declared(&flat.about.inputs, adding.diagnostics);
        given.give(&mut flat.about.inputs, adding.diagnostics);
        given.apply_to_checks(&mut flat.checks, adding.diagnostics);
        let given = |name: &String| used.inputs.iter().any(|(key, _)| key.text == *name);
        let empty = flat
            .about
            .inputs
            .iter()
            .filter(|(_, i)| i.rules.required && i.choices.is_empty());
        for (input, _) in empty.filter(|(name, _)| !given(name)) {
            let message = format!(
                "the profile `{}` needs a value for its input `{input}`",
                used.name.value
            );
            let span = draft.origin.span(used.name.span.clone());
            let help = format!(
                "name it as `{{name: {}, inputs: {{{input}: …}}}}`",
                used.name.value
            );
            adding
                .diagnostics
                .error(codes::INPUT, span, message)
                .help(help);
        }
        let owner: Arc<str> = used.name.value.as_str().into();
        for placed in &flat.checks {
            if let Err(problems) = adding.add(placed, &owner, &state.entries) {
                let mut checker = Checker {
                    source: draft.origin,
                    diagnostics: adding.diagnostics,
                };
                report_invalid_checks(problems, placed, std::slice::from_ref(used), &mut checker);
            }
        }
        state.profiles.push(Arc::new(flat.about));
    }

    /// The checks of the image's own file.
    fn own(
        &self,
        name: &str,
        draft: &ImageDraft<'a>,
        state: &mut ImageControls,
        adding: &mut ControlCollector<'_, '_>,
    ) {
        if draft.checks.is_empty() {
            return;
        }
        let clash = self.profiles.contains_key(name);
        let owner: Arc<str> = if clash {
            format!("{name}.image").into()
        } else {
            name.into()
        };
        let before = adding.own.len();
        for placed in &draft.checks {
            // What is wrong with it has been said where its file was read.
            drop(adding.add(placed, &owner, &state.entries));
        }
        if adding.own.len() > before {
            let title = Some(draft.description.clone()).filter(|text| !text.is_empty());
            state.profiles.push(Arc::new(Profile {
                name: owner.to_string(),
                title,
                version: None,
                summary: None,
                license: None,
                maintainer: None,
                sha256: String::new(),
                file: draft.origin.file.to_owned(),
                inputs: BTreeMap::new(),
            }));
        }
    }

    /// Waivers: what is said closest to an image counts.
    fn waive(
        &self,
        name: &str,
        draft: &ImageDraft<'a>,
        state: &mut ImageControls,
        diagnostics: &mut Diagnostics,
    ) {
        if self.waivers.is_empty() && draft.waivers.is_empty() {
            return;
        }
        let index: BTreeMap<String, usize> = spans(&state.entries).into_iter().collect();
        let named = |w: &WaiverEntry<'_>| w.images.iter().any(|image| image.value == name);
        let general = self
            .waivers
            .iter()
            .filter(|w| w.images.is_empty())
            .map(|w| (1, w));
        let for_it = self.waivers.iter().filter(|w| named(w)).map(|w| (2, w));
        for (rank, waived) in general
            .chain(for_it)
            .chain(draft.waivers.iter().map(|w| (3, w)))
        {
            match index.get(&waived.control.value) {
                Some(at)
                    if rank > 1 && rank >= state.entries[*at].rank
                        || state.entries[*at].rank == 0 =>
                {
                    state.entries[*at] = Arc::new(state.entries[*at].waived(&waived.waiver, rank));
                }
                Some(_) => {}
                None if rank == 1 || !state.whole => {}
                None => {
                    let span = waived.source.span(waived.control.span.clone());
                    unknown(&waived.control.value, span, index.keys(), diagnostics);
                }
            }
        }
    }
}

/// Where each id is.
fn spans(entries: &[Arc<ImageControl>]) -> HashMap<String, usize> {
    entries
        .iter()
        .enumerate()
        .map(|(at, entry)| (entry.control.id.clone(), at))
        .collect()
}

/// Gives inherited controls of a profile other values.
fn update_inherited_inputs(
    given: InputValues<'_, '_>,
    used: &ProfileUse,
    draft: &ImageDraft<'_>,
    entries: &mut [Arc<ImageControl>],
    diagnostics: &mut Diagnostics,
) {
    let of_it: Vec<usize> = (0..entries.len())
        .filter(|at| *entries[*at].owner == *used.name.value)
        .collect();
    let mut checks: Vec<_> = of_it.iter().map(|at| entries[*at].placed.clone()).collect();
    given.apply_to_checks(&mut checks, diagnostics);
    for (at, placed) in of_it.into_iter().zip(checks) {
        if Arc::ptr_eq(&placed.inputs, &entries[at].placed.inputs) {
            continue;
        }
        let known = placed.clone();
        match entries[at].changed(placed) {
            Ok(entry) if same(&entry.control, &entries[at].control) => {}
            Ok(entry) => entries[at] = Arc::new(entry),
            Err(problems) => {
                let mut checker = Checker {
                    source: draft.origin,
                    diagnostics,
                };
                report_invalid_checks(problems, &known, std::slice::from_ref(used), &mut checker);
            }
        }
    }
}

/// The controls that an image adds to those of its ancestors.
struct ControlCollector<'n, 's> {
    name: &'n str,
    image: Arc<str>,
    /// Where among its ancestors' controls each id is.
    inherited: HashMap<String, usize>,
    ids: ControlIds,
    own: Vec<Arc<ImageControl>>,
    diagnostics: &'s mut Diagnostics,
}

impl ControlCollector<'_, '_> {
    /// Two checks with one id would make evidence ambiguous: the second is reported, unless it says just what an
    /// ancestor's does, which the image must pass anyway.
    fn add(
        &mut self,
        placed: &crate::catalog::checks::ParsedCheck,
        owner: &Arc<str>,
        inherited: &[Arc<ImageControl>],
    ) -> Result<(), Vec<Problem>> {
        let whose = format!("of the image `{}`", self.name);
        let control: Control = self.ids.add(placed, owner, &whose, self.diagnostics)?;
        match self
            .inherited
            .get(&control.id)
            .and_then(|at| inherited.get(*at))
        {
            Some(entry) if same(&entry.control, &control) => {}
            Some(entry) => {
                let message = format!(
                    "the check `{}` of `{}` has the id of another one of its ancestor `{}`",
                    shown(&control.id),
                    self.name,
                    entry.image
                );
                self.diagnostics
                    .error(codes::CHECK, placed.span.clone(), message)
                    .help("give it an `id` of its own: both are judged")
                    .related(entry.placed.span.clone(), "the ancestor's check");
            }
            None => self.own.push(Arc::new(ImageControl::new(
                placed,
                control,
                owner,
                &self.image,
            ))),
        }
        Ok(())
    }
}

/// Reports waivers of the whole catalog that waive nothing: of images that don't exist, and of controls that none has.
pub(crate) fn report_unused_waivers(
    waivers: &[WaiverEntry<'_>],
    states: &BTreeMap<String, Arc<ImageControls>>,
    images: &BTreeSet<&str>,
    diagnostics: &mut Diagnostics,
) {
    let whole = states.len() == images.len() && states.values().all(|state| state.whole);
    for waived in waivers {
        for image in waived
            .images
            .iter()
            .filter(|image| !images.contains(image.value.as_str()))
        {
            let help = match crate::diagnostic::nearest(&image.value, images.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name images of this catalog".to_owned(),
            };
            let span = waived.source.span(image.span.clone());
            diagnostics
                .error(
                    codes::WAIVER,
                    span,
                    format!("there is no image `{}`", shown(&image.value)),
                )
                .help(help);
        }
        let has = |state: &ImageControls| {
            state
                .entries
                .iter()
                .any(|entry| entry.control.id == waived.control.value)
        };
        if waived.images.is_empty() && whole && !states.values().any(|state| has(state)) {
            let ids: BTreeSet<&String> = states
                .values()
                .flat_map(|s| &s.entries)
                .map(|e| &e.control.id)
                .collect();
            let span = waived.source.span(waived.control.span.clone());
            unknown(&waived.control.value, span, ids.into_iter(), diagnostics);
        }
    }
}
