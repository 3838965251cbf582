//! The `host_keys` resource: the host keys of sshd.

use std::collections::BTreeSet;

use crate::facts::Read;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::phase::Phase;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk::{self, Entry};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "host_keys",
    "Host keys of sshd: `/etc/ssh/ssh_host_*`. By default, only root may read the private \
     keys. The build instance has keys. seal.sh removes them, and a new instance generates its \
     own at boot. To check existence and permissions, use phase `boot`. To check that an image \
     contains no keys, check an unpacked directory. Evaluated in phase `boot` unless `phase` \
     is set.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[
    Property::new(
        "files",
        ValueType::List,
        "All host key files: private keys, public keys and certificates, including empty \
         files.",
    ),
    Property::new(
        "types",
        ValueType::List,
        "Types of the private keys by file name: ed25519, rsa, ecdsa, dsa.",
    ),
    Property::new(
        "modes",
        ValueType::List,
        "Distinct modes of the private keys.",
    ),
    Property::new(
        "exposed",
        ValueType::List,
        "Private keys that other users can read, or that root does not own. The group ssh_keys of \
         Red Hat systems, in which ssh-keysign runs, may read them.",
    ),
])
.with_defaults(&["!exposed"])
.with_phases(&[Phase::Boot])
.with_collection("", requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["from /etc/ssh; listing host_keys 1 -name 'ssh_host_*'".to_owned()]
}

fn is_private_key(entry: &Entry) -> bool {
    entry.file_name().ends_with("_key")
}

/// Returns the ID of the group `ssh_keys`. Fedora created host keys for it until version 38.
fn helper_group(view: &View<'_>) -> Option<u32> {
    let parsed = view.parse_reading("group", "", |text| {
        let gid = |line: &str| {
            let mut fields = line.split(':');
            (fields.next()? == "ssh_keys").then(|| fields.nth(1)?.parse::<u32>().ok())?
        };
        Ok(text.lines().find_map(gid))
    });
    match parsed {
        Read::Present(gid) => *gid,
        Read::Absent | Read::Unreadable(_) => None,
    }
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    match property {
        "files" => walk::filter_paths(view, "host_keys", |_| true),
        "modes" => walk::filter_modes(view, "host_keys", is_private_key),
        "exposed" => {
            let helper = helper_group(view);
            walk::filter_paths(view, "host_keys", |entry| {
                let allowed = if helper.is_some_and(|gid| gid == entry.stat.gid) {
                    0o740
                } else {
                    0o700
                };
                is_private_key(entry)
                    && entry.stat.kind != "link"
                    && (entry.stat.uid != 0 || entry.stat.mode & 0o777 & !allowed != 0)
            })
        }
        _ => walk::load_entries(view, "host_keys").observe("was not collected", |all| {
            let named = |entry: &Entry| {
                entry
                    .file_name()
                    .strip_prefix("ssh_host_")?
                    .strip_suffix("_key")
                    .map(str::to_owned)
            };
            Observation::list(all.iter().filter_map(named).collect::<BTreeSet<_>>())
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn exposed_private_host_keys_fail() {
        let judge_check = |yaml: &str, text: &str| {
            lines(
                &format!("- {{host_keys: all{yaml}}}"),
                &[IDENTITY, ("host_keys", "", 0, "-", text)],
            )
            .join("")
        };
        let found = "-rw------- 1 0 0 9 Jan  1 12:00 ./etc/ssh/ssh_host_ed25519_key\n\
            -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/ssh/ssh_host_ed25519_key.pub\n";
        assert_eq!(judge_check("", found), "passed  host_keys:all");
        assert_eq!(
            judge_check(
                ", types: {same_set: [ed25519]}, modes: {each: \"0600\"}, files: {count: 2}",
                found
            ),
            "passed  host_keys:all"
        );
        let line = judge_check("", &found.replace("-rw------- 1 0", "-rw-r----- 1 0"));
        assert_eq!(
            line,
            "failed  host_keys:all  exposed: expected empty, actual \
                \"/etc/ssh/ssh_host_ed25519_key\""
        );
        let red_hat = found.replace("-rw------- 1 0 0", "-rw-r----- 1 0 101");
        let frames = [
            IDENTITY,
            ("group", "", 0, "-", "root:x:0:\nssh_keys:x:101:\n"),
            ("host_keys", "", 0, "-", &red_hat),
        ];
        assert_eq!(
            lines("- {host_keys: all}", &frames),
            ["passed  host_keys:all"]
        );
        assert!(judge_check("", &red_hat).starts_with("failed"));
        assert!(
            judge_check("", &found.replace("-rw------- 1 0", "-rw------- 1 7"))
                .starts_with("failed")
        );
        assert!(
            judge_check(
                ", files: {empty: true}",
                "find: './etc/ssh': No such file or directory\n!1\n"
            )
            .starts_with("passed")
        );
        assert!(
            judge_check(
                ", files: {empty: true}",
                "find: './etc/ssh': Permission denied\n!1\n"
            )
            .starts_with("error")
        );
    }
}
