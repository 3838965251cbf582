//! Decides which temporary resources a sweep removes: expired ones and those of ended runs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lifecycle::{candidate, tags};
use crate::model::{
    CatalogName, Region, RunId, State, TemporaryKind, TemporaryResource, Timestamp, Version, count,
};

/// Facts about a run from the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// True if the run holds a lock that has not expired.
    pub active: bool,
    /// AMI names that the run planned to build. The value is the reason why an untagged AMI of this
    /// name must stay, or `None` for a build that started and never finished. Such a build may have
    /// left an untagged AMI: packer-plugin-amazon before 1.1.0 tags an AMI only when it is available.
    pub planned_amis: BTreeMap<String, Option<String>>,
}

/// Inputs of the decision about leftovers.
#[derive(Debug)]
pub struct SweepRules<'a> {
    /// Catalog that owns the resources.
    pub catalog: &'a CatalogName,
    /// Region of the builds, in the builder's account.
    pub home: &'a Region,
    /// Time of the decision.
    pub now: Timestamp,
    /// Runs that the store knows.
    pub runs: &'a BTreeMap<RunId, RunFacts>,
    /// Reasons to keep AMIs without a state, by AMI ID: a reference, or that the references could not
    /// be listed.
    pub references: &'a BTreeMap<String, String>,
    /// True to remove untagged resources that old Packer versions left. Only their name and age
    /// identify them.
    pub packer_leftovers: bool,
}

/// Decision about one temporary resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// The resource.
    #[serde(rename = "thing")]
    pub resource: TemporaryResource,
    /// True if the sweep removes the resource.
    pub remove: bool,
    /// Reason for the decision.
    #[serde(rename = "because")]
    pub reason: String,
}

/// Newest versions by image and architecture.
type NewestVersions = BTreeMap<(String, String), Version>;

/// Age in hours from which an untagged Packer resource may be removed. No build takes a day.
const PACKER_HOURS: i64 = 24;

impl SweepRules<'_> {
    /// Decides about every resource of this catalog, and about those that Packer may have left.
    /// Returns them in the order of removal.
    #[must_use]
    pub fn find_leftovers(&self, resources: &[TemporaryResource]) -> Vec<Leftover> {
        let newest = self.newest_versions(resources);
        let mut out: Vec<Leftover> = resources
            .iter()
            .filter_map(|resource| self.classify(resource, &newest))
            .collect();
        out.sort_by(|a, b| {
            let key = |l: &Leftover| {
                (
                    l.resource.kind,
                    l.resource.region.clone(),
                    l.resource.account.clone(),
                    l.resource.id.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        out
    }

    fn classify(&self, resource: &TemporaryResource, newest: &NewestVersions) -> Option<Leftover> {
        let decision = match resource.tags.get(tags::CATALOG) {
            Some(name) if name == self.catalog.as_str() => {
                self.classify_tagged(resource, newest)?
            }
            Some(_) => return None,
            None => self.classify_untagged(resource)?,
        };
        let (remove, reason) = decision;
        Some(Leftover {
            resource: resource.clone(),
            remove,
            reason,
        })
    }

    /// Decides about a resource with the tag of this catalog. A resource without expiry is not
    /// temporary.
    fn classify_tagged(
        &self,
        resource: &TemporaryResource,
        newest: &NewestVersions,
    ) -> Option<(bool, String)> {
        let expires = resource.tags.get(tags::EXPIRES)?;
        if resource.used
            && matches!(
                resource.kind,
                TemporaryKind::Snapshot | TemporaryKind::Volume
            )
        {
            return None; // Removed together with its AMI or instance.
        }
        if resource
            .tags
            .get(tags::SELF)
            .is_some_and(|id| *id != resource.id)
            && resource.kind == TemporaryKind::Image
        {
            return None; // A copy made by hand, with the tags of a candidate.
        }
        let released = [
            State::Released,
            State::Held,
            State::Revoked,
            State::Retiring,
        ]
        .map(State::as_str);
        if resource.kind == TemporaryKind::Image
            && resource
                .tags
                .get(tags::STATE)
                .is_some_and(|state| released.contains(&state.as_str()))
        {
            return None;
        }
        if resource.kind == TemporaryKind::Image
            && !resource.tags.contains_key(tags::STATE)
            && let Some(used) = self.references.get(&resource.id)
        {
            return Some((false, format!("without a state, but {used}")));
        }
        let run = RunId(resource.tags.get(tags::RUN).cloned().unwrap_or_default());
        if resource.kind == TemporaryKind::Image && candidate::awaits_checks(&resource.tags) {
            return Some(self.classify_waiting(resource, &run, expires, newest));
        }
        Some(match (self.runs.get(&run), expires.parse::<Timestamp>()) {
            (Some(facts), _) if facts.active => (false, format!("run {run} is active")),
            (_, Ok(expires)) if expires <= self.now => (true, format!("expired at {expires}")),
            (Some(_), _) if resource.tags.contains_key(tags::KEPT) => (
                false,
                format!("kept for inspection until {expires} (`bakeline release --keep-failed`)"),
            ),
            (Some(_), _) => (true, format!("run {run} has ended")),
            (None, Ok(expires)) => (
                false,
                format!("run {run} is unknown, and the resource expires at {expires}"),
            ),
            (None, Err(_)) => (
                false,
                format!(
                    "`{}` is {expires:?}, which is not a valid time",
                    tags::EXPIRES
                ),
            ),
        })
    }

    /// Returns the newest version of each image and architecture that makes older candidates useless:
    /// a version that was released, or a candidate that waits too.
    fn newest_versions(&self, resources: &[TemporaryResource]) -> NewestVersions {
        let mut out = NewestVersions::new();
        for resource in resources {
            let tag = |key: &str| resource.tags.get(key).map_or("", String::as_str);
            let is_own = resource.kind == TemporaryKind::Image
                && tag(tags::CATALOG) == self.catalog.as_str()
                && tag(tags::SELF) == resource.id;
            let was_released = tag(tags::STATE) != State::Candidate.as_str();
            let Ok(version) = tag(tags::VERSION).parse::<Version>() else {
                continue;
            };
            if is_own && (was_released || candidate::awaits_checks(&resource.tags)) {
                let newest = out.entry(subject(resource)).or_insert(version);
                *newest = version.max(*newest);
            }
        }
        out
    }

    /// Decides about a candidate that waits for its boot checks.
    fn classify_waiting(
        &self,
        resource: &TemporaryResource,
        run: &RunId,
        expires: &str,
        newest: &NewestVersions,
    ) -> (bool, String) {
        let version = resource.tags.get(tags::VERSION);
        let version = version.and_then(|text| text.parse::<Version>().ok());
        let newer = newest
            .get(&subject(resource))
            .filter(|newest| version.is_none_or(|version| version < **newest));
        match (expires.parse::<Timestamp>(), newer) {
            _ if self.runs.get(run).is_some_and(|facts| facts.active) => {
                (false, format!("run {run} is active"))
            }
            (Ok(expires), _) if expires <= self.now => (true, format!("expired at {expires}")),
            (_, Some(newer)) => (true, format!("version {newer} is newer")),
            _ => (
                false,
                format!(
                    "waits for its boot checks until {expires}; the next release continues with it or \
                     builds a newer version"
                ),
            ),
        }
    }

    fn classify_untagged(&self, resource: &TemporaryResource) -> Option<(bool, String)> {
        if resource.kind == TemporaryKind::Image {
            return self.classify_untagged_ami(resource);
        }
        let created = packer_time(&resource.name).filter(|_| {
            matches!(
                resource.kind,
                TemporaryKind::KeyPair | TemporaryKind::SecurityGroup
            )
        })?;
        let hours = (self.now.as_second() - created.as_second()) / 3600;
        let number = |value: i64| usize::try_from(value).unwrap_or(0);
        let days = count(number(hours / 24), "day");
        Some(if resource.used {
            (false, "named by Packer, in use".to_owned())
        } else if hours < PACKER_HOURS {
            let hours = count(number(hours), "hour");
            (false, format!("named by Packer, created {hours} ago"))
        } else if self.packer_leftovers {
            (
                true,
                format!("named by Packer, created {days} ago, not in use"),
            )
        } else {
            (
                false,
                format!(
                    "named by Packer, created {days} ago (remove it with `bakeline sweep --apply --packer-leftovers`)"
                ),
            )
        })
    }
}

impl SweepRules<'_> {
    /// Decides about an AMI without tags, which only its name identifies. Ignores AMIs outside the
    /// build location, because a copy can have the same name. Keeps referenced AMIs, because a user
    /// can delete the tags of a good AMI.
    fn classify_untagged_ami(&self, resource: &TemporaryResource) -> Option<(bool, String)> {
        if !resource.tags.is_empty() || resource.account.is_some() || resource.region != *self.home
        {
            return None;
        }
        let (run, facts, why) = self.runs.iter().find_map(|(run, facts)| {
            facts
                .planned_amis
                .get(&resource.name)
                .map(|why| (run, facts, why))
        })?;
        Some(if facts.active {
            (false, format!("run {run} is active"))
        } else if let Some(why) = why {
            (false, format!("untagged, but {why}"))
        } else if let Some(used) = self.references.get(&resource.id) {
            (false, format!("untagged, but {used}"))
        } else {
            (true, format!("untagged: run {run} ended while building it"))
        })
    }
}

/// Returns the image and the architecture of an AMI.
fn subject(resource: &TemporaryResource) -> (String, String) {
    let tag = |key: &str| resource.tags.get(key).cloned().unwrap_or_default();
    (tag(tags::IMAGE), tag(tags::ARCH))
}

/// Returns the time at which Packer created a resource of this name. In `packer_<uuid>` the first
/// eight digits are the time in seconds (Packer SDK, `TimeOrderedUUID`).
fn packer_time(name: &str) -> Option<Timestamp> {
    let uuid = name.strip_prefix("packer_")?;
    let digits = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    };
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    if lengths != [8, 4, 4, 4, 12] || !uuid.split('-').all(digits) {
        return None;
    }
    Timestamp::from_second(i64::from_str_radix(&uuid[..8], 16).ok()?).ok()
}
