//! Checks that the KMS keys of builds and copies exist and are enabled.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::check::{Check, Group};
use crate::error::Error;
use crate::model::Location;
use crate::ports::{Cloud, CloudErrorKind};

/// Maximum number of parallel reads.
const MAX_CONCURRENT: usize = 16;

/// Use of a KMS key in a location.
pub struct KeyUse {
    /// ID, ARN or alias of the key.
    pub key: String,
    /// Location of the encrypted volumes or copies.
    pub location: Location,
    /// Client for the account of the location.
    pub cloud: Arc<dyn Cloud>,
}

/// Checks the keys. A key of another location than home does not stop a release.
pub async fn check_keys(uses: Vec<KeyUse>, home: &Location) -> Vec<Check> {
    let checks = uses.into_iter().map(|used| async move {
        let is_home = used.location == *home;
        let check = used.check().await;
        if is_home || check.error.is_none() {
            check
        } else {
            check.as_warning()
        }
    });
    stream::iter(checks)
        .buffered(MAX_CONCURRENT)
        .collect()
        .await
}

impl KeyUse {
    async fn check(self) -> Check {
        let Self {
            key,
            location,
            cloud,
        } = self;
        let object = format!("KMS key {key} in {location}");
        let refuse = |text: String| {
            let hint = "set `kms_key` in bakeline.yaml to an enabled key for encryption";
            Check::missing(Group::Encryption, &object, Error::input(text).hint(hint))
        };
        match cloud.describe_key(&location.region, &key).await {
            Ok(found) if found.is_usable => Check::ok(Group::Encryption, &object),
            Ok(found) => refuse(format!(
                "{object} cannot encrypt: its state is {}",
                found.state
            )),
            Err(error) if error.kind == CloudErrorKind::NotFound => {
                refuse(format!("{object} does not exist"))
            }
            Err(error) => Check::unread(Group::Encryption, &object, error),
        }
    }
}
