//! Tests the platforms: names, login users and the rules of each package manager.

use super::Platform;

#[test]
fn names_are_those_of_the_catalog() {
    for platform in Platform::ALL {
        let text = serde_json::to_value(platform).expect("a name");
        assert_eq!(text, platform.name());
    }
    assert_eq!(Platform::default(), Platform::Debian);
}

#[test]
fn each_platform_has_own_login_user_and_os_ids() {
    let users = Platform::ALL.map(Platform::login_user);
    assert_eq!(users, ["admin", "ubuntu", "ec2-user", "ec2-user"]);
    let mut ids: Vec<&str> = Platform::ALL
        .iter()
        .flat_map(|p| p.os_ids())
        .copied()
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "no ID belongs to two platforms");
}

#[test]
fn packages_and_versions_follow_the_package_manager() {
    for platform in [Platform::Debian, Platform::Ubuntu] {
        assert!(platform.check_package("nginx=1.22.1-9").is_ok());
        assert!(platform.check_package("NetworkManager").is_err());
        assert!(platform.compare_versions("1.0a", "1.0+b").is_lt());
        assert!(platform.pending_script().contains("apt-get"));
        assert!(
            platform
                .parse_upgrade("Inst a [1] (2 Debian:12/stable [all])")
                .is_ok()
        );
    }
    for platform in [Platform::AmazonLinux, Platform::Rhel] {
        assert!(platform.check_package("nginx=1.22.1-9").is_err());
        assert!(platform.check_package("NetworkManager").is_ok());
        assert!(platform.compare_versions("1.0^git1", "1.0").is_gt());
        assert!(!platform.pending_script().contains("apt"));
        assert!(
            platform
                .parse_upgrade("Update a.noarch 1-1 1-2 base other")
                .is_ok()
        );
    }
}

#[test]
fn amazon_linux_lists_updates_of_the_latest_release() {
    let latest = "--releasever=latest";
    assert!(Platform::AmazonLinux.pending_script().contains(latest));
    assert!(!Platform::Rhel.pending_script().contains(latest));
}

#[test]
fn syntax_of_the_other_package_manager_is_an_error() {
    for (platform, package, expected) in [
        (
            Platform::Ubuntu,
            "nginx-1.22.1-9.el9",
            "apt separates name and version with `=`",
        ),
        (
            Platform::Ubuntu,
            "nginx-1.22.1-9.el9_1",
            "apt separates name and version with `=`",
        ),
        (
            Platform::Debian,
            "kernel-6.1.79-99.164.amzn2023",
            "apt separates name and version",
        ),
        (
            Platform::Debian,
            "nginx-1.22.*",
            "apt separates name and version with `=`",
        ),
        (
            Platform::Debian,
            "nginx-*",
            "only at the end of a version, as in nginx=1.22.*",
        ),
        (
            Platform::Ubuntu,
            "glibc.i686",
            "apt separates name and architecture with `:`",
        ),
        (
            Platform::Ubuntu,
            "nginx-1.22.x86_64",
            "apt separates name and architecture with `:`",
        ),
        (
            Platform::Rhel,
            "libc6:amd64",
            "dnf separates name and architecture with `.`",
        ),
        (
            Platform::Rhel,
            "nginx:1.22",
            "`:` is allowed only after an epoch",
        ),
        (
            Platform::Rhel,
            "bash-5.1:1",
            "`:` is allowed only after an epoch",
        ),
        (
            Platform::AmazonLinux,
            "bash-0:5.1:8",
            "`:` is allowed only after an epoch",
        ),
        (
            Platform::AmazonLinux,
            "0:bash-5.1",
            "`:` is allowed only after an epoch",
        ),
    ] {
        let error = platform.check_package(package).expect_err(package);
        assert!(error.0.contains(expected), "{package}: {error}");
    }
    for package in [
        "linux-image-6.1.0-18-amd64",
        "libwebkit2gtk-4.1-0",
        "gir1.2-gtk-3.0",
        "libc6-i386",
    ] {
        assert!(Platform::Debian.check_package(package).is_ok(), "{package}");
    }
    for package in ["vim-2:9.0*", "vim-minimal-2:9.0.2153-1.amzn2023.x86_64"] {
        assert!(Platform::Rhel.check_package(package).is_ok(), "{package}");
    }
}
