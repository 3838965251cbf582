//! Owns what facts say of the system itself, whatever its controls ask for: its name and its packages, for reports.

use crate::facts::Facts;
use crate::resource::machine::os;
use crate::resource::packaging::package;

/// A system and what is installed on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// `ID` of os-release, such as `debian`; empty where it is not known.
    pub os: String,
    /// `VERSION_ID`, such as `12`; empty where there is none.
    pub version: String,
    /// Such as `x86_64`; empty where it is not known.
    pub arch: String,
    /// Every installed package, once for each architecture.
    pub packages: Vec<Installed>,
}

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, as its package manager writes it.
    pub arch: String,
    /// The source package it was built from, where it names one.
    pub source: Option<String>,
    /// The source package's version.
    pub source_version: Option<String>,
}

impl System {
    /// What the facts say; what they don't say, or what could not be read, is left empty.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let fields = text(facts, "os-release")
            .map(|text| os::fields(&text))
            .unwrap_or_default();
        let field = |key: &str| fields.get(key).cloned().unwrap_or_default();
        let packages = text(facts, "packages")
            .map(|text| packages(&text))
            .unwrap_or_default();
        // A directory runs on no kernel; its packages say what it is for.
        let of_packages = || {
            let arch = packages
                .iter()
                .map(|p| p.arch.as_str())
                .find(|arch| !["all", "noarch", ""].contains(arch));
            match arch {
                Some("amd64") => "x86_64".to_owned(),
                Some("arm64") => "aarch64".to_owned(),
                other => other.unwrap_or_default().to_owned(),
            }
        };
        let of_kernel = || {
            facts
                .identity
                .kernel
                .rsplit(' ')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let arch = if facts.identity.directory {
            of_packages()
        } else {
            of_kernel()
        };
        Self {
            os: field("ID"),
            version: field("VERSION_ID"),
            arch,
            packages,
        }
    }
}

fn text(facts: &Facts, kind: &str) -> Option<String> {
    let reading = facts
        .reading(kind, "")
        .filter(|r| r.rc == 0 && !r.body.truncated)?;
    Some(String::from_utf8_lossy(reading.body.bytes()).into_owned())
}

/// Lines of name, architecture, status, version, source and its version, with tabs between; others are passed over.
fn packages(text: &str) -> Vec<Installed> {
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let one = |line: &str| {
        let words: Vec<&str> = line.split('\t').collect();
        let [name, arch, status, version, source, source_version] = words.as_slice() else {
            return None;
        };
        package::installed(status).then(|| Installed {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            arch: (*arch).to_owned(),
            source: some(source),
            source_version: some(source_version),
        })
    };
    text.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::frames::parse;
    use crate::tests::output;

    fn facts(frames: &[(&str, &str, i32, &str, &str)]) -> Facts {
        parse("n0nce", &output(frames)).expect("facts")
    }

    const PACKAGES: &str = "libssl3\tamd64\tinstall ok installed\t3.0.11-1\topenssl\t3.0.11-1\n\
        old\tall\tdeinstall ok config-files\t1\t\t\ntzdata\tall\tinstall ok installed\t2024a\t\t\nbroken\n";

    #[test]
    fn a_system_is_its_release_and_what_is_installed() {
        let identity = ("identity", "", 0, "-", "kernel=Linux 6.1.0 aarch64\n");
        let release = ("os-release", "", 0, "-", "ID=debian\nVERSION_ID=\"12\"\n");
        let system = System::of(&facts(&[
            identity,
            release,
            ("packages", "", 0, "-", PACKAGES),
        ]));
        assert_eq!(
            (
                system.os.as_str(),
                system.version.as_str(),
                system.arch.as_str()
            ),
            ("debian", "12", "aarch64")
        );
        let names: Vec<_> = system
            .packages
            .iter()
            .map(|p| (p.name.as_str(), p.source.as_deref()))
            .collect();
        assert_eq!(names, [("libssl3", Some("openssl")), ("tzdata", None)]);
        let directory = (
            "identity",
            "",
            0,
            "-",
            "directory=yes\nkernel=Linux 6.1.0 aarch64\n",
        );
        assert_eq!(
            System::of(&facts(&[directory, ("packages", "", 0, "-", PACKAGES)])).arch,
            "x86_64"
        );
        let unread = System::of(&facts(&[
            identity,
            ("packages", "", 3, "-", "dpkg-query failed"),
        ]));
        assert!(unread.packages.is_empty() && unread.os.is_empty());
    }
}
