//! Extracts the operating system and its packages from facts, for reports.

use crate::facts::Facts;
use crate::resource::config::key_value::OS_RELEASE;
use crate::resource::packaging::package;

/// Operating system with its packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// `ID` of os-release, such as `debian`; empty if unknown.
    pub os: String,
    /// `VERSION_ID`, such as `12`; empty if unknown.
    pub version: String,
    /// Architecture, such as `x86_64`; empty if unknown.
    pub arch: String,
    /// Installed packages, once for each architecture.
    pub packages: Vec<InstalledPackage>,
}

/// Installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstalledPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Architecture in the notation of the package manager.
    pub arch: String,
    /// Source package.
    pub source: Option<String>,
    /// Version of the source package.
    pub source_version: Option<String>,
}

impl System {
    /// Extracts the system from facts; unknown fields are empty.
    #[must_use]
    pub fn from_facts(facts: &Facts) -> Self {
        let fields = reading_text(facts, "os-release")
            .and_then(|text| OS_RELEASE.parse(&text).ok())
            .unwrap_or_default();
        let field = |key: &str| fields.get(key).cloned().unwrap_or_default();
        let packages = reading_text(facts, "packages")
            .map(|text| parse_packages(&text))
            .unwrap_or_default();
        // A directory has no kernel, so its architecture comes from its packages.
        let package_arch = || {
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
        let kernel_arch = || {
            facts
                .identity
                .kernel
                .rsplit(' ')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let arch = if facts.identity.directory {
            package_arch()
        } else {
            kernel_arch()
        };
        Self {
            os: field("ID"),
            version: field("VERSION_ID"),
            arch,
            packages,
        }
    }
}

fn reading_text(facts: &Facts, kind: &str) -> Option<String> {
    let reading = facts
        .reading(kind, "")
        .filter(|r| r.rc == 0 && !r.body.truncated)?;
    Some(String::from_utf8_lossy(reading.body.bytes()).into_owned())
}

/// Parses lines of tab-separated fields: name, architecture, status, version, source package and
/// its version. Other lines are ignored.
fn parse_packages(text: &str) -> Vec<InstalledPackage> {
    let non_empty = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let one = |line: &str| {
        let words: Vec<&str> = line.split('\t').collect();
        let [name, arch, status, version, source, source_version] = words.as_slice() else {
            return None;
        };
        package::is_installed(status).then(|| InstalledPackage {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            arch: (*arch).to_owned(),
            source: non_empty(source),
            source_version: non_empty(source_version),
        })
    };
    text.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::frames::parse_facts;
    use crate::tests::output;

    fn facts(frames: &[(&str, &str, i32, &str, &str)]) -> Facts {
        parse_facts("n0nce", &output(frames)).expect("facts")
    }

    const PACKAGES: &str = "libssl3\tamd64\tinstall ok installed\t3.0.11-1\topenssl\t3.0.11-1\n\
        old\tall\tdeinstall ok config-files\t1\t\t\ntzdata\tall\tinstall ok installed\t2024a\t\t\nbroken\n";

    #[test]
    fn system_has_release_and_installed_packages() {
        let identity = ("identity", "", 0, "-", "kernel=Linux 6.1.0 aarch64\n");
        let release = ("os-release", "", 0, "-", "ID=debian\nVERSION_ID=\"12\"\n");
        let system = System::from_facts(&facts(&[
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
            System::from_facts(&facts(&[directory, ("packages", "", 0, "-", PACKAGES)])).arch,
            "x86_64"
        );
        let unread = System::from_facts(&facts(&[
            identity,
            ("packages", "", 3, "-", "dpkg-query failed"),
        ]));
        assert!(unread.packages.is_empty() && unread.os.is_empty());
    }
}
