//! Reads and writes the tag that records which permission to copy an AMI a run gave to another account.
//!
//! The tag `bakeline:sharing:<account>` is written before the permission is given: `all run=RUN expires=TIME`, or `ami` and
//! the snapshots instead of `all`. A run that is killed leaves it to the next one, to a sweep or to the doctor.

use crate::lifecycle::tags;
use crate::model::{Ami, RunId, Sharing, SnapshotId, Tags, Temporary, TemporaryKind, Timestamp};

/// Returns the key of the tag for an account.
#[must_use]
pub fn key(account: &str) -> String {
    format!("{}{account}", tags::SHARING)
}

/// Returns every permission that a copy of an AMI needs.
#[must_use]
pub fn everything(ami: &Ami) -> Sharing {
    Sharing {
        image: true,
        snapshots: ami.snapshots.iter().cloned().collect(),
    }
}

/// Returns the value of the tag.
#[must_use]
pub fn format(ami: &Ami, sharing: &Sharing, run: &RunId, expires: Timestamp) -> String {
    let by = format!("run={run} expires={expires}");
    if *sharing == everything(ami) {
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
    let text = ami.tags.get(&key(account)).map_or("", String::as_str);
    let has = |what: &str| text.split_whitespace().any(|word| word == what);
    if has("all") {
        return everything(ami);
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

/// Returns the copy permissions that the tags of an AMI record, as temporary things of the runs that gave them. A copy that
/// was made by hand carries the tags, but no run gave its permissions.
pub fn temporaries(ami: &Temporary) -> impl Iterator<Item = Temporary> + '_ {
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
            Some(Temporary {
                kind,
                name: account.to_owned(),
                tags: own,
                used: false,
                ..ami.clone()
            })
        })
}
