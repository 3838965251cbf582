//! The `private_keys` resource: files that contain a private key.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk::{self, Entry};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "private_keys",
    "Files with a private key in /etc, /root, /home, and in .ssh and .gnupg of all accounts. \
     It finds PEM, OpenSSH, PGP, PuTTY and age keys by content, and PKCS#12 and Java key \
     stores by name. Host keys of sshd do not count. By default, `unsafe` must be empty. Only \
     paths, owners and modes leave the target. seal.sh removes no private keys, so both phases \
     can judge them.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[
    Property::new("files", ValueType::List, "Their paths."),
    Property::new(
        "unsafe",
        ValueType::List,
        "Files with a mode wider than 0600, or wider than 0640 if root owns them.",
    ),
    Property::new("modes", ValueType::List, "Distinct modes."),
])
.with_defaults(&["!unsafe"])
.with_collection(include_str!("private_keys.sh"), requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["private_keys".to_owned()]
}

fn is_unsafe(entry: &Entry) -> bool {
    let allowed = if entry.stat.uid == 0 { 0o640 } else { 0o600 };
    entry.stat.mode & 0o777 & !allowed != 0
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    match property {
        "modes" => walk::filter_modes(view, "private_keys", |_| true),
        "unsafe" => walk::filter_paths(view, "private_keys", is_unsafe),
        _ => walk::filter_paths(view, "private_keys", |_| true),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn readable_private_keys_are_unsafe() {
        let judge_check = |yaml: &str, text: &str| {
            lines(
                &format!("- {{private_keys: all{yaml}}}"),
                &[IDENTITY, ("private_keys", "", 0, "-", text)],
            )
            .join("")
        };
        let found = "-rw-r----- 1 0 110 9 Jan  1 12:00 ./etc/ssl/private/a.key\n\
            -rw------- 1 1000 1000 9 Jan  1 12:00 ./home/a/.ssh/id\n!1\n";
        assert_eq!(judge_check("", found), "passed  private_keys:all");
        assert_eq!(
            judge_check(
                ", modes: {same_set: [\"0600\", \"0640\"]}, files: {count: 2}",
                found
            ),
            "passed  private_keys:all"
        );
        let user = judge_check("", &found.replace("-rw------- 1 1000", "-rw-r----- 1 1000"));
        assert_eq!(
            user,
            "failed  private_keys:all  unsafe: expected empty, actual \"/home/a/.ssh/id\""
        );
        assert!(
            judge_check("", &found.replace("-rw-r----- 1 0", "-rw-r--r-- 1 0"))
                .starts_with("failed")
        );
        assert!(judge_check("", "grep: ./etc/x: Permission denied\n!1\n").starts_with("error"));
        assert!(judge_check(", files: {empty: true}", "").starts_with("passed"));
    }
}
