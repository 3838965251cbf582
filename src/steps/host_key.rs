//! Owns the keys by which the run knows its test instance: made here, told by user data, expected at the first login.
//!
//! The private halves are a secret of that instance alone: they stand in its user data, which whoever may describe it can
//! read, and in the run directory until it is terminated. Nothing else ever has them.

use serde::{Deserialize, Serialize};

use super::Steps;
use crate::error::{Error, Kind, Result};
use crate::ports::{HostKey, Secret};

/// A key as it is kept in the run directory, so that a launch that is repeated says the same.
#[derive(Serialize, Deserialize)]
struct Kept {
    kind: String,
    private: String,
    public: String,
}

fn file(scope: &str) -> String {
    format!("{scope}/host-keys")
}

/// The known-hosts file of the test instance, in the run directory.
pub(super) fn known_hosts(scope: &str) -> String {
    format!("{scope}/known_hosts.boot")
}

/// The keys of the scope's instance: those that were made before, or new ones.
pub(super) async fn made(steps: &Steps, scope: &str) -> Result<Vec<HostKey>> {
    let kept = steps
        .workspace
        .read(&file(scope))
        .and_then(|b| serde_json::from_slice::<Vec<Kept>>(&b).ok());
    if let Some(kept) = kept {
        let back = |k: Kept| HostKey {
            kind: k.kind,
            private: Secret::new(k.private),
            public: k.public,
        };
        return Ok(kept.into_iter().map(back).collect());
    }
    let keys = steps.shell.generate_host_keys().await;
    let keys = keys.map_err(|e| {
        Error::new(
            Kind::StepFailed,
            "the test instance can't be given host keys",
        )
        .because(e)
    })?;
    let keep = |k: &HostKey| Kept {
        kind: k.kind.clone(),
        private: k.private.expose().to_owned(),
        public: k.public.clone(),
    };
    let text = serde_json::to_vec(&keys.iter().map(keep).collect::<Vec<_>>()).unwrap_or_default();
    let written = steps.workspace.write(&file(scope), &text, true);
    written
        .map_err(|e| Error::new(Kind::StepFailed, "the host keys can't be written").because(e))?;
    Ok(keys)
}

/// What user data says of them.
pub(super) fn told(keys: &[HostKey]) -> Vec<(&str, &str, &str)> {
    keys.iter()
        .map(|k| (k.kind.as_str(), k.private.expose(), k.public.as_str()))
        .collect()
}

/// Whatever answers under one of these names must prove itself with one of the keys.
pub(super) fn expect(steps: &Steps, scope: &str, keys: &[HostKey], names: &[&str]) -> Result<()> {
    let text: String = keys
        .iter()
        .map(|key| format!("{} {}\n", names.join(","), key.public))
        .collect();
    let written = steps
        .workspace
        .write(&known_hosts(scope), text.as_bytes(), false);
    written
        .map(drop)
        .map_err(|e| Error::new(Kind::StepFailed, "the known hosts can't be written").because(e))
}

/// The instance is gone, and so is what it proved itself with.
pub(super) fn forget(steps: &Steps, scope: &str) {
    steps.workspace.remove(&file(scope));
}
