//! Owns how a secret in the clear is told from other text; the finding never repeats it.

use std::sync::LazyLock;

use regex::Regex;

use crate::catalog::codes;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile};

/// What kinds there are: how each looks and what it is called.
const KINDS: &[(&str, &str)] = &[
    (r"(?i)hooks\.slack(-gov)?\.com", "a Slack webhook's address"),
    (r"\b(AKIA|ASIA)[A-Z2-7]{16}\b", "an AWS access key id"),
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

/// Reports every key and value that holds a secret.
pub(crate) fn check(source: &SourceFile<'_>, root: &Node, diagnostics: &mut Diagnostics) {
    root.scalars(&mut |text, span| {
        if let Some(what) = find(text) {
            diagnostics.error(codes::SECRET, source.span(span.clone()), format!("this looks like {what}"))
                .help("remove it here and from the history, replace it, and hand it over in the environment");
        }
    });
}

/// What kind of secret the text holds, if any.
pub(crate) fn find(text: &str) -> Option<&'static str> {
    if let Some((_, what)) = PATTERNS.iter().find(|(pattern, _)| pattern.is_match(text)) {
        return Some(what);
    }
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '/' || c == '+';
    text.split(|c| !base64(c))
        .any(aws_secret)
        .then_some("an AWS secret access key")
}

/// An AWS secret access key is 40 random characters of base64; digests are 40 of one case, paths have few capitals.
fn aws_secret(word: &str) -> bool {
    let count = |class: fn(&u8) -> bool| word.bytes().filter(class).count();
    word.len() == 40
        && count(u8::is_ascii_uppercase) >= 6
        && count(u8::is_ascii_lowercase) >= 6
        && count(u8::is_ascii_digit) >= 1
        && count(|b| *b == b'/') <= 4
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn secrets_are_told_from_other_text() {
        // Put together here so that no scanner takes this file for a leak.
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
            assert!(find(&secret).is_some(), "{secret}");
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
            assert_eq!(find(harmless), None, "{harmless}");
        }
    }
}
