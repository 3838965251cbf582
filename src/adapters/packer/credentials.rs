//! Passes the credentials of the caller to Packer. Old versions of Packer know neither `sso_session`
//! nor other new kinds of profiles, so Packer gets no profile.

use std::ffi::OsString;
use std::sync::Arc;

use super::super::credential_server::{CredentialServer, secrets_of};
use super::super::system::has_aws_keys;
use crate::ports::{CredentialSource, Credentials};

/// Variables that name a source of credentials, or contain them.
const SOURCES: [&str; 18] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Credentials for Packer.
pub(super) enum PackerCredentials {
    /// The environment of bakeline has keys, or Packer needs none.
    Inherited,
    /// Keys that do not expire.
    Keys(Credentials, Vec<(&'static str, String)>),
    /// A session that bakeline renews.
    Served(CredentialServer, Vec<(&'static str, String)>),
}

impl PackerCredentials {
    /// Resolves the credentials of the caller.
    ///
    /// # Errors
    /// Fails if none are available, or a session cannot be served.
    pub(super) async fn resolve(
        source: Option<&Arc<dyn CredentialSource>>,
    ) -> Result<Self, String> {
        let Some(source) = source.filter(|_| !has_aws_keys()) else {
            return Ok(Self::Inherited);
        };
        let credentials = source.credentials().await.map_err(|e| e.to_string())?;
        let settings = source.settings();
        if credentials.expires.is_none() {
            return Ok(Self::Keys(credentials, settings));
        }
        let server = CredentialServer::start(Arc::clone(source))
            .await
            .map_err(|e| format!("cannot serve AWS credentials to Packer at 127.0.0.1: {e}"))?;
        Ok(Self::Served(server, settings))
    }

    /// Returns the environment of Packer with these credentials instead of those in `environment`.
    pub(super) fn apply(
        &self,
        environment: Vec<(OsString, OsString)>,
    ) -> Vec<(OsString, OsString)> {
        let (variables, settings) = match self {
            Self::Inherited => return environment,
            Self::Keys(keys, settings) => (key_variables(keys), settings),
            Self::Served(server, settings) => (
                vec![
                    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url.clone()),
                    (
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                        server.token.expose().to_owned(),
                    ),
                ],
                settings,
            ),
        };
        let mut out: Vec<(OsString, OsString)> = environment
            .into_iter()
            .filter(|(name, _)| !SOURCES.iter().any(|source| name == source))
            .collect();
        let settings = settings
            .iter()
            .filter(|(name, _)| !out.iter().any(|(known, _)| known == name))
            .cloned()
            .collect::<Vec<_>>();
        // The default profile in these files would come first.
        let files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]
            .map(|name| (name, "/dev/null".to_owned()));
        let added = variables.into_iter().chain(files).chain(settings);
        out.extend(added.map(|(name, value)| (name.into(), value.into())));
        out
    }

    /// Returns the secrets that Packer has, for masking.
    pub(super) fn secrets(&self) -> Vec<String> {
        match self {
            Self::Inherited => Vec::new(),
            Self::Keys(keys, _) => secrets_of(keys),
            Self::Served(server, _) => server.secrets(),
        }
    }
}

fn key_variables(keys: &Credentials) -> Vec<(&'static str, String)> {
    let mut out = vec![
        ("AWS_ACCESS_KEY_ID", keys.key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_key.expose().to_owned()),
    ];
    if let Some(token) = &keys.session_token {
        out.push(("AWS_SESSION_TOKEN", token.expose().to_owned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ports::Secret;

    #[test]
    fn resolved_keys_replace_every_source_of_the_environment() {
        let keys = Credentials {
            key_id: "AKIA1".to_owned(),
            secret_key: Secret::new("a-secret-key"),
            session_token: Some(Secret::new("a-session-token")),
            expires: None,
        };
        let settings = vec![
            ("AWS_USE_FIPS_ENDPOINT", "true".to_owned()),
            ("AWS_CA_BUNDLE", "/profile.pem".to_owned()),
        ];
        let credentials = PackerCredentials::Keys(keys, settings);
        let inherited = SOURCES
            .iter()
            .map(|name| (OsString::from(name), OsString::from("old")))
            .chain([
                ("AWS_REGION".into(), "eu-west-1".into()),
                ("AWS_CA_BUNDLE".into(), "/own.pem".into()),
                ("PATH".into(), "/bin".into()),
            ])
            .collect();
        let found: BTreeMap<String, String> = credentials
            .apply(inherited)
            .into_iter()
            .map(|(name, value)| {
                let text = |word: OsString| word.into_string().expect("UTF-8");
                (text(name), text(value))
            })
            .collect();
        let expected = [
            ("AWS_ACCESS_KEY_ID", "AKIA1"),
            ("AWS_CA_BUNDLE", "/own.pem"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-key"),
            ("AWS_SESSION_TOKEN", "a-session-token"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("PATH", "/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
        assert_eq!(credentials.secrets(), ["a-secret-key", "a-session-token"]);
    }
}
