//! Derives the state of a unit from the files in the systemd unit directories: absent, masked,
//! enabled.

use crate::resource::filesystem::walk::Entry;

/// Start directories of the walk (systemd.unit(5)).
pub(crate) const DIRECTORIES: &str =
    "/etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system";

/// State of a unit by its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enablement {
    /// No unit file exists.
    Absent,
    /// The unit cannot be started.
    Masked,
    /// No target wants it.
    Disabled,
    /// A target wants it.
    Enabled,
}

impl Enablement {
    /// Returns the word of `systemctl is-enabled`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "not-found",
            Self::Masked => "masked",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
        }
    }
}

/// Returns the state of a unit from its file, a link to /dev/null, or a link in a `.wants`
/// directory.
pub(crate) fn unit_enablement(found: &[Entry], unit: &str) -> Enablement {
    let (mut there, mut wanted) = (false, false);
    for entry in found.iter().filter(|entry| entry.file_name() == unit) {
        let folder = entry.path.rsplit('/').nth(1).unwrap_or_default();
        if folder == "system" {
            let nothing = entry.link.as_deref() == Some("/dev/null")
                || (entry.stat.kind == "file" && entry.stat.size == Some(0));
            if nothing && entry.is_within("/etc") {
                return Enablement::Masked;
            }
            there |= !nothing;
        }
        wanted |= [".wants", ".requires", ".upholds"]
            .iter()
            .any(|end| folder.ends_with(end));
    }
    match (there, wanted) {
        (false, _) => Enablement::Absent,
        (true, true) => Enablement::Enabled,
        (true, false) => Enablement::Disabled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::filesystem::walk::parse_entries;

    #[test]
    fn unit_state_follows_its_files() {
        let file = "-rw-r--r-- 1 0 0 9 Jan  1 12:00 ./usr/lib/systemd/system/a.service\n";
        let wants = "lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./etc/systemd/system/x.target.wants/a.service -> /lib/systemd/system/a.service\n";
        let mask = "lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./etc/systemd/system/a.service -> /dev/null\n";
        for (text, expected) in [
            (String::new(), Enablement::Absent),
            (wants.to_owned(), Enablement::Absent),
            (file.to_owned(), Enablement::Disabled),
            (format!("{file}{wants}"), Enablement::Enabled),
            (format!("{file}{wants}{mask}"), Enablement::Masked),
        ] {
            assert_eq!(
                unit_enablement(&parse_entries(&text).expect("entries"), "a.service"),
                expected,
                "{text}"
            );
        }
    }
}
