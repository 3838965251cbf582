//! Implements the cloud port on a [`FakeCloudState`](super::FakeCloudState). Every call is recorded
//! and can fail.

mod access;
mod encryption;
mod images;
mod instances;
mod parameters;
mod prerequisites;
mod resources;
mod retirement;
mod usage;

use async_trait::async_trait;

use super::FakeCloud;
use crate::model::{Region, Tags};
use crate::ports::{CloudErrorKind, CloudResult, Identity, IdentityReader};

/// Returns the error for a resource that does not exist.
fn not_found<T>(what: &str) -> Result<T, (CloudErrorKind, String)> {
    Err((CloudErrorKind::NotFound, format!("{what} does not exist")))
}

/// Replaces the error for a missing resource by an answer, as the adapter of AWS does.
fn or_absent<T>(result: CloudResult<T>, absent: T) -> CloudResult<T> {
    match result {
        Err(error) if error.kind == CloudErrorKind::NotFound => Ok(absent),
        other => other,
    }
}

/// Returns true if the tags contain all wanted tags.
fn has_tags(tags: &Tags, wanted: &Tags) -> bool {
    wanted
        .iter()
        .all(|(key, value)| tags.get(key) == Some(value))
}

#[async_trait]
impl IdentityReader for FakeCloud {
    async fn identity(&self, region: &Region) -> CloudResult<Identity> {
        let who = Identity {
            account: self.account().to_owned(),
            arn: "arn:aws:iam::123456789012:user/test".to_owned(),
        };
        self.call(("identity", "", false), region, |_| Ok(who))
            .await
    }

    /// This cloud encodes no details.
    async fn explain_denial(&self, _region: &Region, _details: &str) -> Option<String> {
        None
    }
}
