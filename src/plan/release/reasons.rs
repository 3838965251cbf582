//! Determines why an image is built or judged again. Each reason names the changed input.

use super::planner::ReleasePlanner;
use crate::catalog::{Image, Origin, format_duration};
use crate::checks::Phase;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, Manifest, State, Timestamp, count};
use crate::plan::change::{self, InputChange};
use crate::plan::fingerprint::Recipe;

/// Cause of a build or recheck. Verdict and base depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// No released version exists.
    First,
    /// The recipe changed.
    Recipe,
    /// A newer parent or source exists.
    Origin,
    /// The age, pending updates or the user require a build, but no input changed.
    Due,
    /// A control changed that only a build can judge.
    BuildChecks,
    /// Only controls changed that a boot can judge.
    Checks,
    /// Information that does not cause a build by itself.
    Note,
}

/// Cause with its description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) cause: Cause,
    pub(super) text: String,
}

/// Present inputs of an image: its recipe and its controls.
pub(super) struct CurrentInputs {
    pub(super) recipe: Recipe,
    pub(super) digest: String,
    pub(super) checks: String,
}

/// Maximum number of inputs that are listed.
const MAX_NAMED: usize = 6;

impl ReleasePlanner<'_> {
    /// Returns the reasons to build or judge the image again, most important first.
    pub(super) fn build_reasons(
        &self,
        image: &Image,
        last: Option<&Record<'_>>,
        now: &CurrentInputs,
    ) -> Vec<Reason> {
        let Some(last) = last else {
            let first = (Cause::First, "no earlier released version".to_owned());
            let note = self.deprecation_note(image).map(|n| (Cause::Note, n));
            let all = [Some(first), note].into_iter().flatten();
            return all.map(|(cause, text)| Reason { cause, text }).collect();
        };
        let manifest = self.matching_manifest(image, last);
        let mut out = Vec::new();
        let mut put = |cause, text: String| out.push(Reason { cause, text });
        if last.tag(tags::RECIPE) != now.digest {
            for text in self.recipe_changes(last, now, manifest) {
                put(Cause::Recipe, text);
            }
        }
        if let Some(text) = self.origin_change(image, last) {
            put(Cause::Origin, text);
        }
        for text in self
            .age_reason(image, last)
            .into_iter()
            .chain(self.update_reason(image, last))
        {
            put(Cause::Due, text);
        }
        if self.request.force {
            put(Cause::Due, "forced".to_owned());
        }
        if last.tag(tags::CHECKS) != now.checks {
            self.check_changes(image, last, manifest)
                .into_iter()
                .for_each(|r| put(r.cause, r.text));
        }
        if let Some((run, error)) = self.build_history(image).and_then(|p| p.failed.as_ref()) {
            let error: String = error.chars().take(120).collect();
            put(
                Cause::Note,
                format!("the last attempt failed in run {run}: {error}"),
            );
        }
        out.extend(self.deprecation_note(image).map(|text| Reason {
            cause: Cause::Note,
            text,
        }));
        out.sort_by_key(|r| r.cause);
        out
    }

    /// Returns the manifest if it belongs to this version.
    pub(super) fn matching_manifest(&self, image: &Image, last: &Record<'_>) -> Option<&Manifest> {
        let found = self.inventory.evidence.manifests.get(&image.name)?;
        (found.version == last.version && found.arch == last.arch).then_some(found)
    }

    fn build_history(&self, image: &Image) -> Option<&crate::model::BuildHistory> {
        self.inventory.evidence.history.get(&image.name)
    }

    fn recipe_changes(
        &self,
        last: &Record<'_>,
        now: &CurrentInputs,
        manifest: Option<&Manifest>,
    ) -> Vec<String> {
        let Some(manifest) = manifest.filter(|m| m.recipe == last.tag(tags::RECIPE)) else {
            return vec![format!(
                "recipe changed since {0} (inputs unknown: the manifest of {0} is not in the store)",
                last.version
            )];
        };
        describe_changes(
            &change::diff_inputs(&manifest.inputs, &now.recipe.0),
            &format!("the recipe since {}", last.version),
        )
    }

    fn check_changes(
        &self,
        image: &Image,
        last: &Record<'_>,
        manifest: Option<&Manifest>,
    ) -> Vec<Reason> {
        let controls = self.catalog.controls(&image.name);
        let is_build_only = |id: &str| {
            controls
                .iter()
                .any(|c| c.id == id && !c.phases.contains(&Phase::Boot))
        };
        let Some(manifest) = manifest.filter(|m| m.checks == last.tag(tags::CHECKS)) else {
            // The changed control is unknown. If any control is judged only inside a build, only a
            // build is sure to judge it.
            let cause = match controls.iter().any(|c| !c.phases.contains(&Phase::Boot)) {
                true => Cause::BuildChecks,
                false => Cause::Checks,
            };
            let text = format!(
                "checks changed since {0} (controls unknown: the manifest of {0} is not in the store)",
                last.version
            );
            return vec![Reason { cause, text }];
        };
        let changes = change::diff_inputs(&manifest.controls, &self.prints.controls(&image.name));
        let (build_only, boot): (Vec<InputChange>, Vec<InputChange>) = changes
            .into_iter()
            .partition(|c| c.now.is_some() && is_build_only(&c.input));
        let reasons = |cause, changes: Vec<InputChange>, more: &str| {
            if changes.is_empty() {
                return Vec::new();
            }
            let control = |c: InputChange| InputChange {
                input: format!("control `{}`", c.input),
                ..c
            };
            let changes: Vec<InputChange> = changes.into_iter().map(control).collect();
            let all = describe_changes(&changes, &format!("the checks since {}", last.version))
                .into_iter();
            all.map(|w| Reason {
                cause,
                text: format!("{w}{more}"),
            })
            .collect::<Vec<_>>()
        };
        let mut out = reasons(
            Cause::BuildChecks,
            build_only,
            ", which only a build can judge",
        );
        out.extend(reasons(Cause::Checks, boot, ""));
        out
    }

    /// Returns the reason if the source or parent is newer than that of the last good build.
    fn origin_change(&self, image: &Image, last: &Record<'_>) -> Option<String> {
        match &image.origin {
            Origin::Source(_) => {
                let newest = self.inventory.sources.get(&image.name)?.as_ref()?;
                let (used, created) = self.chain_source(last);
                let newer = newest.id.as_str() != used
                    && created.as_ref().is_none_or(|c| newest.created > *c);
                let when = created.map_or_else(String::new, |c| format!(" of {}", date_part(&c)));
                newer.then(|| {
                    let (name, id) = (&newest.name, &newest.id);
                    format!(
                        "source is newer: {name} ({id}) of {} after {used}{when}",
                        date_part(&newest.created)
                    )
                })
            }
            Origin::Parent(parent) => {
                if let Some(version) = self.built.get(parent) {
                    return Some(format!("parent `{parent}` is rebuilt as {version}"));
                }
                let now = self
                    .catalog
                    .images
                    .get(parent)
                    .and_then(|p| self.index.layer_parent(self.catalog, p))?;
                let used = last
                    .parent
                    .as_ref()
                    .filter(|(name, _)| name == parent)
                    .map(|(_, v)| *v);
                match used {
                    Some(used) if now.version > used => Some(format!(
                        "parent `{parent}` is newer: {} after {used}",
                        now.version
                    )),
                    Some(_) => None,
                    None => Some(format!("parent is now `{parent}`")),
                }
            }
        }
    }

    /// Returns the vendor AMI that the chain of builds started from, with its creation time if the
    /// tags have it.
    pub(super) fn chain_source(&self, last: &Record<'_>) -> (String, Option<String>) {
        match last.tag(tags::SOURCE).split_once(' ') {
            Some((id, created)) => (id.to_owned(), Some(created.to_owned())),
            None => (self.index.build_chain(last).1, None),
        }
    }

    /// Returns the number of builds between a version and its origin. The tag remains valid after
    /// the AMIs of the chain were pruned.
    pub(super) fn chain_depth(&self, last: &Record<'_>) -> u32 {
        last.tag(tags::DEPTH)
            .parse()
            .unwrap_or_else(|_| self.index.build_chain(last).0)
    }

    fn age_reason(&self, image: &Image, last: &Record<'_>) -> Option<String> {
        let limit = image.max_age?;
        let age = self.decided.duration_since(build_time(last)?);
        (age > limit).then(|| {
            format!(
                "{} old, more than max_age {}",
                count(usize::try_from(age.as_hours() / 24).unwrap_or(0), "day"),
                format_duration(limit)
            )
        })
    }

    fn update_reason(&self, image: &Image, last: &Record<'_>) -> Option<String> {
        let probe = self.inventory.evidence.probes.get(&image.name)?;
        if probe.ami != last.ami.id {
            return None;
        }
        let names: Vec<&str> = probe
            .pending
            .iter()
            .filter(|u| u.security)
            .map(|u| u.package.as_str())
            .collect();
        if names.is_empty() {
            return None;
        }
        let plural = if names.len() == 1 { "" } else { "s" };
        let since = probe.since.unwrap_or(probe.at).strftime("%Y-%m-%d");
        let shown = join_names(&names);
        Some(format!(
            "{} security update{plural} pending since {since}: {shown}",
            names.len()
        ))
    }

    /// Returns a reason if the newest build is held or revoked. Nothing is built on a version
    /// before it.
    pub(super) fn withdrawn_reason(&self, image: &Image, last: &Record<'_>) -> Option<String> {
        let newest = self
            .index
            .versions(image)
            .iter()
            .filter(|r| r.version >= last.version);
        let bad = newest
            .filter(|r| matches!(r.state, State::Held | State::Revoked))
            .max_by_key(|r| r.version)?;
        Some(format!("{} is {}", bad.version, bad.state.as_str()))
    }
}

/// Describes each change, or summarizes them if there are many.
fn describe_changes(changes: &[InputChange], what: &str) -> Vec<String> {
    let text: Vec<String> = changes.iter().map(InputChange::describe).collect();
    match text.len() {
        0 => vec![format!("{what} changed")],
        n if n <= MAX_NAMED => text,
        n => {
            let mut out = text[..MAX_NAMED - 1].to_vec();
            out.push(format!(
                "{} more inputs changed; see `bakeline why`",
                n + 1 - MAX_NAMED
            ));
            out
        }
    }
}

fn join_names(names: &[&str]) -> String {
    match names {
        [first @ .., _] if names.len() > MAX_NAMED => {
            let few = &first[..MAX_NAMED - 1];
            format!("{} and {} more", few.join(", "), names.len() - few.len())
        }
        all => all.join(", "),
    }
}

/// Returns the build time of a version: the creation of its AMI, or the start of the version's day.
fn build_time(record: &Record<'_>) -> Option<Timestamp> {
    let day = || {
        let day = record.version.day;
        format!(
            "{:04}-{:02}-{:02}T00:00:00Z",
            day / 10_000,
            day / 100 % 100,
            day % 100
        )
        .parse()
        .ok()
    };
    record.ami.created.parse().ok().or_else(day)
}

fn date_part(created: &str) -> String {
    created.chars().take(10).collect()
}

/// Returns the value of the tag that names the vendor AMI of a chain of builds.
pub(super) fn source_tag(ami: &Ami) -> String {
    format!("{} {}", ami.id, ami.created)
}
