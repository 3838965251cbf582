//! Tests of names and versions.

use super::*;

#[test]
fn versions_order_by_number() {
    let v = |s: &str| s.parse::<Version>().expect(s);
    assert!(v("20261122.10") > v("20261122.9"));
    assert!(v("20261123.1") > v("20261122.10"));
    assert_eq!(v("20261122.10").to_string(), "20261122.10");
    for bad in [
        "2026112.1",
        "20261122",
        "20261122.",
        "20261122.01",
        "20261122.0",
        "20261122.1a",
        "+0261122.1",
    ] {
        assert!(bad.parse::<Version>().is_err(), "{bad}");
    }
}

#[test]
fn next_version_follows_existing_ones() {
    let now: Timestamp = "2026-11-22T23:59:59Z".parse().expect("time");
    let v = |s: &str| s.parse::<Version>().expect(s);
    assert_eq!(Version::next(now, []), v("20261122.1"));
    assert_eq!(
        Version::next(now, [v("20261122.9"), v("20261122.10"), v("20261121.99")]),
        v("20261122.11")
    );
    assert_eq!(
        Version::next(now, [v("20261123.2")]),
        v("20261123.3"),
        "a late clock never lowers the version"
    );
}

#[test]
fn check_name_accepts_only_short_lower_case_names() {
    for good in ["jdk", "base-debian-12", "a"] {
        assert_eq!(check_name(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "JDK",
        "1a",
        "a_b",
        "a/b",
        "a-",
        "-a",
        "{{x}}",
        "a,b",
        &"a".repeat(41),
    ] {
        assert!(check_name(bad).is_err(), "{bad}");
    }
}
