//! Reads the AWS profile of the caller: settings that the SDK for Rust ignores, and the sessions of
//! `aws sso login`.

use std::path::PathBuf;

use aws_config::profile::{Profile, ProfileSet};
use aws_types::os_shim_internal::{Env, Fs};
use serde::Deserialize;

use crate::adapters::system::{list_files, read_file, variable};
use crate::error::{Error, Result};
use crate::model::Timestamp;

/// Active profile and the profiles that it names as sources.
pub(super) struct ActiveProfile {
    set: ProfileSet,
}

impl ActiveProfile {
    /// Reads the profile files. Returns `None` if they are invalid, which the SDK reports.
    pub(super) async fn read() -> Option<Self> {
        let (fs, env) = (Fs::real(), Env::real());
        let set = aws_config::profile::load(&fs, &env, &Default::default(), None).await;
        set.ok().map(|set| Self { set })
    }

    /// Returns a setting of the active profile.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.set.get(name)
    }

    /// Returns the active profile and its sources, by name.
    fn chain(&self) -> Vec<(&str, &Profile)> {
        let mut out: Vec<(&str, &Profile)> = Vec::new();
        let mut next = Some(self.set.selected_profile());
        while let Some(name) = next
            && out.iter().all(|(known, _)| *known != name)
            && let Some(profile) = self.set.get_profile(name)
        {
            out.push((name, profile));
            next = profile.get("source_profile");
        }
        out
    }

    /// Returns an error if the profile that the environment names is in no file. The SDK would
    /// continue with the other sources of credentials.
    pub(super) fn reject_unknown(&self) -> Result<()> {
        let Some(name) = variable("AWS_PROFILE").filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        if self.set.get_profile(&name).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = self.set.profiles().collect();
        let text = format!("the AWS profile `{name}` in AWS_PROFILE does not exist");
        Err(Error::input(text).hint(if known.is_empty() {
            "create it with `aws configure sso` or `aws configure`".to_owned()
        } else {
            format!("known profiles: {}", known.join(", "))
        }))
    }

    /// Returns an error if the profile asks for an MFA code. The SDK for Rust ignores the setting, and
    /// AWS would only answer that access is denied.
    pub(super) fn reject_mfa(&self) -> Result<()> {
        let chain = self.chain();
        let asks = |(name, profile): &(&str, &Profile)| {
            (profile.get("role_arn").is_some() && profile.get("mfa_serial").is_some())
                .then(|| (*name).to_owned())
        };
        let Some(name) = chain.iter().find_map(asks) else {
            return Ok(());
        };
        let active = self.set.selected_profile();
        let text = format!(
            "the AWS profile `{name}` sets `mfa_serial`, but bakeline cannot ask for an MFA code"
        );
        Err(Error::input(text).hint(format!(
            "load a session first: \
             `eval \"$(aws configure export-credentials --profile {active} --format env)\"`, or use \
             a profile with `credential_process`"
        )))
    }

    /// Returns the end of the session of `aws sso login` if it cannot be renewed, with the name of
    /// the profile.
    pub(super) fn sso_end(&self) -> Option<(Timestamp, String)> {
        let (name, start_url) = self.chain().into_iter().find_map(|(name, profile)| {
            let session = profile
                .get("sso_session")
                .and_then(|s| self.set.sso_session(s));
            let start_url = session
                .and_then(|session| session.get("sso_start_url"))
                .or_else(|| profile.get("sso_start_url"))?;
            Some((name, start_url.to_owned()))
        })?;
        let sessions = cached_sessions(&start_url);
        if sessions
            .iter()
            .any(|session| session.refresh_token.is_some())
        {
            return None;
        }
        let last = sessions.iter().map(|session| session.expires_at).max()?;
        Some((last, name.to_owned()))
    }
}

/// A file of `~/.aws/sso/cache` (AWS SDKs and Tools Reference Guide, "IAM Identity Center credential
/// provider").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CachedSession {
    start_url: String,
    expires_at: Timestamp,
    refresh_token: Option<serde::de::IgnoredAny>,
}

/// Returns the sessions of a start URL. Other files in the directory contain registrations.
fn cached_sessions(start_url: &str) -> Vec<CachedSession> {
    let Some(home) = variable("HOME") else {
        return Vec::new();
    };
    let files = list_files(&PathBuf::from(home).join(".aws/sso/cache"));
    let parse =
        |file: &PathBuf| serde_json::from_slice::<CachedSession>(&read_file(file).ok()?).ok();
    let sessions = files.iter().filter_map(parse);
    sessions
        .filter(|session| session.start_url == start_url)
        .collect()
}
