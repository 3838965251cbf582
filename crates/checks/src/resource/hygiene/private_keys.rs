//! The `private_keys` resource: files with a private key in them.

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::phase::Phase;

use crate::resource::filesystem::walk::{self, Entry};

pub(crate) static KIND: Kind = Kind {
    name: "private_keys",
    doc: "Files in /etc, /root, /home and in .ssh and .gnupg of all accounts that hold a private key (PEM, OpenSSH, PGP, PuTTY, \
          age; by name: PKCS#12 and Java's key stores), but the host keys of sshd; with nothing else: none is open to others. \
          Only paths, owners and modes leave the target. seal.sh removes none of them, so both phases can judge it.",
    subject: words("scope", "All places: `all`.", &["all"]),
    parameters: &[],
    properties: &[
        Property::new("files", Of::List, "Their paths."),
        Property::new(
            "unsafe",
            Of::List,
            "Those with a mode wider than 0600, or than 0640 where they are root's.",
        ),
        Property::new("modes", Of::List, "The modes that occur."),
    ],
    open: None,
    by_default: &["!unsafe"],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("private_keys.sh"),
    requests,
    observe,
};

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["private_keys".to_owned()]
}

fn open(entry: &Entry) -> bool {
    let allowed = if entry.stat.uid == 0 { 0o640 } else { 0o600 };
    entry.stat.mode & 0o777 & !allowed != 0
}

fn observe(_: &Target, property: &str, view: &View<'_>) -> Observed {
    match property {
        "modes" => walk::modes(view, "private_keys", |_| true),
        "unsafe" => walk::paths(view, "private_keys", open),
        _ => walk::paths(view, "private_keys", |_| true),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn private_keys_are_for_their_owners() {
        let told = |yaml: &str, text: &str| {
            lines(
                &format!("- {{private_keys: all{yaml}}}"),
                &[IDENTITY, ("private_keys", "", 0, "-", text)],
            )
            .join("")
        };
        let found = "-rw-r----- 1 0 110 9 Jan  1 12:00 ./etc/ssl/private/a.key\n-rw------- 1 1000 1000 9 Jan  1 12:00 ./home/a/.ssh/id\n!1\n";
        assert_eq!(told("", found), "passed  private_keys:all");
        assert_eq!(
            told(
                ", modes: {same_set: [\"0600\", \"0640\"]}, files: {count: 2}",
                found
            ),
            "passed  private_keys:all"
        );
        let user = told("", &found.replace("-rw------- 1 1000", "-rw-r----- 1 1000"));
        assert_eq!(
            user,
            "failed  private_keys:all  unsafe: expected empty, actual \"/home/a/.ssh/id\""
        );
        assert!(told("", &found.replace("-rw-r----- 1 0", "-rw-r--r-- 1 0")).starts_with("failed"));
        assert!(told("", "grep: ./etc/x: Permission denied\n!1\n").starts_with("error"));
        assert!(told(", files: {empty: true}", "").starts_with("passed"));
    }
}
