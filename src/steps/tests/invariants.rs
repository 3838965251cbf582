//! Checks the invariants of a run, and provides foreign AMIs that no run may change.

use super::{IMAGES, test_env};
use crate::adapters::fake::{FakeCloudState, MemoryWorkspace};
use crate::catalog::defaults::{MAX_TAGS_OF_EC2, RESERVED_TAGS};
use crate::checks::Outcome as Judged;
use crate::lifecycle::{Record, lookup, tags};
use crate::model::{Ami, AmiId, Arch, EnvName, ImageName, Tags, pointer_name};
use crate::ports::Workspace as _;
use crate::steps::check::controls::CheckReport;

/// Returns tags of `catalog` whose `bakeline:self` names a different AMI.
pub(super) fn foreign_tags(catalog: &str) -> Tags {
    [
        (tags::SCHEMA, "1"),
        (tags::CATALOG, catalog),
        (tags::SELF, "ami-elsewhere"),
        (tags::IMAGE, "base"),
        (tags::VERSION, "20261231.1"),
        (tags::ARCH, "x86_64"),
        (tags::STATE, "released"),
        (tags::CURRENT, "Test=2026-12-31T00:00:00Z"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

/// Returns the violated limit of an AMI with more tags than the catalog reserves for its stage.
pub(super) fn excess_tags(ami: &Ami) -> Option<String> {
    let keys = ami.tags.keys().map(String::as_str);
    let (sharing, own): (Vec<&str>, Vec<&str>) = keys
        .filter(|key| key.starts_with("bakeline:") || ["Name", "Environment"].contains(key))
        .partition(|key| key.starts_with(tags::SHARING));
    let is_ok = own.len() + tags::PARALLEL_SHARES <= RESERVED_TAGS || sharing.is_empty();
    let is_excess = !is_ok || own.len() > RESERVED_TAGS || ami.tags.len() > MAX_TAGS_OF_EC2;
    is_excess.then(|| format!("{} has the tags {own:?} and {sharing:?}", ami.id))
}

pub(super) fn latest(
    state: &FakeCloudState,
    image: &str,
    env: &EnvName,
) -> (Option<String>, Option<AmiId>) {
    let (own, image) = (state.own(), ImageName::from(image));
    let records = Record::read_all_published(&own, &"acme".into());
    let found = lookup::find_current(&records, &image, env, Arch::X86_64).map(|r| r.ami.id.clone());
    let pointer = pointer_name(&"acme".into(), &image, env, Arch::X86_64);
    (state.parameters.get(&pointer).cloned(), found)
}

/// Returns the images that have a current AMI.
pub(super) fn current_images(state: &FakeCloudState) -> Vec<&'static str> {
    let images = IMAGES.into_iter().map(|(image, _)| image);
    images
        .filter(|image| latest(state, image, &test_env()).1.is_some())
        .collect()
}

/// Returns a violated invariant: a lookup that finds an unchecked AMI or loses the one of an image in
/// `current`, a temporary resource without run and expiry, or a changed foreign AMI.
pub(super) fn violation(
    (before, current): (&FakeCloudState, &[&str]),
    now: &FakeCloudState,
    workspace: &MemoryWorkspace,
) -> Option<String> {
    for (image, _) in IMAGES {
        let (pointer, found) = latest(now, image, &test_env());
        if current.contains(&image) && (found.is_none() || pointer.is_none()) {
            return Some(format!("a lookup no longer finds {image}"));
        }
        for ami in found.into_iter().chain(pointer.map(AmiId)) {
            let passed = before.images.contains_key(&ami) || {
                let report = workspace.read(&format!("{image}/facts-boot.json"));
                let report =
                    report.and_then(|bytes| serde_json::from_slice::<CheckReport>(&bytes).ok());
                report.is_some_and(|r| {
                    !r.verdicts.is_empty() && r.verdicts.iter().all(|v| v.outcome == Judged::Passed)
                })
            };
            if !passed {
                return Some(format!(
                    "{ami} of {image} is found before its boot checks passed"
                ));
            }
            if !now.images.contains_key(&ami) {
                return Some(format!("{ami} of {image} is found but does not exist"));
            }
        }
    }
    if let Some(text) = now.images.values().find_map(excess_tags) {
        return Some(text);
    }
    let groups = now.groups.values().map(|g| &g.tags);
    let instances = now.instances.values().map(|i| &i.tags);
    if now
        .key_pairs
        .values()
        .chain(groups)
        .chain(instances)
        .any(|t| !t.contains_key(tags::RUN) || !t.contains_key(tags::EXPIRES))
    {
        return Some("a temporary resource has no run or no expiry".to_owned());
    }
    let is_own = |ami: &&Ami| ami.tags.get(tags::SELF).is_some_and(|s| *s == ami.id.0);
    before
        .images
        .values()
        .filter(|a| !is_own(a))
        .find(|a| now.images.get(&a.id) != Some(*a))
        .map(|a| format!("{} is not ours and was changed", a.id))
}
