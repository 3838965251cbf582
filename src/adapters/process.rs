//! Owns how child processes are started: a cleaned environment, no standard input, nothing secret in argv.

use std::ffi::OsString;

/// Variables that tools need and that carry no secret of ours. Cloud credentials are added by those that need them.
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

/// The environment for a child: the plain variables, and those that start with one of `prefixes`.
pub(super) fn environment(prefixes: &[&str]) -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            PASSED.contains(&name.as_ref()) || prefixes.iter().any(|p| name.starts_with(p))
        })
        .collect()
}

/// The environment's secrets, for masking.
pub(super) fn secrets() -> Vec<String> {
    let secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["SECRET", "TOKEN", "PASSWORD", "WEBHOOK"]
            .iter()
            .any(|word| name.contains(word))
    };
    std::env::vars()
        .filter(|(name, value)| secret(name) && value.len() >= 8)
        .map(|(_, value)| value)
        .collect()
}

/// Masks secrets in a line. A secret of several lines (a private key) is masked line by line, its marker lines too.
pub(super) fn mask(line: &str, secrets: &[String]) -> String {
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
    use super::mask;

    #[test]
    fn every_line_of_a_secret_is_masked() {
        let key =
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAA\nshort\n-----END OPENSSH PRIVATE KEY-----"
                .to_owned();
        assert_eq!(
            mask(
                "got b3BlbnNzaC1rZXktdjEAAA here",
                std::slice::from_ref(&key)
            ),
            "got *** here"
        );
        assert_eq!(mask("a short line", &[key]), "a short line");
    }
}
