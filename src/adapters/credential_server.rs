//! Serves AWS credentials to Packer at a loopback address, as the AWS SDKs expect them in containers
//! (AWS SDKs and Tools Reference Guide, "Container credential provider"). The SDKs ask again before
//! the credentials expire.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::ports::{CredentialSource, Credentials, Secret};

/// Largest head of a request in bytes.
const MAX_REQUEST: usize = 8 * 1024;
/// Time limit to receive a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running server. It ends when this value is dropped.
pub(super) struct CredentialServer {
    /// Address for `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub(super) url: String,
    /// Value for `AWS_CONTAINER_AUTHORIZATION_TOKEN`. Other users of the machine do not know it.
    pub(super) token: Secret,
    served: Arc<Mutex<BTreeSet<String>>>,
    task: JoinHandle<()>,
}

impl CredentialServer {
    /// Starts a server at a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Fails if the address or random bytes are not available.
    pub(super) async fn start(source: Arc<dyn CredentialSource>) -> std::io::Result<Self> {
        let token = random_token()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/credentials", listener.local_addr()?);
        let served = Arc::new(Mutex::new(BTreeSet::from([token.clone()])));
        let (expected, secrets) = (token.clone(), Arc::clone(&served));
        let task = tokio::spawn(async move {
            loop {
                let connection = match listener.accept().await {
                    Ok((connection, _)) => connection,
                    Err(error) => {
                        // Too many files may be open for a moment. Packer needs the server until its end.
                        tracing::warn!(%error, "the server of credentials accepts no connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let (source, secrets) = (Arc::clone(&source), Arc::clone(&secrets));
                let expected = expected.clone();
                tokio::spawn(async move {
                    // A client that goes away gets no answer.
                    let _ignored = answer(connection, &expected, &*source, &secrets).await;
                });
            }
        });
        Ok(Self {
            url,
            token: Secret::new(token),
            served,
            task,
        })
    }

    /// Returns the token and all secrets that were served, for masking.
    pub(super) fn secrets(&self) -> Vec<String> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.iter().cloned().collect()
    }
}

impl Drop for CredentialServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns 256 random bits as text.
fn random_token() -> std::io::Result<String> {
    let mut bytes = [0u8; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Answers one request.
async fn answer(
    mut connection: TcpStream,
    token: &str,
    source: &dyn CredentialSource,
    secrets: &Mutex<BTreeSet<String>>,
) -> std::io::Result<()> {
    let head = tokio::time::timeout(REQUEST_TIMEOUT, read_head(&mut connection)).await??;
    let (status, body) = if !is_authorized(&head, token) {
        let text = "the authorization token is missing or wrong";
        (
            "403 Forbidden",
            json!({"code": "Forbidden", "message": text}),
        )
    } else {
        match source.credentials().await {
            Ok(credentials) => {
                let mut known = secrets.lock().unwrap_or_else(PoisonError::into_inner);
                known.extend(secrets_of(&credentials));
                ("200 OK", body(&credentials))
            }
            Err(error) => (
                "500 Internal Server Error",
                json!({"code": "CredentialsNotAvailable", "message": error.to_string()}),
            ),
        }
    };
    let body = body_bytes(&body);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&body).await?;
    connection.shutdown().await
}

fn body_bytes(body: &serde_json::Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

/// Reads the request line and the headers.
async fn read_head(connection: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut part = [0u8; 1024];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < MAX_REQUEST {
        let count = connection.read(&mut part).await?;
        if count == 0 {
            break;
        }
        head.extend_from_slice(&part[..count]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Returns whether a request asks for the credentials with the right token.
fn is_authorized(head: &str, token: &str) -> bool {
    let mut lines = head.lines();
    let asks = lines
        .next()
        .is_some_and(|line| line.starts_with("GET /credentials "));
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    asks && headers.any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("authorization") && value.trim() == token
    })
}

/// Returns the response body. The times of jiff are RFC 3339, as the SDKs expect.
fn body(credentials: &Credentials) -> serde_json::Value {
    let mut out = json!({
        "AccessKeyId": credentials.key_id,
        "SecretAccessKey": credentials.secret_key.expose(),
    });
    if let Some(token) = &credentials.session_token {
        out["Token"] = token.expose().into();
    }
    if let Some(expires) = credentials.expires {
        out["Expiration"] = expires.to_string().into();
    }
    out
}

/// Returns the secrets of credentials, for masking.
pub(super) fn secrets_of(credentials: &Credentials) -> Vec<String> {
    let token = credentials.session_token.as_ref();
    [Some(&credentials.secret_key), token]
        .into_iter()
        .flatten()
        .map(|secret| secret.expose().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::ports::CloudResult;

    /// Source whose session differs at every call.
    #[derive(Default)]
    struct Renewing(AtomicU32);

    #[async_trait]
    impl CredentialSource for Renewing {
        async fn credentials(&self) -> CloudResult<Credentials> {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Credentials {
                key_id: "ASIA1".to_owned(),
                secret_key: Secret::new(format!("secret-key-{number}")),
                session_token: Some(Secret::new(format!("session-token-{number}"))),
                expires: "2026-11-29T12:00:00Z".parse().ok(),
            })
        }

        fn settings(&self) -> Vec<(&'static str, String)> {
            Vec::new()
        }
    }

    async fn get(server: &CredentialServer, path: &str, token: &str) -> String {
        let host = server.url.trim_start_matches("http://");
        let (address, _) = host.split_once('/').expect("a path");
        let mut connection = TcpStream::connect(address).await.expect("a connection");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\n\r\n");
        connection
            .write_all(request.as_bytes())
            .await
            .expect("sent");
        let mut answer = String::new();
        connection
            .read_to_string(&mut answer)
            .await
            .expect("an answer");
        answer
    }

    #[tokio::test]
    async fn server_gives_renewed_credentials_only_for_the_token() {
        let server = CredentialServer::start(Arc::new(Renewing::default()))
            .await
            .expect("a server");
        for (path, token) in [
            ("/credentials", "wrong"),
            ("/credentials", ""),
            ("/", server.token.expose()),
        ] {
            let refused = get(&server, path, token).await;
            assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
            assert!(!refused.contains("secret-key"), "{refused}");
        }
        for number in 0..2 {
            let answer = get(&server, "/credentials", server.token.expose()).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            let expected = json!({
                "AccessKeyId": "ASIA1",
                "SecretAccessKey": format!("secret-key-{number}"),
                "Token": format!("session-token-{number}"),
                "Expiration": "2026-11-29T12:00:00Z",
            });
            assert_eq!(body, expected);
        }
        let secrets = server.secrets();
        for secret in [
            "secret-key-0",
            "session-token-0",
            "secret-key-1",
            "session-token-1",
        ] {
            assert!(
                secrets.contains(&secret.to_owned()),
                "{secret} is not masked"
            );
        }
    }
}
