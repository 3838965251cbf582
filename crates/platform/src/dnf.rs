//! Checks packages and lists pending updates of Amazon Linux and the RHEL family, with dnf.

use crate::pending::{BEGIN, END, FAILED, extract_list};
use crate::update::{PlatformError, Update};

/// Checks `name`, `name.arch`, `name-version`, `name-version-release` or one of these with `.arch`
/// (dnf(8), "Specifying Packages"). A version may start with an epoch: `name-epoch:version`. `*` in a version or release matches any characters. Rejects text
/// that dnf could read as an option, a group, a file, a URL or a pattern of names.
///
/// A name can contain hyphens and dots, so only dnf can tell the parts apart.
pub(crate) fn check_package(text: &str) -> Result<(), PlatformError> {
    let error = |message: &str| Err(PlatformError(message.to_owned()));
    if text.starts_with('-') {
        return error(
            "a package name cannot start with `-`, because dnf would read it as an option",
        );
    }
    if text.starts_with('@') {
        return error("`@` names a group of packages; list the packages instead");
    }
    if text.contains('=') {
        return error("dnf separates name and version with `-`, as in nginx-1.22.1-9.el9");
    }
    if text.len() < 2 || !text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return error(
            "a package name has at least two characters and starts with a letter, a digit or `_`",
        );
    }
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || "+-._~^:*".contains(*c);
    if let Some(c) = text.chars().find(|c| !is_allowed(c)) {
        return Err(PlatformError(format!(
            "`{}` is not one of a-z, A-Z, 0-9, `+`, `-`, `.`, `_`, `~`, `^`, `:` and `*`",
            c.escape_default()
        )));
    }
    if has_extension(text, "rpm") {
        return error("dnf would read a name that ends with `.rpm` as a file");
    }
    if text.ends_with(['-', '.', ':']) {
        return error("the name ends with a separator, so a version or architecture is missing");
    }
    check_colons(text)?;
    if let Some((start, _)) = text.split_once('*')
        && !is_inside_version(start)
    {
        return error(
            "`*` must follow a dot or an epoch in the version, as in nginx-1.22.* or bash-0:5*; \
             otherwise dnf could install packages with other names",
        );
    }
    Ok(())
}

/// Rejects `:` that does not follow an epoch, as in `bash-0:5.1.8-6.el9`.
fn check_colons(text: &str) -> Result<(), PlatformError> {
    let error = |message: &str| Err(PlatformError(message.to_owned()));
    let Some((start, rest)) = text.split_once(':') else {
        return Ok(());
    };
    let epoch = start.rsplit_once('-').map_or("", |(_, epoch)| epoch);
    let is_epoch = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit());
    if is_epoch && !rest.contains(':') {
        return Ok(());
    }
    let starts_with_letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_epoch && starts_with_letter(start) && starts_with_letter(rest) {
        return error("dnf separates name and architecture with `.`, as in glibc.i686");
    }
    error(
        "`:` is allowed only after an epoch, as in bash-0:5.1.8-6.el9; \
         dnf separates name and version with `-`",
    )
}

/// Returns true if the text ends inside a version with a dot or an epoch, or in a release after such
/// a version.
///
/// dnf compares a pattern with name, version and release together. `java-17*` therefore matches
/// `java-17-openjdk-devel` (tried with dnf 4.14), but `java-17.*` does not.
fn is_inside_version(start: &str) -> bool {
    let is_version =
        |part: &&str| part.starts_with(|c: char| c.is_ascii_digit()) && part.contains(['.', ':']);
    let parts: Vec<&str> = start.split('-').skip(1).collect();
    parts.iter().rev().take(2).any(is_version)
}

fn has_extension(text: &str, extension: &str) -> bool {
    text.rsplit_once('.')
        .is_some_and(|(_, found)| found == extension)
}

/// Returns a script that refreshes the metadata of a temporary instance and lists its updates.
/// Installs nothing.
///
/// `--upgrades` includes a new kernel, because a kernel is an upgrade of the installed kernel
/// package. `options` are further options of dnf, such as `--releasever=latest`.
pub(crate) fn pending_script(options: &str) -> String {
    let query = "repoquery -C --upgrades --latest-limit=1";
    let list = format!("dnf -q {options} {query} --qf '%{{name}}.%{{arch}} %{{evr}} %{{repoid}}'");
    let security = format!("dnf -q {options} {query} --security --qf '%{{name}}.%{{arch}}'");
    format!(
        "export LC_ALL=C\n\
         command -v cloud-init >/dev/null 2>&1 && cloud-init status --wait >/dev/null 2>&1\n\
         fail() {{ echo \"{FAILED} $1\"; exit 0; }}\n\
         output=$(dnf -q {options} --setopt=skip_if_unavailable=False --refresh makecache 2>&1) ||\n\
           fail \"dnf makecache: $(echo \"$output\" | grep -v '^ *$' | tail -n 1)\"\n\
         list=$({list} 2>&1) || fail \"dnf repoquery: $(echo \"$list\" | tail -n 1)\"\n\
         security=$({security} 2>&1) || fail \"dnf repoquery: $(echo \"$security\" | tail -n 1)\"\n\
         echo {BEGIN}\n\
         echo \"$list\" | while read -r package candidate repository rest; do\n\
           [ -n \"$package\" ] || continue\n\
           current=$(rpm -q --qf '%{{EVR}}\\n' -- \"$package\" 2>/dev/null | tail -n 1)\n\
           kind=other\n\
           if echo \"$security\" | grep -qxF -- \"$package\"; then kind=security; fi\n\
           echo \"Update $package ${{current:--}} $candidate $repository $kind $rest\"\n\
         done\n\
         echo {END}\n"
    )
}

/// Parses lines such as `Update openssl.x86_64 1:3.0.1-1.el9 1:3.0.7-2.el9 baseos security`.
///
/// The version of a package without epoch has none, and `-` means that the package is new.
pub(crate) fn parse_pending(out: &str) -> Result<Vec<Update>, PlatformError> {
    parse_upgrade(extract_list(out)?)
}

/// Parses the `Update` lines of [`pending_script`].
pub(crate) fn parse_upgrade(list: &str) -> Result<Vec<Update>, PlatformError> {
    let lines = list.lines().map(str::trim).filter(|l| !l.is_empty());
    lines
        .map(|l| {
            parse_line(l).ok_or_else(|| PlatformError(format!("unknown output of dnf: {l:?}")))
        })
        .collect()
}

fn parse_line(line: &str) -> Option<Update> {
    let fields: Vec<&str> = line.split(' ').collect();
    let ["Update", package, current, candidate, origin, kind] = fields[..] else {
        return None;
    };
    let (package, _arch) = package.rsplit_once('.')?;
    let security = match kind {
        "security" => true,
        "other" => false,
        _ => return None,
    };
    Some(Update {
        package: package.to_owned(),
        current: if current == "-" { "" } else { current }.to_owned(),
        candidate: candidate.to_owned(),
        origin: origin.to_owned(),
        security,
    })
}

#[cfg(test)]
mod tests {
    use super::{check_package, parse_pending, pending_script};

    #[test]
    fn packages_cannot_be_options_or_code() {
        for good in [
            "nginx",
            "NetworkManager",
            "gcc-c++",
            "glibc.i686",
            "nginx-1.22.1-9.el9",
            "bash-0:5.1.8-6.el9_1.x86_64",
            "kernel-6.1.79-99.164.amzn2023",
            "python3.11-libs",
            "389-ds-base",
            "nginx-1.22.*",
            "nginx-1.22.*.x86_64",
            "nginx-1.*-9.el9",
            "bash-5.1.8-*",
            "bash-0:5*",
            "389-ds-base-2.*",
        ] {
            assert_eq!(check_package(good), Ok(()), "{good}");
        }
        for bad in [
            "-y",
            "--nogpgcheck",
            "",
            "a",
            "@development",
            "nginx=1.22",
            "nginx*",
            "ngin?",
            "nginx-*",
            "nginx-1*",
            "java-17*",
            "java-17-*",
            "java-17-openjdk-*",
            "python3.11*",
            "nginx-1.2?",
            "nginx-1.[2]*",
            "*-1.2.3",
            "/usr/bin/python3",
            "./x.rpm",
            "x.rpm",
            "https://example.com/x",
            "a;b",
            "$(id)",
            "a b",
            "x\ny",
            "nginx-",
            "glibc.",
        ] {
            assert!(check_package(bad).is_err(), "{bad}");
        }
    }

    /// Recorded from dnf 4.14 and rpm 4.18, with additional cases.
    const RECORDED: &str = "\
Welcome!
bakeline-updates-begin
Update other.noarch 1:1.0-1.test 1:1.1-1.test t other
Update tool.noarch 1.0-1.test 1.1-1.test t security
Update kernel-core.x86_64 - 5.14.0-427.el9 baseos security
bakeline-updates-end
";

    #[test]
    fn parser_recognizes_security_updates() {
        let updates = parse_pending(RECORDED).expect("valid");
        let lines: Vec<String> = updates
            .iter()
            .map(|u| {
                let mark = if u.security { "!" } else { "" };
                format!(
                    "{} [{}] {} {}{mark}",
                    u.package, u.current, u.candidate, u.origin
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "other [1:1.0-1.test] 1:1.1-1.test t",
                "tool [1.0-1.test] 1.1-1.test t!",
                "kernel-core [] 5.14.0-427.el9 baseos!",
            ]
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
                "bakeline-updates-begin\nUpdate a.b 1 2 r other\n",
                "incomplete",
            ),
            (
                "bakeline-updates-failed dnf makecache: Error: no network\n",
                "no network",
            ),
            (
                "bakeline-updates-begin\nWarning: x\nbakeline-updates-end\n",
                "Warning",
            ),
            (
                "bakeline-updates-begin\nUpdate a.b 1 2 r maybe\nbakeline-updates-end\n",
                "maybe",
            ),
        ];
        for (out, expected) in bad {
            let error = parse_pending(out).expect_err(out);
            assert!(error.0.contains(expected), "{out:?}: {error}");
        }
    }

    #[test]
    fn script_installs_nothing() {
        let script = pending_script("--releasever=latest");
        assert!(
            script.matches("dnf -q --releasever=latest ").count() == 3
                && !script.contains(" install")
                && !script.contains(" -y"),
            "{script}"
        );
    }
}
