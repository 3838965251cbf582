//! Parses and formats the tag that records the permission of another account to copy an AMI.
//!
//! The tag `bakeline:sharing:<account>` is written before the permission is granted. Its value is
//! `all run=RUN expires=TIME`, or `ami` and snapshot IDs instead of `all`. If a run is killed, the
//! next run, a sweep or the doctor removes the permission.

use crate::lifecycle::tags;
use crate::model::{
    Ami, RunId, Sharing, SnapshotId, Tags, TemporaryKind, TemporaryResource, Timestamp,
};

/// Returns the key of the tag for an account.
#[must_use]
pub fn tag_key(account: &str) -> String {
    format!("{}{account}", tags::SHARING)
}

/// Returns every permission that a copy of an AMI needs.
#[must_use]
pub fn full_permission(ami: &Ami) -> Sharing {
    Sharing {
        image: true,
        snapshots: ami.snapshots.iter().cloned().collect(),
    }
}

/// Returns the value of the tag.
#[must_use]
pub fn format(ami: &Ami, sharing: &Sharing, run: &RunId, expires: Timestamp) -> String {
    let by = format!("run={run} expires={expires}");
    if *sharing == full_permission(ami) {
        return format!("all {by}");
    }
    let snapshots = sharing.snapshots.iter().map(SnapshotId::as_str);
    let words = sharing
        .image
        .then_some("ami")
        .into_iter()
        .chain(snapshots)
        .chain([by.as_str()]);
    words.collect::<Vec<_>>().join(" ")
}

/// Reads the permissions from the tag of an account.
#[must_use]
pub fn parse(ami: &Ami, account: &str) -> Sharing {
    let text = ami.tags.get(&tag_key(account)).map_or("", String::as_str);
    let has = |what: &str| text.split_whitespace().any(|word| word == what);
    if has("all") {
        return full_permission(ami);
    }
    Sharing {
        image: has("ami"),
        snapshots: ami
            .snapshots
            .iter()
            .filter(|s| has(s.as_str()))
            .cloned()
            .collect(),
    }
}

/// Returns the copy permissions that the tags of an AMI record, as temporary resources of the runs
/// that granted them. A copy made by hand carries the tags too, but no run granted its permissions.
pub fn copy_permissions(ami: &TemporaryResource) -> impl Iterator<Item = TemporaryResource> + '_ {
    let own = ami.tags.get(tags::SELF) == Some(&ami.id);
    ami.tags
        .iter()
        .filter(move |_| own)
        .filter_map(|(key, text)| {
            let account = key.strip_prefix(tags::SHARING)?;
            let mut own = Tags::from([(key.clone(), text.clone())]);
            for (word, tag) in [("run=", tags::RUN), ("expires=", tags::EXPIRES)] {
                let value = text
                    .split_whitespace()
                    .find_map(|part| part.strip_prefix(word));
                own.extend(value.map(|value| (tag.to_owned(), value.to_owned())));
            }
            own.extend(
                ami.tags
                    .get(tags::CATALOG)
                    .map(|name| (tags::CATALOG.to_owned(), name.clone())),
            );
            let kind = TemporaryKind::CopyPermission;
            Some(TemporaryResource {
                kind,
                name: account.to_owned(),
                tags: own,
                used: false,
                ..ami.clone()
            })
        })
}
