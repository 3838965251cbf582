//! Owns what the files of systemd's unit directories say of a unit, in whatever root they lie: there, masked, enabled.

use crate::resource::filesystem::walk::Entry;

/// What a walk of the unit directories starts from (systemd.unit(5)).
pub(crate) const DIRECTORIES: &str =
    "/etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system";

/// A unit by the files of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enablement {
    /// There is no such unit.
    Absent,
    /// It can't be started.
    Masked,
    /// Nothing wants it.
    Disabled,
    /// Something wants it.
    Enabled,
}

impl Enablement {
    /// In `systemctl is-enabled`'s words.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Absent => "not-found",
            Self::Masked => "masked",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
        }
    }
}

/// What a walk found of a unit: its file, a link to /dev/null in its stead, a link to it in a `.wants` directory.
pub(crate) fn enablement(found: &[Entry], unit: &str) -> Enablement {
    let (mut there, mut wanted) = (false, false);
    for entry in found.iter().filter(|entry| entry.name() == unit) {
        let folder = entry.path.rsplit('/').nth(1).unwrap_or_default();
        if folder == "system" {
            let nothing = entry.link.as_deref() == Some("/dev/null")
                || (entry.stat.kind == "file" && entry.stat.size == Some(0));
            if nothing && entry.within("/etc") {
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
    use crate::resource::filesystem::walk::entries;

    #[test]
    fn units_are_known_by_their_files() {
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
                enablement(&entries(&text).expect("entries"), "a.service"),
                expected,
                "{text}"
            );
        }
    }
}
