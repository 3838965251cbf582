//! Owns asking Debian's apt which updates are pending: what to run, and how to read `apt-get -s dist-upgrade`.

use crate::{PlatformError, Update};

const BEGIN: &str = "bakeline-updates-begin";
const END: &str = "bakeline-updates-end";
const FAILED: &str = "bakeline-updates-failed";
/// The text of the function `apt_get`, which waits for locks. Builds render it from the template.
const LOCKS: &str = include_str!("../../../templates/provision/debian/apt.sh");

/// Refreshes the lists of this throwaway instance and simulates an upgrade; `dist-upgrade`, because a new kernel is a new
/// package. Nothing is installed.
pub(crate) fn script() -> String {
    format!(
        "export LC_ALL=C DEBIAN_FRONTEND=noninteractive\n\
         {LOCKS}\
         command -v cloud-init >/dev/null 2>&1 && cloud-init status --wait >/dev/null 2>&1\n\
         fail() {{ echo \"{FAILED} $1\"; exit 0; }}\n\
         said=$(apt_get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update 2>&1) ||\n\
           fail \"apt-get update: $(echo \"$said\" | grep '^[EW]:' | tail -n 1)\"\n\
         list=$(apt-get -s -q -o Debug::NoLocking=1 dist-upgrade 2>&1) || fail \"apt-get dist-upgrade: $(echo \"$list\" | tail -n 1)\"\n\
         echo {BEGIN}\n\
         echo \"$list\" | grep '^Inst '\n\
         echo {END}\n"
    )
}

/// Reads lines such as `Inst openssl [3.0.15-1] (3.0.16-1 Debian-Security:12/stable-security [amd64])`; a new package has
/// no installed version. What apt says of a package beyond its line does not matter.
pub(crate) fn parse(out: &str) -> Result<Vec<Update>, PlatformError> {
    if let Some((_, why)) = out.split_once(FAILED) {
        return Err(PlatformError(
            why.lines().next().unwrap_or("").trim().to_owned(),
        ));
    }
    let (_, rest) = out
        .split_once(BEGIN)
        .ok_or_else(|| PlatformError("it did not answer".to_owned()))?;
    let (list, _) = rest
        .split_once(END)
        .ok_or_else(|| PlatformError("its answer is cut off".to_owned()))?;
    upgrade(list)
}

/// Reads the `Inst` lines of a simulated upgrade.
pub(crate) fn upgrade(list: &str) -> Result<Vec<Update>, PlatformError> {
    let lines = list
        .lines()
        .map(str::trim)
        .filter(|l| l.starts_with("Inst "));
    lines
        .map(|l| line(l).ok_or_else(|| PlatformError(format!("apt said something unknown: {l:?}"))))
        .collect()
}

fn line(line: &str) -> Option<Update> {
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
    // Origin `Debian-Security:12/stable-security`; derivatives name the suite `-security` (Ubuntu) or the label so.
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
    use super::{parse, script};

    /// Recorded from `apt-get -s dist-upgrade` on Debian 12, with a line each for what else occurs.
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
    fn reads_what_apt_says_and_tells_security_from_the_rest() {
        let updates = parse(RECORDED).expect("it is sound");
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
            parse("bakeline-updates-begin\nbakeline-updates-end\n"),
            Ok(Vec::new())
        );
    }

    #[test]
    fn what_failed_or_is_cut_off_is_no_clean_bill_of_health() {
        let bad = [
            ("", "did not answer"),
            (
                "bakeline-updates-begin\nInst a [1] (2 D:1 [x])\n",
                "cut off",
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
        for (out, words) in bad {
            let error = parse(out).expect_err(out);
            assert!(error.0.contains(words), "{out:?}: {error}");
        }
    }

    #[test]
    fn the_script_is_a_posix_shell_script_that_installs_nothing() {
        let script = script();
        assert!(
            script.contains("apt-get -s ")
                && !script.contains(" install")
                && !script.contains(" -y"),
            "{script}"
        );
    }
}
