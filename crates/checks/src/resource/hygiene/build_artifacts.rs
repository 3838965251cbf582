//! The `build_artifacts` resource: build artifacts that an image does not need.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk::{self, Entry};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "build_artifacts",
    "Build artifacts: temporary files, package lists, caches and files of build tools. By \
     default, `files` must be empty. cleanup.sh runs before the build checks. seal.sh removes \
     package lists after the build checks, so use phase `boot` for all properties except \
     `instance`. A booted system has its own seeds and leases, so use `instance` only for a \
     directory.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[
    Property::new(
        "files",
        ValueType::List,
        "All files of the other properties except `instance`.",
    ),
    Property::new(
        "temporary",
        ValueType::List,
        "Content of /tmp and /var/tmp, without private directories and sockets of a running \
         system.",
    ),
    Property::new(
        "packages",
        ValueType::List,
        "Lists and caches of apt, dnf and yum, and downloaded packages.",
    ),
    Property::new(
        "configuration",
        ValueType::List,
        "Backup files of dpkg, ucf, rpm and editors in /etc: `*.dpkg-old`, `*.dpkg-dist`, \
         `*.ucf-old`, `*.rpmnew`, `*~`, ….",
    ),
    Property::new("dumps", ValueType::List, "Core dumps and crash reports."),
    Property::new(
        "tools",
        ValueType::List,
        "Files of Ansible, Packer, Puppet and pip in homes and below /opt and /var/cache.",
    ),
    Property::new(
        "instance",
        ValueType::List,
        "Random seeds and DHCP leases of an instance.",
    ),
])
.with_defaults(&["!files"])
.with_collection(include_str!("build_artifacts.sh"), requests);

/// Directories of apt(8), dnf(8), yum(8) and dnf5(8).
const PACKAGE_CACHES: &[&str] = &[
    "/var/lib/apt/lists",
    "/var/cache/apt",
    "/var/cache/dnf",
    "/var/cache/yum",
    "/var/cache/libdnf5",
];

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["leftovers".to_owned()]
}

/// Returns true for temporary files that systemd and X keep on a running system (file-hierarchy(7),
/// tmpfiles.d/x11.conf).
fn is_runtime_file(name: &str) -> bool {
    name.starts_with("systemd-private-")
        || matches!(
            name,
            ".X11-unix"
                | ".ICE-unix"
                | ".XIM-unix"
                | ".font-unix"
                | ".Test-unix"
                | "snap-private-tmp"
        )
}

/// Returns the property that lists a file.
fn property_of(entry: &Entry, directory: bool) -> Option<&'static str> {
    let name = entry.file_name();
    let below = |place: &str| entry.is_within(place) && entry.path != place;
    if below("/tmp") || below("/var/tmp") {
        return (directory || !is_runtime_file(name)).then_some("temporary");
    }
    if PACKAGE_CACHES.iter().any(|place| entry.is_within(place)) {
        return (entry.has_content() && name != "lock").then_some("packages");
    }
    if ["/var/lib/systemd/coredump", "/var/crash", "/var/lib/apport"]
        .iter()
        .any(|place| below(place))
        || entry.path == "/core"
    {
        return entry.has_content().then_some("dumps");
    }
    if name == "random-seed"
        || [
            "/var/lib/dhcp",
            "/var/lib/dhclient",
            "/var/lib/NetworkManager",
            "/var/lib/dhcpcd",
        ]
        .iter()
        .any(|place| below(place))
    {
        return entry.has_content().then_some("instance");
    }
    if entry.is_within("/etc") {
        return Some("configuration");
    }
    matches!(
        name,
        ".ansible"
            | ".ansible_async"
            | ".packer.d"
            | ".puppetlabs"
            | "pip"
            | "packer"
            | "puppet-bootstrap"
    )
    .then_some("tools")
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let directory = view.identity().directory;
    walk::filter_paths(view, "leftovers", |entry| {
        match property_of(entry, directory) {
            Some("instance") => property == "instance",
            Some(of) => property == "files" || of == property,
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const FOUND: &str = "drwxrwxrwt 1 0 0 9 Jan  1 12:00 ./tmp\n\
        drwx------ 1 0 0 9 Jan  1 12:00 ./tmp/systemd-private-1\n\
        -rw------- 1 0 0 0 Jan  1 12:00 ./tmp/script_1.sh\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./var/lib/apt/lists/x_Packages\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./var/cache/libdnf5/x.solv\n\
        -rw-r----- 1 0 0 0 Jan  1 12:00 ./var/lib/apt/lists/lock\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/x.conf.dpkg-old\n\
        -rw------- 1 0 0 512 Jan  1 12:00 ./var/lib/systemd/random-seed\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./core\ndrwx------ 1 0 0 9 Jan  1 12:00 ./root/.ansible\n";

    #[test]
    fn each_artifact_has_its_property() {
        let judge_check = |yaml: &str, identity| {
            lines(
                &format!("- {{build_artifacts: all, {yaml}}}"),
                &[identity, ("leftovers", "", 0, "-", FOUND)],
            )
            .join("")
        };
        for yaml in [
            "temporary: {same_set: [/tmp/script_1.sh]}",
            "packages: {same_set: [/var/lib/apt/lists/x_Packages, /var/cache/libdnf5/x.solv]}",
            "configuration: {same_set: [/etc/x.conf.dpkg-old]}",
            "dumps: {same_set: [/core]}",
            "tools: {same_set: [/root/.ansible]}",
            "instance: {same_set: [/var/lib/systemd/random-seed]}",
            "files: {count: 6, disjoint: [/var/lib/systemd/random-seed, /tmp]}",
        ] {
            assert_eq!(
                judge_check(yaml, IDENTITY),
                "passed  build_artifacts:all",
                "{yaml}"
            );
        }
        let line = judge_check(
            "temporary: {count: 2}",
            ("identity", "", 0, "-", "uid=0\ndirectory=yes\n"),
        );
        assert_eq!(
            line, "passed  build_artifacts:all",
            "a directory has no running system"
        );
        assert!(
            lines(
                "- {build_artifacts: all}",
                &[IDENTITY, ("leftovers", "", 0, "-", FOUND)]
            )[0]
            .starts_with("failed")
        );
        assert!(
            lines(
                "- {build_artifacts: all}",
                &[IDENTITY, ("leftovers", "", 0, "-", "!124")]
            )[0]
            .starts_with("error")
        );
    }
}
