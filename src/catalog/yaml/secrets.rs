//! Finds secrets in plain text. Diagnostics never repeat them.

use std::sync::LazyLock;

use regex::Regex;

use crate::catalog::codes;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile};

const SLACK_WEBHOOK: &str = "a Slack webhook URL";

/// Patterns of secrets and their names.
const KINDS: &[(&str, &str)] = &[
    (r"(?i)hooks\.slack(-gov)?\.com", SLACK_WEBHOOK),
    (r"\b(AKIA|ASIA)[A-Z2-7]{16}\b", "an AWS access key ID"),
    (
        r"\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}",
        "a Slack token",
    ),
    (
        r"\bgl(pat|ptt|dt|rt|cbt|ft|soat)-[A-Za-z0-9_.-]{16,}",
        "a GitLab token",
    ),
    (
        r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}",
        "a GitHub token",
    ),
    (
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----",
        "a private key",
    ),
    (
        r"\b[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@",
        "an address with a password",
    ),
];

static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    KINDS
        .iter()
        .map(|(pattern, what)| (Regex::new(pattern).expect("every pattern is tested"), *what))
        .collect()
});

/// Reports all keys and values that contain a secret.
pub(crate) fn report_secrets(source: &SourceFile<'_>, root: &Node, diagnostics: &mut Diagnostics) {
    root.visit_scalars(&mut |text, span| {
        if let Some(what) = secret_kind(text) {
            let message = format!("this looks like {what}");
            diagnostics
                .error(codes::SECRET, source.span(span.clone()), message)
                .help(format!(
                    "revoke it and remove it here and from the Git history; {}",
                    if what == SLACK_WEBHOOK {
                        "store the URL in an environment variable, and set its name in `notifiers`"
                    } else {
                        "let instances read secrets when they start, for example from AWS Secrets \
                         Manager"
                    }
                ));
        }
    });
}

/// Returns the kind of secret in the text.
pub(crate) fn secret_kind(text: &str) -> Option<&'static str> {
    if let Some((_, what)) = PATTERNS.iter().find(|(pattern, _)| pattern.is_match(text)) {
        return Some(what);
    }
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '/' || c == '+';
    text.split(|c| !base64(c))
        .any(is_aws_secret)
        .then_some("an AWS secret access key")
}

/// Returns true for an AWS secret access key: 40 random characters of base64. Hex digests have one
/// case and paths have few capitals.
fn is_aws_secret(word: &str) -> bool {
    let count = |class: fn(&u8) -> bool| word.bytes().filter(class).count();
    word.len() == 40
        && count(u8::is_ascii_uppercase) >= 6
        && count(u8::is_ascii_lowercase) >= 6
        && count(u8::is_ascii_digit) >= 1
        && count(|b| *b == b'/') <= 4
}

#[cfg(test)]
mod tests {
    use super::secret_kind;

    #[test]
    fn secrets_are_recognized() {
        // The parts are joined here so that secret scanners ignore this file.
        let join = |a: &str, b: &str| format!("{a}{b}");
        for secret in [
            join("https://hooks.slack", ".com/services/T0/B0/x"),
            join("AKIA", "IOSFODNN7EXAMPLE"),
            join("key ASIA", "IOSFODNN7EXAMPLE."),
            join("wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY"),
            join("xoxb", "-123456789012-abcdef"),
            join("glpat", "-abcdefghij0123456789"),
            join("ghp", "_abcdefghijklmnopqrstuvwxyz0123456789"),
            join("-----BEGIN OPENSSH PRIVATE", " KEY-----\nabc"),
            join("-----BEGIN PRIVATE", " KEY-----"),
            join("https://bob:", "hunter2@example.com/"),
        ] {
            assert!(secret_kind(&secret).is_some(), "{secret}");
        }
        for harmless in [
            "https://example.com/a:b@c",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "/usr/share/java/openjdk17/lib/security01",
            "AKIAsaid",
            "the box-office",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "mailto:a@b",
        ] {
            assert_eq!(secret_kind(harmless), None, "{harmless}");
        }
    }
}
