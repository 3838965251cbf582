//! The `sshd_config` resource: options of the SSH server.

use super::sshd_config_merge::{Dialect, Source, merge};
use super::sshd_config_view::{Program, VIEWS, observe, observe_blocks, requests};
use crate::facts::error::ReadError;
use crate::matcher::value::quantity;
use crate::resource_type::{Property, ResourceType, Subject, ValueType};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "sshd_config",
    "Options of the SSH server, by their names in sshd_config(5). `effective` is the output of \
     `sshd -T`. If sshd cannot run, it is derived from the files and the defaults of Debian 12 \
     and 13. Unknown defaults are an error. `file` is /etc/ssh/sshd_config with included \
     files, where the first value counts. Options in a `Match` block are ignored. The value of \
     a repeatable option is the list of all its values, and the value of a comma-separated \
     option is the list of its items.",
    Subject::one_of("view", "Source: effective or file.", VIEWS),
    |target, option, view| match option {
        "match_options" => observe_blocks(&SERVER, view),
        _ => observe(&SERVER, target, option, view),
    },
)
.with_properties(&[Property::new(
    "match_options",
    ValueType::List,
    "Options in `Match` blocks of all read files, except `Match all`: `FILE:LINE: keyword value \
     (Match CRITERIA)`, with the keyword in lower case. A block in a file that a `Match` block \
     includes has the criteria of both.",
)])
.with_open_property(
    ValueType::Setting,
    "Option of sshd_config(5), not case-sensitive.",
)
.with_collection(include_str!("../../config/config_file.sh"), |asked| {
    requests(&SERVER, asked)
});

/// Repeatable options and aliases: servconf.c of OpenSSH 9.2 to 10.0.
pub(crate) static SERVER: Program = Program {
    kind: "sshd_config",
    asks: "sshd -T",
    answer: "sshd-effective",
    function: "sshd_effective",
    dialect: Dialect {
        main: "/etc/ssh/sshd_config",
        blocks: &["match"],
        overriding: true,
        words: &[
            "acceptenv",
            "allowgroups",
            "allowusers",
            "denygroups",
            "denyusers",
            "hostcertificate",
            "hostkey",
            "listenaddress",
            "port",
        ],
        once: &["setenv"],
        rows: &["subsystem"],
        aliases: &[
            (
                "challengeresponseauthentication",
                "kbdinteractiveauthentication",
            ),
            ("skeyauthentication", "kbdinteractiveauthentication"),
            ("dsaauthentication", "pubkeyauthentication"),
            ("hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms"),
            ("hostdsakey", "hostkey"),
            ("keepalive", "tcpkeepalive"),
            ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
        ],
    },
    // Output of `sshd -T -f /dev/null` in Debian 12 and 13, without derived options.
    defaults: &[
        ("9.2", include_str!("../sshd_config_defaults_9.2.txt")),
        ("10.0", include_str!("../sshd_config_defaults_10.0.txt")),
    ],
    package: "openssh-server",
    derived: &["listenaddress", "persourcepenalties"],
    // Errors of sshd.c about the environment, such as a missing or unreadable host key.
    unable: &[
        "no hostkeys available",
        "Missing privilege separation directory",
        "must be owned by root and not group or world-writable",
        "Privilege separation user",
    ],
    normalize: normalize_value,
};

/// Parses a text as a configuration in which each `Include` refers to the text itself.
pub(crate) fn read_alone(text: &str) {
    let parsed = super::sshd_config_parse::parse(text)
        .map(std::rc::Rc::new)
        .map_err(ReadError::from);
    let read = |_: &str| parsed.clone();
    let source = Source {
        read: &read,
        matching: &|pattern| Ok(vec![pattern.to_owned()]),
    };
    if let Ok(options) = merge(&SERVER.dialect, &source) {
        drop(options.get("port").cloned());
    }
}

const TIMES: &[&str] = &["clientaliveinterval", "logingracetime"];
/// Options with keywords as values. sshd prints them in lower case.
const FLAGS: &[&str] = &[
    "yes",
    "no",
    "true",
    "false",
    "none",
    "any",
    "local",
    "remote",
    "clientspecified",
    "delayed",
];

/// Normalizes a value like servconf.c: yes and no in lower case, times in seconds, levels in upper
/// case. `prohibit-password` also has its old name.
fn normalize_value(keyword: &str, value: &str) -> Option<String> {
    if changes_defaults(keyword, value) {
        return None;
    }
    let lower = value.to_ascii_lowercase();
    Some(match keyword {
        "permitrootlogin" if lower == "without-password" => "prohibit-password".to_owned(),
        "permitrootlogin" => lower,
        "loglevel" | "syslogfacility" => value.to_ascii_uppercase(),
        _ if TIMES.contains(&keyword) => {
            quantity(value).map_or_else(|| value.to_owned(), |n| n.to_string())
        }
        _ => canonical_flag(&lower).unwrap_or(value).to_owned(),
    })
}

/// Returns true for a list of algorithms that changes the built-in list.
pub(crate) fn changes_defaults(keyword: &str, value: &str) -> bool {
    let list = keyword.ends_with("algorithms") || ["ciphers", "macs"].contains(&keyword);
    list && value.starts_with(['+', '-', '^'])
}

/// Returns the canonical form of a flag. `true` and `false` are aliases of `yes` and `no`.
pub(crate) fn canonical_flag(lower: &str) -> Option<&'static str> {
    match lower {
        "true" => Some("yes"),
        "false" => Some("no"),
        _ => FLAGS.iter().find(|word| **word == lower).copied(),
    }
}

#[cfg(test)]
mod tests;
