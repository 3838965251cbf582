//! The `ssh_config` resource: the options of the SSH client, as the system's files make them for everybody.

use super::sshd_config::{changes_defaults, flag};
use super::sshd_config_merge::Dialect;
use super::sshd_config_view::{Program, VIEWS, observe, requests};
use crate::kind::{Kind, Of, Property, words};
use crate::matcher::value::quantity;
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "ssh_config",
    doc: "The options of the SSH client, by any name that ssh_config(5) knows, from the system's files only. `effective`: as `ssh -G localhost` \
          tells them; where it can't be asked, by the files and the defaults of Debian 12 and 13; an error where those are not known. `file`: by /etc/ssh/ssh_config and what \
          it includes; what is set for some hosts only is not set, and `Host *` is for all. Of what may be repeated all values count, and \
          of a list with commas its parts.",
    subject: words("view", "How to look: effective or file.", VIEWS),
    parameters: &[],
    properties: &[],
    open: Some(Property::new(
        "",
        Of::Setting,
        "An option of ssh_config(5), in any case of letters.",
    )),
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("../config/config_file.sh"),
    requests: |asked| requests(&CLIENT, asked),
    observe: |target, option, view| observe(&CLIENT, target, option, view),
};

/// Which options repeat, and their other names: readconf.c of OpenSSH 9.2 to 10.0.
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
    // ssh -G -F none localhost in Debian 12 and 13, without the derived ones.
    defaults: &[
        ("9.2", include_str!("ssh_config_defaults_9.2.txt")),
        ("10.0", include_str!("ssh_config_defaults_10.0.txt")),
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
    told,
};

const TIMES: &[&str] = &["connecttimeout", "forwardx11timeout", "serveraliveinterval"];

/// readconf.c: yes and no (which `ssh -G` tells as true and false of some options), times in seconds, levels in upper case.
fn told(keyword: &str, value: &str) -> Option<String> {
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
        _ => flag(&lower).unwrap_or(value).to_owned(),
    })
}

#[cfg(test)]
#[path = "ssh_config_tests.rs"]
mod tests;
