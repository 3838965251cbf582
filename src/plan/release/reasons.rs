//! Owns why an image is built or judged again: each reason names the input that moved.

use jiff::SignedDuration;

use super::Planner;
use crate::catalog::{Image, Origin};
use crate::checks::Phase;
use crate::lifecycle::{Record, tags};
use crate::model::{Ami, Manifest, State, Timestamp};
use crate::plan::change::{self, Change};
use crate::plan::fingerprint::Recipe;

/// Why something is done, as far as the verdict and the choice of the base depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// There is no version yet.
    First,
    /// The recipe is not what it was.
    Recipe,
    /// The parent or source is newer.
    Origin,
    /// Time, updates or the user ask for a build, but nothing that makes it moved.
    Due,
    /// A control changed that can only be judged inside a build.
    BuildChecks,
    /// Only controls changed that can be judged on a boot.
    Checks,
    /// Worth knowing, but no reason by itself.
    Note,
}

/// A cause with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) cause: Cause,
    pub(super) words: String,
}

/// What the image is now: its recipe and its controls.
pub(super) struct Now {
    pub(super) recipe: Recipe,
    pub(super) digest: String,
    pub(super) checks: String,
}

/// The most inputs that are named one by one.
const MOST_NAMED: usize = 6;

impl Planner<'_> {
    /// Why the image must be built or judged again, most important first.
    pub(super) fn reasons(
        &self,
        image: &Image,
        last: Option<&Record<'_>>,
        now: &Now,
    ) -> Vec<Reason> {
        let Some(last) = last else {
            return vec![Reason {
                cause: Cause::First,
                words: "no released version yet".to_owned(),
            }];
        };
        let manifest = self.manifest(image, last);
        let mut out = Vec::new();
        let mut put = |cause, words: String| out.push(Reason { cause, words });
        if last.tag(tags::RECIPE) != now.digest {
            for words in self.recipe_moved(last, now, manifest) {
                put(Cause::Recipe, words);
            }
        }
        if let Some(words) = self.origin_moved(image, last) {
            put(Cause::Origin, words);
        }
        for words in self
            .too_old(image, last)
            .into_iter()
            .chain(self.updates(image, last))
        {
            put(Cause::Due, words);
        }
        if self.request.force {
            put(Cause::Due, "forced".to_owned());
        }
        if last.tag(tags::CHECKS) != now.checks {
            self.checks_moved(image, last, manifest)
                .into_iter()
                .for_each(|r| put(r.cause, r.words));
        }
        if let Some((run, error)) = self.past(image).and_then(|p| p.failed.as_ref()) {
            let error: String = error.chars().take(120).collect();
            put(
                Cause::Note,
                format!("the last attempt failed in run {run}: {error}"),
            );
        }
        out.sort_by_key(|r| r.cause);
        out
    }

    /// The manifest of this very version, as far as it says what the tags say.
    pub(super) fn manifest(&self, image: &Image, last: &Record<'_>) -> Option<&Manifest> {
        let found = self.inventory.evidence.manifests.get(&image.name)?;
        (found.version == last.version && found.arch == last.arch).then_some(found)
    }

    fn past(&self, image: &Image) -> Option<&crate::model::Past> {
        self.inventory.evidence.history.get(&image.name)
    }

    fn recipe_moved(
        &self,
        last: &Record<'_>,
        now: &Now,
        manifest: Option<&Manifest>,
    ) -> Vec<String> {
        let Some(manifest) = manifest.filter(|m| m.recipe == last.tag(tags::RECIPE)) else {
            return vec![format!(
                "recipe changed since {} (its manifest is not in the store)",
                last.version
            )];
        };
        named(
            &change::between(&manifest.inputs, &now.recipe.0),
            &format!("the recipe since {}", last.version),
        )
    }

    fn checks_moved(
        &self,
        image: &Image,
        last: &Record<'_>,
        manifest: Option<&Manifest>,
    ) -> Vec<Reason> {
        let controls = self.catalog.controls(&image.name);
        let only_in_builds = |id: &str| {
            controls
                .iter()
                .any(|c| c.id == id && !c.phases.contains(&Phase::Boot))
        };
        let Some(manifest) = manifest.filter(|m| m.checks == last.tag(tags::CHECKS)) else {
            // Whatever changed might be judged inside a build only; then only a build is sure to judge it.
            let cause = match controls.iter().any(|c| !c.phases.contains(&Phase::Boot)) {
                true => Cause::BuildChecks,
                false => Cause::Checks,
            };
            let words = format!(
                "checks changed since {} (its manifest is not in the store)",
                last.version
            );
            return vec![Reason { cause, words }];
        };
        let changes = change::between(&manifest.controls, &self.prints.controls(&image.name));
        let (inside, boot): (Vec<Change>, Vec<Change>) = changes
            .into_iter()
            .partition(|c| c.now.is_some() && only_in_builds(&c.input));
        let reasons = |cause, changes: Vec<Change>, more: &str| {
            if changes.is_empty() {
                return Vec::new();
            }
            let control = |c: Change| Change {
                input: format!("control `{}`", c.input),
                ..c
            };
            let changes: Vec<Change> = changes.into_iter().map(control).collect();
            let all = named(&changes, &format!("the checks since {}", last.version)).into_iter();
            all.map(|w| Reason {
                cause,
                words: format!("{w}{more}"),
            })
            .collect::<Vec<_>>()
        };
        let mut out = reasons(
            Cause::BuildChecks,
            inside,
            ", which is judged inside a build only",
        );
        out.extend(reasons(Cause::Checks, boot, ""));
        out
    }

    /// Whether the source or parent is newer than what the last good build was made from.
    fn origin_moved(&self, image: &Image, last: &Record<'_>) -> Option<String> {
        match &image.origin {
            Origin::Source(_) => {
                let newest = self.inventory.sources.get(&image.name)?.as_ref()?;
                let (used, created) = self.source_of(last);
                let newer = newest.id.as_str() != used
                    && created.as_ref().is_none_or(|c| newest.created > *c);
                let when = created.map_or_else(String::new, |c| format!(" of {}", day(&c)));
                newer.then(|| {
                    let (name, id) = (&newest.name, &newest.id);
                    format!(
                        "source is newer: {name} ({id}) of {} after {used}{when}",
                        day(&newest.created)
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
                    .and_then(|p| self.index.layer(self.catalog, p))?;
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

    /// The vendor AMI that the chain of builds started from, and when that was made, where the tags still say so.
    pub(super) fn source_of(&self, last: &Record<'_>) -> (String, Option<String>) {
        match last.tag(tags::SOURCE).split_once(' ') {
            Some((id, created)) => (id.to_owned(), Some(created.to_owned())),
            None => (self.index.chain(last).1, None),
        }
    }

    /// How many builds on itself lie behind a version. The tag counts on when the AMIs of the chain are long pruned.
    pub(super) fn depth(&self, last: &Record<'_>) -> u32 {
        last.tag(tags::DEPTH)
            .parse()
            .unwrap_or_else(|_| self.index.chain(last).0)
    }

    fn too_old(&self, image: &Image, last: &Record<'_>) -> Option<String> {
        let limit = image.max_age?;
        let age = self.decided.duration_since(made(last)?);
        (age > limit).then(|| {
            format!(
                "{} days old, more than max_age {}",
                age.as_hours() / 24,
                words(limit)
            )
        })
    }

    fn updates(&self, image: &Image, last: &Record<'_>) -> Option<String> {
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
        let shown = listed(&names);
        Some(format!(
            "{} security update{plural} pending since {since}: {shown}",
            names.len()
        ))
    }

    /// The newest version that counts as a build, if it is held or revoked: then nothing is built on anything before it.
    pub(super) fn withdrawn(&self, image: &Image, last: &Record<'_>) -> Option<String> {
        let newest = self
            .index
            .of(image)
            .iter()
            .filter(|r| r.version >= last.version);
        let bad = newest
            .filter(|r| matches!(r.state, State::Held | State::Revoked))
            .max_by_key(|r| r.version)?;
        Some(format!("{} is {}", bad.version, bad.state.as_str()))
    }
}

/// Each change in words; many of them as one.
fn named(changes: &[Change], what: &str) -> Vec<String> {
    let words: Vec<String> = changes.iter().map(Change::words).collect();
    match words.len() {
        0 => vec![format!("{what} changed")],
        n if n <= MOST_NAMED => words,
        n => {
            let mut out = words[..MOST_NAMED - 1].to_vec();
            out.push(format!(
                "{} more inputs changed; see `bakeline why`",
                n + 1 - MOST_NAMED
            ));
            out
        }
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [first @ .., _] if names.len() > MOST_NAMED => {
            let few = &first[..MOST_NAMED - 1];
            format!("{} and {} more", few.join(", "), names.len() - few.len())
        }
        all => all.join(", "),
    }
}

/// When a version was made: its AMI's creation, or the start of the version's day.
fn made(record: &Record<'_>) -> Option<Timestamp> {
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

/// `30d`, `36h`, `90m`: as the catalog writes it.
fn words(time: SignedDuration) -> String {
    match time.as_secs() {
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

fn day(created: &str) -> String {
    created.chars().take(10).collect()
}

/// The tag that says which vendor AMI a chain of builds starts from.
pub(super) fn source_tag(ami: &Ami) -> String {
    format!("{} {}", ami.id, ami.created)
}
