//! The `sshd_config` resource: the options of the SSH server.

use super::sshd_config_merge::{Dialect, Source, merge};
use super::sshd_config_view::{Program, VIEWS, observe, requests};
use crate::kind::{Kind, Of, Property, words};
use crate::matcher::value::quantity;
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "sshd_config",
    doc: "The options of the SSH server, by any name that sshd_config(5) knows. `effective`: as `sshd -T` tells them; where it can't be \
          asked, by the files and the defaults of Debian 12 and 13; an error where those are not known. `file`: by /etc/ssh/sshd_config and what it includes, the first value \
          being the one; what is set in a `Match` block only is not set. Of what may be repeated all values count, and of a list with \
          commas its parts.",
    subject: words("view", "How to look: effective or file.", VIEWS),
    parameters: &[],
    properties: &[],
    open: Some(Property::new(
        "",
        Of::Setting,
        "An option of sshd_config(5), in any case of letters.",
    )),
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("../config/config_file.sh"),
    requests: |asked| requests(&SERVER, asked),
    observe: |target, option, view| observe(&SERVER, target, option, view),
};

/// Which options repeat, and their other names: servconf.c of OpenSSH 9.2 to 10.0.
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
    // sshd -T -f /dev/null in Debian 12 and 13, without the derived ones.
    defaults: &[
        ("9.2", include_str!("sshd_config_defaults_9.2.txt")),
        ("10.0", include_str!("sshd_config_defaults_10.0.txt")),
    ],
    package: "openssh-server",
    derived: &["listenaddress", "persourcepenalties"],
    // sshd.c, and what a missing or unreadable host key makes it say.
    unable: &[
        "no hostkeys available",
        "Missing privilege separation directory",
        "must be owned by root and not group or world-writable",
        "Privilege separation user",
    ],
    told,
};

/// What any text says as a configuration of its own, in which each `Include` leads to the text itself.
pub(crate) fn read_alone(text: &str) {
    let parsed = super::sshd_config_parse::parse(text).map(std::rc::Rc::new);
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
/// Words that mean something: they are told in lower case.
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

/// servconf.c: yes and no in lower case, times in seconds, levels in upper case; `prohibit-password` also by its old name.
fn told(keyword: &str, value: &str) -> Option<String> {
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
        _ => flag(&lower).unwrap_or(value).to_owned(),
    })
}

/// Lists of algorithms that add to the built-in list, take from it or put something before it.
pub(crate) fn changes_defaults(keyword: &str, value: &str) -> bool {
    let list = keyword.ends_with("algorithms") || ["ciphers", "macs"].contains(&keyword);
    list && value.starts_with(['+', '-', '^'])
}

/// A word such as `yes` in the one spelling; `true` and `false` are other names of `yes` and `no`.
pub(crate) fn flag(lower: &str) -> Option<&'static str> {
    match lower {
        "true" => Some("yes"),
        "false" => Some("no"),
        _ => FLAGS.iter().find(|word| **word == lower).copied(),
    }
}

#[cfg(test)]
#[path = "sshd_config_tests.rs"]
mod tests;
