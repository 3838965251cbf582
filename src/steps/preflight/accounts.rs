//! Checks the roles and Regions of accounts.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::check::{Check, Group};
use crate::error::Error;
use crate::model::Region;
use crate::ports::{Cloud, CloudErrorKind};
use crate::steps::errors::first_call_error;

/// Maximum number of accounts that are read in parallel.
const MAX_CONCURRENT: usize = 16;

/// Session in an account, and the Regions that bakeline uses there.
pub struct AccountSession {
    /// ID of the account.
    pub account: String,
    /// ARN of the role, or `None` for the caller's own credentials.
    pub role: Option<String>,
    /// Client with the credentials of the session, or the reason why there is none.
    pub cloud: Result<Arc<dyn Cloud>, Error>,
    /// Region of the first call.
    pub home: Region,
    /// Regions of the environments.
    pub regions: BTreeSet<Region>,
}

/// Checks that each role can be assumed and that the Regions are enabled. Makes at most two calls for
/// each session. A location without access does not stop a release, because the others continue.
pub async fn check_accounts(sessions: Vec<AccountSession>) -> Vec<Check> {
    let checks = sessions
        .into_iter()
        .map(|session| async move { session.check().await });
    let checks: Vec<Vec<Check>> = stream::iter(checks)
        .buffered(MAX_CONCURRENT)
        .collect()
        .await;
    checks.into_iter().flatten().collect()
}

impl AccountSession {
    async fn check(self) -> Vec<Check> {
        let object = match &self.role {
            Some(role) => format!("role {role}"),
            None => format!("account {}", self.account),
        };
        let cloud = match self.cloud {
            Ok(cloud) => cloud,
            Err(error) => {
                return vec![Check::missing(Group::Credentials, object, error).as_warning()];
            }
        };
        if self.role.is_some() {
            match cloud.identity(&self.home).await {
                Ok(_) => {}
                Err(error) if is_refusal(error.kind) => {
                    let error = first_call_error(error);
                    return vec![Check::missing(Group::Credentials, object, error).as_warning()];
                }
                Err(error) => return vec![Check::unread(Group::Credentials, object, error)],
            }
        }
        let mut out: Vec<Check> = Vec::new();
        out.extend(
            self.role
                .as_ref()
                .map(|_| Check::ok(Group::Credentials, object)),
        );
        let place = |region: &Region| format!("Region {region} of account {}", self.account);
        match cloud.enabled_regions(&self.home).await {
            Ok(enabled) => out.extend(self.regions.iter().map(|region| {
                if enabled.contains(region) {
                    return Check::ok(Group::Credentials, place(region));
                }
                let text = format!("{} is not enabled", place(region));
                let hint = format!(
                    "enable it: `aws account enable-region --region-name {region}`, or remove it \
                     from bakeline.yaml"
                );
                let error = Error::input(text).hint(hint);
                Check::missing(Group::Credentials, place(region), error).as_warning()
            })),
            Err(error) => {
                let unread =
                    |region| Check::unread(Group::Credentials, place(region), error.clone());
                out.extend(self.regions.iter().map(unread));
            }
        }
        out
    }
}

/// Returns whether AWS refused the credentials or the role. Other errors decide nothing.
fn is_refusal(kind: CloudErrorKind) -> bool {
    matches!(kind, CloudErrorKind::Credentials | CloudErrorKind::Denied)
}
