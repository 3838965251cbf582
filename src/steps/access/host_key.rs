//! Generates the host keys of the test instance, passes them to it as user data, and expects them
//! at login.
//!
//! The private keys are secrets of that instance only. They are in its user data, which its
//! describers can read, and in the run directory until it is terminated.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::plan::Scope;
use crate::ports::{HostKey, Secret};
use crate::steps::context::Steps;

/// Host key in the run directory, so that a repeated launch uses the same keys.
#[derive(Serialize, Deserialize)]
struct StoredHostKey {
    kind: String,
    private: String,
    public: String,
}

fn key_file(scope: &Scope) -> String {
    format!("{scope}/host-keys")
}

/// Returns the path of the known-hosts file of the test instance in the run directory.
pub(in crate::steps) fn known_hosts_file(scope: &Scope) -> String {
    format!("{scope}/known_hosts.boot")
}

/// Returns the host keys of the scope's instance: those from the run directory, or new ones.
pub(in crate::steps) async fn load_or_generate(
    steps: &Steps,
    scope: &Scope,
) -> Result<Vec<HostKey>> {
    let kept = steps
        .workspace
        .read(&key_file(scope))
        .and_then(|b| serde_json::from_slice::<Vec<StoredHostKey>>(&b).ok());
    if let Some(kept) = kept {
        let restore = |k: StoredHostKey| HostKey {
            kind: k.kind,
            private: Secret::new(k.private),
            public: k.public,
        };
        return Ok(kept.into_iter().map(restore).collect());
    }
    let keys = steps.shell.generate_host_keys().await;
    let keys = keys.map_err(|e| {
        Error::new(
            Kind::StepFailed,
            "the host keys of the test instance cannot be generated",
        )
        .because(e)
    })?;
    let store = |k: &HostKey| StoredHostKey {
        kind: k.kind.clone(),
        private: k.private.expose().to_owned(),
        public: k.public.clone(),
    };
    let text = serde_json::to_vec(&keys.iter().map(store).collect::<Vec<_>>()).unwrap_or_default();
    let written = steps.workspace.write(&key_file(scope), &text, true);
    written
        .map_err(|e| Error::new(Kind::StepFailed, "the host keys cannot be written").because(e))?;
    Ok(keys)
}

/// Returns the keys as user data needs them: type, private key, public key.
pub(in crate::steps) fn user_data_keys(keys: &[HostKey]) -> Vec<(&str, &str, &str)> {
    keys.iter()
        .map(|k| (k.kind.as_str(), k.private.expose(), k.public.as_str()))
        .collect()
}

/// Writes the known-hosts file: a host with one of these names must have one of the keys.
pub(in crate::steps) fn write_known_hosts(
    steps: &Steps,
    scope: &Scope,
    keys: &[HostKey],
    names: &[&str],
) -> Result<()> {
    let text: String = keys
        .iter()
        .map(|key| format!("{} {}\n", names.join(","), key.public))
        .collect();
    let written = steps
        .workspace
        .write(&known_hosts_file(scope), text.as_bytes(), false);
    written
        .map(drop)
        .map_err(|e| Error::new(Kind::StepFailed, "the known hosts cannot be written").because(e))
}

/// Deletes the host keys after the instance is terminated.
pub(in crate::steps) fn delete(steps: &Steps, scope: &Scope) {
    steps.workspace.remove(&key_file(scope));
}
