//! Prepares child processes: selects their environment and masks secrets in their output.

use std::ffi::OsString;

/// Variables that every child process gets. They contain no secrets. Callers add credentials.
const PASSED: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// Returns the environment of a child: [`PASSED`] and variables with one of the `prefixes`.
pub(super) fn child_environment(prefixes: &[&str]) -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            PASSED.contains(&name.as_ref()) || prefixes.iter().any(|p| name.starts_with(p))
        })
        .collect()
}

/// Returns the secrets in the environment, for masking.
pub(super) fn environment_secrets() -> Vec<String> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["SECRET", "TOKEN", "PASSWORD", "WEBHOOK"]
            .iter()
            .any(|word| name.contains(word))
    };
    std::env::vars()
        .filter(|(name, value)| is_secret(name) && value.len() >= 8)
        .map(|(_, value)| value)
        .collect()
}

/// Masks secrets in a line. Of a private key, each line of at least eight characters is masked,
/// including the marker lines.
pub(super) fn mask_secrets(line: &str, secrets: &[String]) -> String {
    let mut out = line.to_owned();
    for part in secrets
        .iter()
        .flat_map(|s| s.lines())
        .filter(|p| p.trim().len() >= 8)
    {
        if out.contains(part.trim()) {
            out = out.replace(part.trim(), "***");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::mask_secrets;

    #[test]
    fn mask_covers_every_line_of_a_secret() {
        let key =
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAA\nshort\n-----END OPENSSH PRIVATE KEY-----"
                .to_owned();
        assert_eq!(
            mask_secrets(
                "got b3BlbnNzaC1rZXktdjEAAA here",
                std::slice::from_ref(&key)
            ),
            "got *** here"
        );
        assert_eq!(mask_secrets("a short line", &[key]), "a short line");
    }
}
