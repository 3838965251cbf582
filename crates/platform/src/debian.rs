//! Checks packages and compares versions of Debian and Ubuntu.
//!
//! Package syntax: Debian Policy 5.6.1 (names) and 5.6.12 (versions).

use std::cmp::Ordering;

use crate::update::PlatformError;

/// Architectures of rpm packages, which dnf separates with a dot.
const RPM_ARCHITECTURES: &[&str] = &["x86_64", "aarch64", "i386", "i686", "noarch"];

/// Checks `name`, `name:arch`, or either with `=version`. `*` at the end of a version matches any
/// further characters. Rejects text that apt could read as an option, a pattern or a removal.
pub(crate) fn check_package(text: &str) -> Result<(), PlatformError> {
    let error = |message: &str| Err(PlatformError(message.to_owned()));
    let (full, version) = text
        .split_once('=')
        .map_or((text, None), |(n, v)| (n, Some(v)));
    let (name, arch) = full
        .split_once(':')
        .map_or((full, None), |(n, a)| (n, Some(a)));
    if name.starts_with('-') {
        return error(
            "a package name cannot start with `-`, because apt would read it as an option",
        );
    }
    check_separators(name)?;
    if name.len() < 2 || !name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return error("a package name has at least two characters and starts with a-z or 0-9");
    }
    let is_allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(*c);
    if let Some(c) = name.chars().find(|c| !is_allowed(c)) {
        return Err(PlatformError(format!(
            "`{}` is not one of a-z, 0-9, `+`, `-` and `.`",
            c.escape_default()
        )));
    }
    if name.ends_with('-') || name.ends_with('+') && !name.ends_with("++") {
        return error("apt would read the trailing `-` or `+` as a command to remove or install");
    }
    if arch.is_some_and(|a| {
        a.is_empty()
            || !a
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }) {
        return error("the part after `:` must be an architecture such as amd64");
    }
    let is_version = |v: &str| {
        v.starts_with(|c: char| c.is_ascii_digit())
            && v.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".+-:~".contains(&b))
    };
    // apt compares the text before a final `*` with the start of each version. Other wildcards match
    // only themselves (tried with apt 2.6).
    let start = version.map(|v| v.strip_suffix('*').unwrap_or(v));
    if start.is_some_and(|v| v.contains(['*', '?', '['])) {
        return error("in a version, apt supports only one `*`, and only at the end");
    }
    if start.is_some_and(|v| !is_version(v)) {
        return error("the part after `=` must be a version such as 1.22.1-9 or 1.22.*");
    }
    Ok(())
}

/// Rejects names with the separators of dnf: `nginx-1.22.1-9.el9`, `nginx-1.22.*`, `glibc.i686`.
///
/// A hyphen and a number alone are not enough, because Debian has names such as
/// `linux-image-6.1.0-18-amd64`.
fn check_separators(name: &str) -> Result<(), PlatformError> {
    let error = |message: &str| Err(PlatformError(message.to_owned()));
    let is_number = |c: char| c.is_ascii_digit();
    let has_version = name
        .split('-')
        .skip(1)
        .any(|part| part.starts_with(is_number));
    let is_release = |part: &str| {
        let release = ["el", "fc", "amzn"].iter();
        let mut rest = release.filter_map(|prefix| part.strip_prefix(prefix));
        rest.any(|rest| rest.starts_with(is_number))
    };
    if name.contains('*') && !has_version {
        return error("`*` is allowed only at the end of a version, as in nginx=1.22.*");
    }
    let has_release = name.split('.').skip(1).any(is_release);
    if has_version && (name.contains('*') || has_release) {
        return error(
            "apt separates name and version with `=`, as in nginx=1.22.1-9 or nginx=1.22.*",
        );
    }
    let last = name.rsplit_once('.').map(|(_, last)| last);
    if last.is_some_and(|last| RPM_ARCHITECTURES.contains(&last)) {
        return error("apt separates name and architecture with `:`, as in libc6:amd64");
    }
    Ok(())
}

/// Compares two versions by Debian Policy 5.6.12: epoch, upstream version, revision. A missing part
/// is 0.
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let split = |text: &'_ str| -> (String, String, String) {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch.to_owned(), upstream.to_owned(), revision.to_owned())
    };
    let (a, b) = (split(a), split(b));
    compare_parts(&a.0, &b.0)
        .then_with(|| compare_parts(&a.1, &b.1))
        .then_with(|| compare_parts(&a.2, &b.2))
}

/// Compares alternating runs of non-digits, by [`sort_weight`], and digits, as numbers.
fn compare_parts(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let digit = |c: Option<&u8>| c.is_some_and(u8::is_ascii_digit);
        while !a.is_empty() && !digit(a.first()) || !b.is_empty() && !digit(b.first()) {
            let order = sort_weight(a.first()).cmp(&sort_weight(b.first()));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[1..], &b[1..]);
        }
        let (left, right);
        (left, a) = split_number(a);
        (right, b) = split_number(b);
        // Without leading zeros, the longer number is larger.
        let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Returns the order of a character: `~`, then the end of the run, then letters, then others.
fn sort_weight(c: Option<&u8>) -> i32 {
    match c {
        Some(b'~') => -1,
        None | Some(b'0'..=b'9') => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    }
}

/// Returns the leading digits without leading zeros, and the rest.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|c| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let zeros = text[..end].iter().position(|c| *c != b'0').unwrap_or(end);
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::{check_package, compare_versions};

    #[test]
    fn versions_follow_debian_policy() {
        // Policy 5.6.12: "~~, ~~a, ~, the empty part, a". Letters sort before other characters, and
        // epochs first. Other examples are checked with `dpkg --compare-versions`.
        let ascending: &[&[&str]] = &[
            &["1~~", "1~~a", "1~", "1", "1a", "1+", "1."],
            &[
                "1.0~beta1~svn1245",
                "1.0~beta1",
                "1.0",
                "1.0-0.1",
                "1.0-1",
                "1.0.1",
            ],
            &["1.2.9", "1.2.10", "1.12", "2", "0:2.1", "1:0.1", "10:0"],
            &["9.2p1-2", "9.2p1-2+deb12u3", "9.2p1-2+deb12u10", "9.2p1-3"],
            &["1.22", "1.22.1-9", "1.22.1-9+deb12u1", "1.22.1-9.1"],
            &[
                "1-99999999999999999999999998",
                "1-99999999999999999999999999",
            ],
        ];
        for row in ascending {
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    assert_eq!(compare_versions(a, b), i.cmp(&j), "{a} {b}");
                }
            }
        }
        for (a, b) in [
            ("0:1", "1"),
            ("1.0", "1.00"),
            ("1-0", "1"),
            ("1.001", "1.1"),
            ("1.0-0", "1.0-00"),
        ] {
            assert!(
                compare_versions(a, b).is_eq() && compare_versions(b, a).is_eq(),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn packages_cannot_be_options_or_code() {
        for good in [
            "nginx",
            "g++",
            "libc6:amd64",
            "nginx=1.22.1-9+deb12u3",
            "nginx=1.22.*",
            "libc6:amd64=2.36-9*",
            "vim=2:9.0*",
            "python3.11",
            "0ad",
        ] {
            assert_eq!(check_package(good), Ok(()), "{good}");
        }
        for bad in [
            "-y",
            "--allow-unauthenticated",
            "",
            "a",
            "nginx-",
            "vim+",
            "a;b",
            "$(id)",
            "a b",
            "nginx*",
            "x\ny",
            "nginx=",
            "nginx=;",
            "nginx=*",
            "nginx=1.*.1",
            "nginx=1.2**",
            "nginx=1.2?",
            "nginx=1.[2]*",
            "ngin*=1.22.1-9",
            "./x.deb",
            "a:",
        ] {
            assert!(check_package(bad).is_err(), "{bad}");
        }
    }
}
