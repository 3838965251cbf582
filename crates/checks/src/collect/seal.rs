//! Finds parts of the builder's identity and state on an instance of the image: machine IDs, host keys,
//! the random seed, DHCP leases, the last runs of timers.

use crate::facts::Facts;

/// Shell function that collects the digests.
pub(crate) const SHELL: &str = include_str!("seal.sh");
/// Call of the function.
pub(crate) const CALL: &str = "seal";

/// Returns a line for each file with the same content on the build instance (`build`) and on an
/// instance of its image (`boot`). Returns no lines if digests were not collected. Failed digests
/// of the booted instance give one line with the reason.
#[must_use]
pub fn leftover_identity(build: &Facts, boot: &Facts) -> Vec<String> {
    let (Some(before), Some(reading)) = (digests(build), boot.reading(CALL, "")) else {
        return Vec::new();
    };
    let Some(after) = digests(boot) else {
        let why = String::from_utf8_lossy(reading.body.bytes());
        return vec![format!(
            "cannot compare the identity with that of the build instance: {}",
            why.trim()
        )];
    };
    let same = before
        .lines()
        .filter(|line| after.lines().any(|other| other == *line));
    let path = |line: &str| {
        line.split_once(' ')
            .map_or(line, |(_, path)| path)
            .to_owned()
    };
    same.map(|line| format!("{} is that of the build instance", path(line)))
        .collect()
}

fn digests(facts: &Facts) -> Option<String> {
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
