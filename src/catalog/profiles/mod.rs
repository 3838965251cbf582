//! Owns profiles: each file by itself, then with everything that it extends in it.

pub(crate) mod controls;
pub(crate) mod overrides;
pub(crate) mod profile;
pub(crate) mod waivers;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::checks::{ControlIds, ImageControl, ParsedCheck, parse_checks, parse_inputs};
use crate::catalog::codes;
use crate::catalog::profiles::overrides::{InputValues, Overrides, ProfileUse, parse_profile_uses};
use crate::catalog::types::Profile;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::checks::{Input, Problem};
use crate::diagnostic::nearest;

/// The longest chain of profiles that extend each other.
const LONGEST_CHAIN: usize = 32;

/// A profile's file.
pub(crate) struct ProfileFile<'a> {
    pub(crate) source: SourceFile<'a>,
    /// What it says about itself.
    pub(crate) about: Profile,
    pub(crate) extends: Vec<ProfileUse>,
    pub(crate) inputs: Option<Node>,
    pub(crate) checks: Vec<Node>,
    pub(crate) changes: Overrides,
}

/// A profile with everything that it extends in it.
#[derive(Clone)]
pub(crate) struct ResolvedProfile {
    /// With the inputs of all of it.
    pub(crate) about: Profile,
    pub(crate) checks: Vec<ParsedCheck>,
}

impl<'a> ProfileFile<'a> {
    /// Takes apart what `raw` leaves in a file.
    pub(crate) fn take(
        source: SourceFile<'a>,
        about: Profile,
        file: &mut Node,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let extends = parse_profile_uses(
            file.take("extends").as_ref(),
            &mut Checker {
                source,
                diagnostics,
            },
        );
        let inputs = file.take("inputs");
        let checks = ["checks", "controls"]
            .iter()
            .filter_map(|key| file.take(key))
            .collect();
        Self {
            source,
            about,
            extends,
            inputs,
            checks,
            changes: Overrides::take(file),
        }
    }
}

/// Every profile that makes sense; `all` are the names of profiles whose files exist.
pub(crate) fn flatten(
    written: &BTreeMap<String, ProfileFile<'_>>,
    all: &[String],
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, ResolvedProfile> {
    let mut flattener = ProfileResolver {
        written,
        all,
        done: BTreeMap::new(),
        diagnostics,
    };
    for name in written.keys() {
        flattener.visit(name, &mut Vec::new());
    }
    flattener
        .done
        .into_iter()
        .filter_map(|(name, flat)| Some((name, flat?)))
        .collect()
}

struct ProfileResolver<'w, 'a, 's> {
    written: &'w BTreeMap<String, ProfileFile<'a>>,
    all: &'w [String],
    done: BTreeMap<String, Option<ResolvedProfile>>,
    diagnostics: &'s mut Diagnostics,
}

impl<'w> ProfileResolver<'w, '_, '_> {
    /// A profile; none where it, or what it extends, is broken. `path` is the way to it.
    fn visit(&mut self, name: &'w str, path: &mut Vec<&'w str>) -> Option<ResolvedProfile> {
        if let Some(known) = self.done.get(name) {
            return known.clone();
        }
        let written = self.written.get(name)?;
        path.push(name);
        let mut parts = Some(Vec::new());
        for used in &written.extends {
            let part = self.extended(written, used, path);
            parts = parts.zip(part).map(|(mut parts, part)| {
                parts.push(part);
                parts
            });
        }
        path.pop();
        let flat = parts.map(|parts| self.joined(name, written, parts));
        self.done.insert(name.to_owned(), flat.clone());
        flat
    }

    /// One profile that another extends, with the values that it gives.
    fn extended(
        &mut self,
        by: &ProfileFile<'_>,
        used: &'w ProfileUse,
        path: &mut Vec<&'w str>,
    ) -> Option<ResolvedProfile> {
        let name = used.name.value.as_str();
        let span = by.source.span(used.name.span.clone());
        if let Some(at) = path.iter().position(|p| *p == name) {
            let ring = path[at..]
                .iter()
                .chain([&name])
                .copied()
                .collect::<Vec<_>>()
                .join(" -> ");
            let first = self.written.get(name).and_then(|w| {
                Some((
                    w,
                    w.extends
                        .iter()
                        .find(|u| path.get(at + 1) == Some(&u.name.value.as_str()))?,
                ))
            });
            let error = self.diagnostics.error(
                codes::EXTENDS,
                span,
                format!("profiles extend each other: {ring}"),
            );
            let error = error.help("one of them must do without another");
            if let Some((first, used)) = first {
                error.related(
                    first.source.span(used.name.span.clone()),
                    "the cycle begins here",
                );
            }
            return None;
        }
        if path.len() > LONGEST_CHAIN {
            let message = format!("more than {LONGEST_CHAIN} profiles extend each other in a row");
            self.diagnostics
                .error(codes::EXTENDS, span, message)
                .help("extend fewer, or several at once");
            return None;
        }
        if !self.written.contains_key(name) {
            report_unknown_profile(name, span, self.all, self.diagnostics);
            return None;
        }
        let mut flat = self.visit(name, path)?;
        let given = InputValues {
            values: &used.inputs,
            source: by.source,
        };
        given.declared(&flat.about.inputs, self.diagnostics);
        given.give(&mut flat.about.inputs, self.diagnostics);
        given.apply_to_checks(&mut flat.checks, self.diagnostics);
        Some(flat)
    }

    /// A profile of its parts and its own checks, with its changes.
    fn joined(
        &mut self,
        name: &str,
        written: &ProfileFile<'_>,
        parts: Vec<ResolvedProfile>,
    ) -> ResolvedProfile {
        let mut checker = Checker {
            source: written.source,
            diagnostics: self.diagnostics,
        };
        let mut inputs = BTreeMap::<String, Input>::new();
        let mut checks: Vec<ParsedCheck> = Vec::new();
        let mut spans = HashMap::new();
        for part in parts {
            inputs.extend(part.about.inputs);
            for placed in part.checks {
                let at = *spans.entry(placed.span.clone()).or_insert(checks.len());
                match checks.get(at) {
                    None => checks.push(placed),
                    Some(known) if alike(known, &placed) => {}
                    Some(known) => {
                        let message = "two of the profiles that it extends bring this check, and differ in it";
                        checker
                            .error(codes::EXTENDS, &(0..0), message)
                            .help("extend only one of them, or `override` it here")
                            .related(known.span.clone(), "the check");
                    }
                }
            }
        }
        for (input, declared) in parse_inputs(written.inputs.as_ref(), &mut checker) {
            if inputs.contains_key(&input) {
                let keys = written
                    .inputs
                    .iter()
                    .flat_map(Node::entries)
                    .map(|(key, _)| key);
                let span = keys
                    .filter(|key| key.text == input)
                    .map(|key| key.span.clone())
                    .next_back()
                    .unwrap_or(0..0);
                let message = format!(
                    "the input `{}` is one of a profile that this one extends",
                    shown(&input)
                );
                let help = "give it a value there: `extends: [{name: …, inputs: {…}}]`, or choose another name";
                checker.error(codes::INPUT, &span, message).help(help);
            }
            inputs.insert(input, declared);
        }
        let scope = Arc::new(inputs.clone());
        let mut own = ControlIds::default();
        for list in &written.checks {
            checks.extend(parse_checks(Some(list), &scope, &mut own, &mut checker));
        }
        let (owner, image): (Arc<str>, Arc<str>) = (name.into(), "".into());
        let mut ids = ControlIds::default();
        let mut entries = Vec::new();
        for placed in &checks {
            let inherited = placed.span.file != written.source.file;
            match ids.add(placed, name, "of this profile", checker.diagnostics) {
                Ok(control) => {
                    entries.push(Arc::new(ImageControl::new(placed, control, &owner, &image)))
                }
                Err(problems) if inherited => {
                    report_invalid_checks(problems, placed, &written.extends, &mut checker)
                }
                Err(_) => {}
            }
        }
        let sound = entries.len() == checks.len();
        written.changes.apply(&mut entries, sound, &mut checker);
        let checks = entries.iter().map(|entry| entry.placed.clone()).collect();
        ResolvedProfile {
            about: Profile {
                inputs,
                ..written.about.clone()
            },
            checks,
        }
    }
}

/// Reports checks of a profile that make no sense with the inputs that it was given, where it was given them.
pub(crate) fn report_invalid_checks(
    problems: Vec<Problem>,
    placed: &ParsedCheck,
    profile_uses: &[ProfileUse],
    checker: &mut Checker<'_, '_>,
) {
    let given = profile_uses
        .iter()
        .find(|used| !used.inputs.is_empty())
        .or(profile_uses.first());
    let Some(used) = given else { return };
    for problem in problems {
        let message = format!(
            "with these inputs, a check makes no sense: {}",
            problem.message
        );
        checker
            .error(codes::INPUT, &used.name.span, message)
            .help_if_known(problem.help)
            .related(placed.span.clone(), "the check");
    }
}

/// Whether one check came by two ways without a difference.
fn alike(one: &ParsedCheck, other: &ParsedCheck) -> bool {
    one.raw == other.raw && one.inputs == other.inputs && one.disabled == other.disabled
}

/// Reports a profile that does not exist.
pub(crate) fn report_unknown_profile(
    name: &str,
    span: crate::diagnostic::Span,
    all: &[String],
    diagnostics: &mut Diagnostics,
) {
    if all.iter().any(|known| known == name) {
        return;
    }
    let help = match nearest(name, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add profiles/{}.yaml", shown(name)),
    };
    diagnostics
        .error(
            codes::UNKNOWN_PROFILE,
            span,
            format!("there is no profile `{}`", shown(name)),
        )
        .help(help);
}

/// What a profile says about itself, as far as it is right.
pub(crate) fn about(
    name: &str,
    raw: &crate::catalog::raw::RawProfile,
    c: &mut Checker<'_, '_>,
) -> Profile {
    let mut line = |what: &str, text: &Option<crate::catalog::raw::Text>| {
        text.as_ref()
            .and_then(|text| c.line(what, text, crate::catalog::defaults::MAX_DESCRIPTION))
    };
    Profile {
        name: name.to_owned(),
        title: line("a title", &raw.title),
        version: line("a version", &raw.version),
        summary: line("a summary", &raw.summary),
        license: line("a licence", &raw.license),
        maintainer: line("a maintainer", &raw.maintainer),
        sha256: String::new(),
        file: c.source.file.to_owned(),
        inputs: BTreeMap::new(),
    }
}
