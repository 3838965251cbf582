//! The `ssh_config` resource: options of the SSH client in the system configuration.

use super::sshd_config::{canonical_flag, changes_defaults};
use super::sshd_config_merge::Dialect;
use super::sshd_config_view::{Program, VIEWS, observe, requests};
use crate::matcher::value::quantity;
use crate::resource_type::{ResourceType, Subject, ValueType};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "ssh_config",
    "Options of the SSH client in the system configuration, by their names in ssh_config(5). \
     `effective` is the output of `ssh -G localhost`. If ssh cannot run, it is derived from \
     the files and the defaults of Debian 12 and 13. Unknown defaults are an error. `file` is \
     /etc/ssh/ssh_config with included files. Options in `Host` and `Match` blocks for \
     specific hosts are ignored; `Host *` blocks count. The value of a repeatable option is \
     the list of all its values, and the value of a comma-separated option is the list of its \
     items.",
    Subject::one_of("view", "Source: effective or file.", VIEWS),
    |target, option, view| observe(&CLIENT, target, option, view),
)
.with_open_property(
    ValueType::Setting,
    "Option of ssh_config(5), not case-sensitive.",
)
.with_collection(include_str!("../../config/config_file.sh"), |asked| {
    requests(&CLIENT, asked)
});

/// Repeatable options and aliases: readconf.c of OpenSSH 9.2 to 10.0.
static CLIENT: Program = Program {
    kind: "ssh_config",
    asks: "ssh -G",
    answer: "ssh-effective",
    function: "ssh_effective",
    dialect: Dialect {
        main: "/etc/ssh/ssh_config",
        blocks: &["host", "match"],
        overriding: false,
        words: &["certificatefile", "identityfile", "sendenv"],
        once: &["setenv"],
        rows: &["dynamicforward", "localforward", "remoteforward"],
        aliases: &[
            (
                "challengeresponseauthentication",
                "kbdinteractiveauthentication",
            ),
            ("skeyauthentication", "kbdinteractiveauthentication"),
            ("tisauthentication", "kbdinteractiveauthentication"),
            ("dsaauthentication", "pubkeyauthentication"),
            ("hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms"),
            ("hostbasedkeytypes", "hostbasedacceptedalgorithms"),
            ("identityfile2", "identityfile"),
            ("keepalive", "tcpkeepalive"),
            ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
        ],
    },
    // Output of `ssh -G -F none localhost` in Debian 12 and 13, without derived options.
    defaults: &[
        ("9.2", include_str!("../ssh_config_defaults_9.2.txt")),
        ("10.0", include_str!("../ssh_config_defaults_10.0.txt")),
    ],
    package: "openssh-client",
    derived: &[
        "host",
        "hostname",
        "identityfile",
        "user",
        "userknownhostsfile",
    ],
    unable: &[],
    normalize: normalize_value,
};

const TIMES: &[&str] = &["connecttimeout", "forwardx11timeout", "serveraliveinterval"];

/// Normalizes a value like readconf.c: yes and no (`ssh -G` prints true and false for some
/// options), times in seconds, levels in upper case.
fn normalize_value(keyword: &str, value: &str) -> Option<String> {
    if changes_defaults(keyword, value) {
        return None;
    }
    let lower = value.to_ascii_lowercase();
    Some(match keyword {
        "loglevel" | "syslogfacility" => value.to_ascii_uppercase(),
        "stricthostkeychecking" => match lower.as_str() {
            "true" => "yes".to_owned(),
            "false" | "off" => "no".to_owned(),
            _ => lower,
        },
        "tunnel" if ["yes", "true"].contains(&&*lower) => "point-to-point".to_owned(),
        _ if TIMES.contains(&keyword) => {
            quantity(value).map_or_else(|| value.to_owned(), |n| n.to_string())
        }
        _ => canonical_flag(&lower).unwrap_or(value).to_owned(),
    })
}

#[cfg(test)]
mod tests;
