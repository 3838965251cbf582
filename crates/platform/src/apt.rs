//! Lists pending updates of Debian and Ubuntu with `apt-get -s dist-upgrade`.

use crate::pending::{BEGIN, END, FAILED, extract_list};
use crate::update::{PlatformError, Update};

/// Text of the function `apt_get`, which waits for locks. Builds render the same template.
const LOCKS: &str = include_str!("../../../templates/provision/debian/apt.sh");

/// Returns a script that refreshes the lists of a temporary instance and simulates an upgrade.
///
/// Uses `dist-upgrade`, because a new kernel is a new package. Installs nothing.
pub(crate) fn pending_script() -> String {
    format!(
        "export LC_ALL=C DEBIAN_FRONTEND=noninteractive\n\
         {LOCKS}\
         command -v cloud-init >/dev/null 2>&1 && cloud-init status --wait >/dev/null 2>&1\n\
         fail() {{ echo \"{FAILED} $1\"; exit 0; }}\n\
         output=$(apt_get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update 2>&1) ||\n\
           fail \"apt-get update: $(echo \"$output\" | grep '^[EW]:' | tail -n 1)\"\n\
         list=$(apt-get -s -q -o Debug::NoLocking=1 dist-upgrade 2>&1) || fail \"apt-get dist-upgrade: $(echo \"$list\" | tail -n 1)\"\n\
         echo {BEGIN}\n\
         echo \"$list\" | grep '^Inst '\n\
         echo {END}\n"
    )
}

/// Parses lines such as `Inst openssl [3.0.15-1] (3.0.16-1 Debian-Security:12/stable-security
/// [amd64])`.
///
/// A new package has no installed version. Other output of apt is ignored.
pub(crate) fn parse_pending(out: &str) -> Result<Vec<Update>, PlatformError> {
    parse_upgrade(extract_list(out)?)
}

/// Parses the `Inst` lines of a simulated upgrade.
pub(crate) fn parse_upgrade(list: &str) -> Result<Vec<Update>, PlatformError> {
    let lines = list
        .lines()
        .map(str::trim)
        .filter(|l| l.starts_with("Inst "));
    lines
        .map(|l| {
            parse_line(l).ok_or_else(|| PlatformError(format!("unknown output of apt: {l:?}")))
        })
        .collect()
}

fn parse_line(line: &str) -> Option<Update> {
    let rest = line.strip_prefix("Inst ")?;
    let (package, rest) = rest.split_once(' ')?;
    let (before, rest) = rest.split_once('(')?;
    let current = before
        .trim()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let (inside, _) = rest.split_once(')')?;
    let (candidate, origin) = inside.split_once(' ')?;
    let origin = origin
        .rsplit_once(" [")
        .map_or(origin, |(origin, _)| origin)
        .trim();
    // The origin is `Debian-Security:12/stable-security`. Ubuntu has suites that end in
    // `-security`.
    let security = origin
        .split(", ")
        .any(|o| o.starts_with("Debian-Security") || o.ends_with("-security"));
    let (package, candidate, origin) =
        (package.to_owned(), candidate.to_owned(), origin.to_owned());
    Some(Update {
        package,
        current,
        candidate,
        origin,
        security,
    })
}

#[cfg(test)]
mod tests {
    use super::{parse_pending, pending_script};

    /// Recorded from `apt-get -s dist-upgrade` on Debian 12, with additional cases.
    const RECORDED: &str = "\
Welcome!
bakeline-updates-begin
Inst base-files [12.4+deb12u10] (12.4+deb12u12 Debian:12.12/oldstable [amd64])
Inst libssl3 [3.0.16-1~deb12u1] (3.0.17-1~deb12u3 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [amd64]) []
Inst openssl [3.0.16-1~deb12u1] (3.0.17-1~deb12u3 Debian-Security:12/oldstable-security [amd64])
Inst linux-image-6.1.0-40-cloud-amd64 (6.1.153-1 Debian-Security:12/oldstable-security [amd64])
Inst tzdata [2025b-0] (2025c-0 Ubuntu:24.04/noble-updates [all])
Inst curl [8.5.0-2ubuntu10.5] (8.5.0-2ubuntu10.6 Ubuntu:24.04/noble-security [amd64])
bakeline-updates-end
";

    #[test]
    fn parser_recognizes_security_updates() {
        let updates = parse_pending(RECORDED).expect("valid");
        let lines: Vec<String> = updates
            .iter()
            .map(|u| {
                format!(
                    "{} {} -> {}{}",
                    u.package,
                    u.current,
                    u.candidate,
                    if u.security { " !" } else { "" }
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "base-files 12.4+deb12u10 -> 12.4+deb12u12",
                "libssl3 3.0.16-1~deb12u1 -> 3.0.17-1~deb12u3 !",
                "openssl 3.0.16-1~deb12u1 -> 3.0.17-1~deb12u3 !",
                "linux-image-6.1.0-40-cloud-amd64  -> 6.1.153-1 !",
                "tzdata 2025b-0 -> 2025c-0",
                "curl 8.5.0-2ubuntu10.5 -> 8.5.0-2ubuntu10.6 !",
            ]
        );
        assert_eq!(
            updates[1].origin,
            "Debian:12.12/oldstable, Debian-Security:12/oldstable-security"
        );
        assert_eq!(
            parse_pending("bakeline-updates-begin\nbakeline-updates-end\n"),
            Ok(Vec::new())
        );
    }

    #[test]
    fn failed_or_incomplete_output_is_an_error() {
        let bad = [
            ("", "is empty"),
            (
                "bakeline-updates-begin\nInst a [1] (2 D:1 [x])\n",
                "incomplete",
            ),
            (
                "bakeline-updates-failed apt-get update: E: no network\n",
                "no network",
            ),
            (
                "bakeline-updates-begin\nInst nonsense\nbakeline-updates-end\n",
                "nonsense",
            ),
        ];
        for (out, expected) in bad {
            let error = parse_pending(out).expect_err(out);
            assert!(error.0.contains(expected), "{out:?}: {error}");
        }
    }

    #[test]
    fn script_installs_nothing() {
        let script = pending_script();
        assert!(
            script.contains("apt-get -s ")
                && !script.contains(" install")
                && !script.contains(" -y"),
            "{script}"
        );
    }
}
