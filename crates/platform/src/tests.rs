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
