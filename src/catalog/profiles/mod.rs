//! Parses profiles and resolves their `extends`.

pub(crate) mod controls;
pub(crate) mod overrides;
pub(crate) mod waivers;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::checks::{ControlIds, ImageControl, ParsedCheck, parse_checks, parse_inputs};
use crate::catalog::codes;
use crate::catalog::profiles::overrides::{InputValues, Overrides, ProfileUse, parse_profile_uses};
use crate::catalog::types::Profile;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::checks::{Input, Problem};
use crate::diagnostic::nearest;

/// Length of the longest chain of `extends`.
const MAX_EXTENDS_DEPTH: usize = 32;

/// Content of the file of a profile.
pub(crate) struct ProfileFile<'a> {
    pub(crate) source: SourceFile<'a>,
    /// Metadata.
    pub(crate) metadata: Profile,
    pub(crate) extends: Vec<ProfileUse>,
    pub(crate) inputs: Option<Node>,
    pub(crate) checks: Vec<Node>,
    pub(crate) overrides: Overrides,
}

/// A profile that contains all checks of the profiles it extends.
#[derive(Clone)]
pub(crate) struct ResolvedProfile {
    /// Metadata, with the inputs of all extended profiles.
    pub(crate) metadata: Profile,
    pub(crate) checks: Vec<ParsedCheck>,
}

impl<'a> ProfileFile<'a> {
    /// Reads the keys whose entries are read one by one: `extends`, inputs, checks and overrides.
    /// `RawProfile` only defines their types.
    pub(crate) fn take(
        source: SourceFile<'a>,
        metadata: Profile,
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
            metadata,
            extends,
            inputs,
            checks,
            overrides: Overrides::take(file),
        }
    }
}

/// Returns the valid profiles. `all` contains the names of all profiles with a file.
pub(crate) fn resolve_profiles(
    files: &BTreeMap<String, ProfileFile<'_>>,
    all: &[String],
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, ResolvedProfile> {
    let mut resolver = ProfileResolver {
        files,
        all,
        done: BTreeMap::new(),
        diagnostics,
    };
    for name in files.keys() {
        resolver.resolve(name, &mut Vec::new());
    }
    resolver
        .done
        .into_iter()
        .filter_map(|(name, resolved)| Some((name, resolved?)))
        .collect()
}

struct ProfileResolver<'w, 'a, 's> {
    files: &'w BTreeMap<String, ProfileFile<'a>>,
    all: &'w [String],
    done: BTreeMap<String, Option<ResolvedProfile>>,
    diagnostics: &'s mut Diagnostics,
}

impl<'w> ProfileResolver<'w, '_, '_> {
    /// Returns a profile, or `None` if it or a profile that it extends is invalid. `path` is the
    /// chain of `extends`.
    fn resolve(&mut self, name: &'w str, path: &mut Vec<&'w str>) -> Option<ResolvedProfile> {
        if let Some(known) = self.done.get(name) {
            return known.clone();
        }
        let file = self.files.get(name)?;
        path.push(name);
        let mut parts = Some(Vec::new());
        for used in &file.extends {
            let part = self.resolve_extended_profile(file, used, path);
            parts = parts.zip(part).map(|(mut parts, part)| {
                parts.push(part);
                parts
            });
        }
        path.pop();
        let resolved = parts.map(|parts| self.merge(name, file, parts));
        self.done.insert(name.to_owned(), resolved.clone());
        resolved
    }

    /// Returns an extended profile with the input values of the profile that extends it.
    fn resolve_extended_profile(
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
            let first = self.files.get(name).and_then(|w| {
                Some((
                    w,
                    w.extends
                        .iter()
                        .find(|u| path.get(at + 1) == Some(&u.name.value.as_str()))?,
                ))
            });
            let error =
                self.diagnostics
                    .error(codes::EXTENDS, span, format!("cycle of profiles: {ring}"));
            let error = error.help("remove an entry of `extends`");
            if let Some((first, used)) = first {
                error.add_related(
                    first.source.span(used.name.span.clone()),
                    "the cycle starts here",
                );
            }
            return None;
        }
        if path.len() > MAX_EXTENDS_DEPTH {
            let message =
                format!("a chain of `extends` has more than {MAX_EXTENDS_DEPTH} profiles");
            self.diagnostics
                .error(codes::EXTENDS, span, message)
                .help("shorten the chain: let one profile extend several profiles directly");
            return None;
        }
        if !self.files.contains_key(name) {
            report_unknown_profile(name, span, self.all, self.diagnostics);
            return None;
        }
        let mut resolved = self.resolve(name, path)?;
        let input_values = InputValues {
            values: &used.inputs,
            source: by.source,
        };
        input_values.report_undeclared_inputs(&resolved.metadata.inputs, self.diagnostics);
        input_values.apply_to_inputs(&mut resolved.metadata.inputs, self.diagnostics);
        input_values.apply_to_checks(&mut resolved.checks, self.diagnostics);
        Some(resolved)
    }

    /// Merges the extended profiles with the checks of this profile, and applies its overrides.
    fn merge(
        &mut self,
        name: &str,
        file: &ProfileFile<'_>,
        parts: Vec<ResolvedProfile>,
    ) -> ResolvedProfile {
        let mut checker = Checker {
            source: file.source,
            diagnostics: self.diagnostics,
        };
        let (mut inputs, mut checks) = merge_extended_profiles(parts, &mut checker);
        declare_inputs(file, &mut inputs, &mut checker);
        let scope = Arc::new(inputs.clone());
        let mut own = ControlIds::default();
        for list in &file.checks {
            checks.extend(parse_checks(Some(list), &scope, &mut own, &mut checker));
        }
        let (owner, image): (Arc<str>, Arc<str>) = (name.into(), "".into());
        let mut ids = ControlIds::default();
        let mut entries = Vec::new();
        for check in &checks {
            let inherited = check.span.file != file.source.path;
            match ids.add(check, name, "of this profile", checker.diagnostics) {
                Ok(control) => {
                    entries.push(Arc::new(ImageControl::new(check, control, &owner, &image)))
                }
                Err(problems) if inherited => {
                    report_invalid_checks(problems, check, &file.extends, &mut checker)
                }
                Err(_) => {}
            }
        }
        let is_complete = entries.len() == checks.len();
        file.overrides
            .apply(&mut entries, is_complete, &mut checker);
        let checks = entries.iter().map(|entry| entry.check.clone()).collect();
        ResolvedProfile {
            metadata: Profile {
                inputs,
                ..file.metadata.clone()
            },
            checks,
        }
    }
}

/// Merges the inputs and checks of extended profiles. Reports conflicting versions of a check.
fn merge_extended_profiles(
    parts: Vec<ResolvedProfile>,
    checker: &mut Checker<'_, '_>,
) -> (BTreeMap<String, Input>, Vec<ParsedCheck>) {
    let mut inputs = BTreeMap::<String, Input>::new();
    let mut checks: Vec<ParsedCheck> = Vec::new();
    let mut indices = HashMap::new();
    for part in parts {
        inputs.extend(part.metadata.inputs);
        for check in part.checks {
            let index = *indices.entry(check.span.clone()).or_insert(checks.len());
            match checks.get(index) {
                None => checks.push(check),
                Some(known) if is_same_check(known, &check) => {}
                Some(known) => {
                    let message = "two extended profiles have different versions of a check";
                    checker
                        .error(codes::EXTENDS, &(0..0), message)
                        .help("extend only one of them, or `override` the control here")
                        .add_related(known.span.clone(), "the check");
                }
            }
        }
    }
    (inputs, checks)
}

/// Adds the inputs that a profile declares. Reports inputs that an extended profile declares already.
fn declare_inputs(
    file: &ProfileFile<'_>,
    inputs: &mut BTreeMap<String, Input>,
    checker: &mut Checker<'_, '_>,
) {
    for (input, declared) in parse_inputs(file.inputs.as_ref(), checker) {
        if inputs.contains_key(&input) {
            let range = file
                .inputs
                .iter()
                .flat_map(Node::entries)
                .map(|(key, _)| key)
                .filter(|key| key.text == input)
                .map(|key| key.span.clone())
                .next_back()
                .unwrap_or(0..0);
            let message = format!(
                "the input `{}` is already declared by an extended profile",
                quote_text(&input)
            );
            let help = "set its value: `extends: [{name: …, inputs: {…}}]`, or use another name";
            checker.error(codes::INPUT, &range, message).help(help);
        }
        inputs.insert(input, declared);
    }
}

/// Reports checks that are invalid with the given inputs, at the position of the inputs.
pub(crate) fn report_invalid_checks(
    problems: Vec<Problem>,
    check: &ParsedCheck,
    profile_uses: &[ProfileUse],
    checker: &mut Checker<'_, '_>,
) {
    let used = profile_uses
        .iter()
        .find(|used| !used.inputs.is_empty())
        .or(profile_uses.first());
    let Some(used) = used else { return };
    for problem in problems {
        let message = format!("invalid check with these inputs: {}", problem.message);
        checker
            .error(codes::INPUT, &used.name.span, message)
            .help_if_known(problem.help)
            .add_related(check.span.clone(), "the check");
    }
}

/// Returns true if two copies of a check are equal.
fn is_same_check(one: &ParsedCheck, other: &ParsedCheck) -> bool {
    one.raw == other.raw && one.inputs == other.inputs && one.disabled == other.disabled
}

/// Reports a profile without a file.
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
        None => format!("add profiles/{}.yaml", quote_text(name)),
    };
    diagnostics
        .error(
            codes::UNKNOWN_PROFILE,
            span,
            format!("the profile `{}` does not exist", quote_text(name)),
        )
        .help(help);
}

/// Returns the valid metadata of a profile.
pub(crate) fn parse_metadata(
    name: &str,
    raw: &crate::catalog::raw::RawProfile,
    checker: &mut Checker<'_, '_>,
) -> Profile {
    let mut line = |what: &str, text: &Option<crate::catalog::raw::Text>| {
        text.as_ref().and_then(|text| {
            checker.check_line(what, text, crate::catalog::defaults::MAX_DESCRIPTION)
        })
    };
    Profile {
        name: name.to_owned(),
        title: line("a title", &raw.title),
        version: line("a version", &raw.version),
        summary: line("a summary", &raw.summary),
        license: line("a license", &raw.license),
        maintainer: line("a maintainer", &raw.maintainer),
        sha256: String::new(),
        file: checker.source.path.to_owned(),
        inputs: BTreeMap::new(),
    }
}
