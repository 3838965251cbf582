//! The `host_keys` resource: the keys that sshd proves itself by.

use std::collections::BTreeSet;

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::phase::Phase;

use crate::resource::filesystem::walk::{self, Entry};

pub(crate) static KIND: Kind = Kind {
    name: "host_keys",
    doc: "The host keys of sshd: `/etc/ssh/ssh_host_*`; with nothing else: others than root can read none of the private \
          ones. An instance that is built on has keys, and a booted one has made its own after seal.sh removed those: a boot \
          shows that they are there and how they are kept, and only a directory that there are none in the image. Judged in \
          phase boot unless `phase` says more.",
    subject: words("scope", "All of them: `all`.", &["all"]),
    parameters: &[],
    properties: &[
        Property::new(
            "files",
            Of::List,
            "All files of host keys, private, public and certificates, also empty ones.",
        ),
        Property::new(
            "types",
            Of::List,
            "The kinds of the private keys by their names: ed25519, rsa, ecdsa, dsa.",
        ),
        Property::new(
            "modes",
            Of::List,
            "The modes of the private keys that occur.",
        ),
        Property::new(
            "exposed",
            Of::List,
            "Private keys that others than root can read, or that are not root's.",
        ),
    ],
    open: None,
    by_default: &["!exposed"],
    implied: &[],
    presence: None,
    phases: &[Phase::Boot],
    not_in_directory: None,
    shell: "",
    requests,
    observe,
};

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["from /etc/ssh; listing host_keys 1 -name 'ssh_host_*'".to_owned()]
}

fn private(entry: &Entry) -> bool {
    entry.name().ends_with("_key")
}

fn observe(_: &Target, property: &str, view: &View<'_>) -> Observed {
    match property {
        "files" => walk::paths(view, "host_keys", |_| true),
        "modes" => walk::modes(view, "host_keys", private),
        "exposed" => walk::paths(view, "host_keys", |entry| {
            private(entry)
                && entry.stat.kind != "link"
                && (entry.stat.uid != 0 || entry.stat.mode & 0o077 != 0)
        }),
        _ => walk::found(view, "host_keys").observe("was not looked at", |all| {
            let named = |entry: &Entry| {
                entry
                    .name()
                    .strip_prefix("ssh_host_")?
                    .strip_suffix("_key")
                    .map(str::to_owned)
            };
            Observed::list(all.iter().filter_map(named).collect::<BTreeSet<_>>())
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn private_host_keys_are_for_root() {
        let told = |yaml: &str, text: &str| {
            lines(
                &format!("- {{host_keys: all{yaml}}}"),
                &[IDENTITY, ("host_keys", "", 0, "-", text)],
            )
            .join("")
        };
        let found = "-rw------- 1 0 0 9 Jan  1 12:00 ./etc/ssh/ssh_host_ed25519_key\n-rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/ssh/ssh_host_ed25519_key.pub\n";
        assert_eq!(told("", found), "passed  host_keys:all");
        assert_eq!(
            told(
                ", types: {same_set: [ed25519]}, modes: {each: \"0600\"}, files: {count: 2}",
                found
            ),
            "passed  host_keys:all"
        );
        let line = told("", &found.replace("-rw------- 1 0", "-rw-r----- 1 0"));
        assert_eq!(
            line,
            "failed  host_keys:all  exposed: expected empty, actual \"/etc/ssh/ssh_host_ed25519_key\""
        );
        assert!(told("", &found.replace("-rw------- 1 0", "-rw------- 1 7")).starts_with("failed"));
        assert!(
            told(
                ", files: {empty: true}",
                "find: './etc/ssh': No such file or directory\n!1\n"
            )
            .starts_with("passed")
        );
        assert!(
            told(
                ", files: {empty: true}",
                "find: './etc/ssh': Permission denied\n!1\n"
            )
            .starts_with("error")
        );
    }
}
