//! Finds parts of the builder's identity and state on an instance of the image: machine IDs, host keys,
//! the random seed, and DHCP leases and last runs of timers from before the boot.

use crate::facts::Facts;

/// Shell function that collects the digests.
pub(crate) const SHELL: &str = include_str!("seal.sh");
/// Call of the function.
pub(crate) const CALL: &str = "seal";

/// Start of the lines about state files that are older than the boot.
const OLD: &str = "old ";

/// Returns a line for each identity file with the same content on the build instance (`build`) and on
/// an instance of its image (`boot`), and for each state file that is older than the boot. Returns no
/// lines if the build has no readings. A failed reading of the booted instance gives one line with the
/// reason.
#[must_use]
pub fn leftover_identity(build: &Facts, boot: &Facts) -> Vec<String> {
    let (Some(before), Some(reading)) = (readings(build), boot.reading(CALL, "")) else {
        return Vec::new();
    };
    let Some(after) = readings(boot) else {
        let why = String::from_utf8_lossy(reading.body.bytes());
        return vec![format!(
            "cannot compare the identity with that of the build instance: {}",
            why.trim()
        )];
    };
    let describe = |line: &str| match line.strip_prefix(OLD) {
        Some(path) => Some(format!("{path} is older than this boot")),
        None if before.lines().any(|other| other == line) => {
            let (_digest, path) = line.split_once(' ')?;
            Some(format!("{path} is that of the build instance"))
        }
        None => None,
    };
    after.lines().filter_map(describe).collect()
}

fn readings(facts: &Facts) -> Option<String> {
    let reading = facts
        .reading(CALL, "")
        .filter(|reading| reading.rc == 0 && !reading.body.truncated)?;
    Some(String::from_utf8_lossy(reading.body.bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::frames::parse_facts;
    use crate::tests::output;

    fn facts(rc: i32, text: &str) -> Facts {
        parse_facts("n0nce", &output(&[("seal", "", rc, "-", text)])).expect("facts")
    }

    #[test]
    fn file_of_the_builder_is_named() {
        let build = facts(0, "aa /etc/machine-id\nbb /etc/ssh/ssh_host_rsa_key.pub\n");
        assert_eq!(
            leftover_identity(
                &build,
                &facts(0, "cc /etc/machine-id\ndd /etc/ssh/ssh_host_rsa_key.pub\n")
            ),
            [""; 0]
        );
        assert_eq!(
            leftover_identity(&build, &facts(0, "")),
            [""; 0],
            "nothing is there"
        );
        assert_eq!(
            leftover_identity(&build, &facts(0, "aa /etc/machine-id\n")),
            ["/etc/machine-id is that of the build instance"]
        );
        let moved = facts(0, "aa /var/lib/dbus/machine-id\n");
        assert_eq!(
            leftover_identity(&build, &moved),
            [""; 0],
            "the same content at another path is not reported"
        );
    }

    #[test]
    fn state_older_than_the_boot_is_named() {
        let lease = facts(0, "old /var/lib/dhcp/dhclient.leases\n");
        assert_eq!(
            leftover_identity(&facts(0, ""), &lease),
            ["/var/lib/dhcp/dhclient.leases is older than this boot"]
        );
        assert_eq!(leftover_identity(&lease, &facts(0, "")), [""; 0]);
    }

    #[test]
    fn missing_digests_of_the_instance_are_reported() {
        let build = facts(0, "aa /etc/machine-id\n");
        let lines = leftover_identity(&build, &facts(3, "sha256sum is not installed"));
        assert_eq!(
            lines,
            [
                "cannot compare the identity with that of the build instance: sha256sum is not installed"
            ]
        );
        assert_eq!(
            leftover_identity(&Facts::default(), &build),
            [""; 0],
            "facts of an older version"
        );
    }
}
