//! Defines the `script` provisioner: a shell script of the catalog, with its environment, arguments
//! and limits.

use std::collections::BTreeMap;

/// A script to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// Path relative to the repository. The catalog has the text.
    pub path: String,
    /// Environment variables of the script.
    pub env: BTreeMap<String, String>,
    /// Arguments of the script.
    pub args: Vec<String>,
    /// Time limit in seconds. `None` for no limit of its own.
    pub timeout: Option<u64>,
    /// True if the script may reboot the instance.
    pub reboot: bool,
    /// User that runs the script. `None` for root.
    pub user: Option<String>,
}

/// Start of the line in which the wrapper of a script reports a failure. `script.sh` prints it.
pub const FAILURE_PREFIX: &str = "bakeline: ";
/// Longest time that a build waits for an instance after a reboot, in minutes.
pub const REBOOT_MINUTES: u32 = 10;

/// Names of the shells whose scripts continue after a failed command by default.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"];

/// Returns true if a shell script continues after a failed command.
///
/// A script with a single command needs no `set -e`, because its exit status is that of the
/// command.
#[must_use]
pub fn lacks_errexit(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let shebang = text.lines().next().and_then(|line| line.strip_prefix("#!"));
    let mut words = shebang.unwrap_or("/bin/sh").split_whitespace();
    let base_name = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut interpreter = words.next().map(base_name).unwrap_or_default();
    if interpreter == "env" {
        interpreter = words
            .by_ref()
            .find(|word| !word.starts_with('-') && !word.contains('='))
            .map(base_name)
            .unwrap_or_default();
    }
    if !SHELLS.contains(&interpreter.as_str()) || sets_errexit(words) {
        return false;
    }
    let commands: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let set_commands = commands
        .iter()
        .flat_map(|line| line.split([';', '&', '|', '{', '(']))
        .map(|command| command.split('#').next().unwrap_or_default())
        .filter_map(|command| command.trim().strip_prefix("set "));
    commands.len() > 1
        && !set_commands
            .into_iter()
            .any(|c| sets_errexit(c.split_whitespace()))
}

/// Returns true if the arguments of `set` or of a shell contain `-e` or `-o errexit`.
fn sets_errexit<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    let mut after_o = false;
    for word in words {
        let flags = word.strip_prefix('-').filter(|f| !f.starts_with('-'));
        if (after_o && word == "errexit") || flags.is_some_and(|f| f.contains('e')) {
            return true;
        }
        after_o = flags.is_some_and(|f| f.ends_with('o'));
    }
    false
}

/// Returns the message of the last script that reported a failure, from the error lines of a build.
#[must_use]
pub fn reported_failure<'l>(lines: impl IntoIterator<Item = &'l str>) -> Option<&'l str> {
    let reported = lines
        .into_iter()
        .filter_map(|line| line.strip_prefix(FAILURE_PREFIX));
    reported.last()
}

/// Returns the message for a script whose connection was lost.
#[must_use]
pub fn lost_connection(path: &str, may_reboot: bool) -> String {
    if may_reboot {
        format!(
            "script `{path}`: the instance was not reachable within {REBOOT_MINUTES} min after \
             its reboot"
        )
    } else {
        format!(
            "script `{path}`: the connection to the instance was lost during or after the script"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{lacks_errexit, reported_failure};

    #[test]
    fn scripts_without_errexit_are_recognized() {
        for text in [
            "a\nb\n",
            "#!/bin/sh\ncurl x\necho done\n",
            "#!/usr/bin/env bash\nset -u\na\n",
            "#!/bin/bash -x\n# set -e\na\nb\n",
            "#!/bin/sh\nset +e\na\n",
            "#!/bin/sh\nset -o pipefail\na\n",
            "#!/bin/sh\necho reset -e\na\n",
        ] {
            assert!(lacks_errexit(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn scripts_that_stop_are_accepted() {
        for text in [
            "",
            "#!/bin/sh\n",
            "#!/bin/sh\napt-get update\n",
            "#!/bin/sh -e\na\nb\n",
            "#!/bin/bash -eu\na\nb\n",
            "#!/usr/bin/env -S bash -e\na\nb\n",
            "#!/bin/sh\nset -e\na\n",
            "#!/bin/bash\n  set -euo pipefail\na\n",
            "#!/bin/bash\nset -uo errexit\na\n",
            "#!/bin/sh\ncd /; set -ex # stop\na\n",
            "#!/usr/bin/python3\na\nb\n",
            "#!/usr/bin/env python3\na\nb\n",
            "#!/usr/bin/perl -w\na\nb\n",
        ] {
            assert!(!lacks_errexit(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn last_reported_failure_is_found() {
        let lines = ["bakeline: one", "noise", "bakeline: two", "bakeline:x"];
        assert_eq!(reported_failure(lines), Some("two"));
        assert_eq!(reported_failure(["noise"]), None);
    }
}
