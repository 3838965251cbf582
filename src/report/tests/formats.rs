//! Tests the output of each format for the sample report.

use serde_json::{Value, json};

use super::*;
use crate::report::{Format, cyclonedx, html, inspec, json, junit, terminal, write};

fn parse_json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Returns a control of the sample in exec-json.
fn inspec_control(id: &str) -> Value {
    parse_json(&inspec::write(&sample_with(id)))["profiles"][0]["controls"][0].clone()
}

#[test]
fn format_file_names_are_unique() {
    let names: std::collections::BTreeSet<String> = Format::ALL
        .iter()
        .map(|f| f.file_name(Phase::Boot))
        .collect();
    assert_eq!(names.len(), Format::ALL.len());
    assert_eq!(
        Format::Junit.file_name(Phase::Build),
        "checks-build.junit.xml"
    );
}

#[test]
fn terminal_report_starts_with_the_most_severe_results() {
    let text = terminal::write(&sample(), terminal::Options::default());
    let at = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("`{what}` is missing in\n{text}"))
    };
    assert!(at("os-05") < at("os-02") && at("os-02") < at("os-11") && at("os-11") < at("os-07"));
    assert!(text.contains(
        "  failed   os-02  Failed  (impact 1.0, profiles/linux-baseline.yaml:22)\n             \
         failed    file /etc/shadow mode\n             expected  at most 0640\n             actual    0644\n"
    ));
    assert!(text.contains("error     file /etc/login.defs UMASK\n             expected  \"027\"\n             reason    permission denied\n"));
    assert!(text.contains("waived by platform team until 2027-03-31: the vendor ships it so"));
    assert!(text.contains("expired on 2026-01-31"));
    assert!(text.contains("  passed   4 controls\n") && !text.contains("os-12"));
    assert!(text.ends_with(
        "5 passed\nnote: 1 failed with impact 0; other tools show impact 0 as not applicable\n"
    ));
    assert!(
        terminal::write(
            &sample(),
            terminal::Options {
                passed: true,
                colour: false
            }
        )
        .contains("os-12")
    );
}

#[test]
fn colour_adds_only_escape_codes() {
    let plain = terminal::write(&sample(), terminal::Options::default());
    let colour = terminal::write(
        &sample(),
        terminal::Options {
            colour: true,
            passed: false,
        },
    );
    assert!(!plain.contains('\u{1b}'));
    let own = regex::Regex::new("\u{1b}\\[(3[1235])?m|\u{1b}\\[0m").expect("a pattern");
    assert_ne!(colour, plain);
    assert_eq!(own.replace_all(&colour, ""), plain);
}

#[test]
fn exec_json_has_the_required_fields() {
    let out = parse_json(&inspec::write(&sample()));
    assert_eq!(
        out["platform"],
        json!({"name": "debian", "release": "12.7", "target_id": "debian-12"})
    );
    for profile in out["profiles"].as_array().expect("profiles") {
        assert_eq!(profile["sha256"].as_str().map(str::len), Some(64));
        for control in profile["controls"].as_array().expect("controls") {
            assert!(
                control["results"].as_array().is_some_and(|r| !r.is_empty()),
                "{control}"
            );
        }
    }
    assert_eq!(
        inspec_control("os-01")["tags"]["severity"],
        "high, reviewed"
    );
    assert_eq!(
        inspec_control("os-01")["tags"]["nist"],
        json!(["AC-6", "CM-6 b"])
    );
}

#[test]
fn exec_json_readers_show_the_same_status() {
    let error = &inspec_control("os-05")["results"][1];
    assert_eq!(error["status"], "failed");
    assert!(
        error["exception"].is_string()
            && error["backtrace"].as_array().is_some_and(|b| !b.is_empty())
    );
    assert!(
        inspec_control("os-04")["results"]
            .as_array()
            .expect("results")
            .iter()
            .all(|r| r["backtrace"].is_null())
    );
    assert_eq!(
        inspec_control("os-08")["results"][0]["status"],
        "skipped",
        "a partly skipped control does not pass"
    );
    assert_eq!(inspec_control("os-09")["results"][0]["status"], "passed");
    for (id, waived) in [
        ("os-11", true),
        ("os-12", false),
        ("os-13", false),
        ("os-14", false),
        ("os-15", false),
    ] {
        assert_eq!(
            inspec_control(id)["waiver_data"]["skipped_due_to_waiver"],
            waived,
            "{id}"
        );
    }
    assert_eq!(inspec_control("os-01")["waiver_data"], json!({}));
}

#[test]
fn junit_names_are_unique_and_bodies_complete() {
    let text = junit::write(&sample_with("os-02"));
    let class = "classname=\"linux-baseline.os-02\"";
    assert_eq!(text.matches(class).count(), 3, "{text}");
    assert!(text.contains(&format!("{class} name=\"file /etc/shadow mode (debian-12, boot)\" file=\"profiles/linux-baseline.yaml\" time=\"0.000012\"")));
    assert!(text.contains("name=\"file /etc/shadow mode (debian-12, boot) #2\""));
    assert!(text.contains("failures=\"2\" errors=\"0\" skipped=\"0\" time=\"0.000036\""));
    assert!(text.contains("timestamp=\"2026-11-24T02:03:04\""));
    assert!(text.contains("expected: at most 0640\nactual: 0644\n"));
    let waived = junit::write(&sample_with("os-11"));
    assert!(
        waived.contains("<skipped message=\"waived by platform team until 2027-03-31")
            && !waived.contains("<failure")
    );
    assert!(
        junit::write(&sample_with("os-13"))
            .contains("<error message=\"permission denied\" type=\"error\">")
    );
}

#[test]
fn long_junit_report_omits_bodies() {
    let long = Finding {
        actual: Some("x".repeat(4000).into()),
        ..finding_with(FindingOutcome::Failed)
    };
    let text = junit::write(&report_with(Outcome::Failed, vec![long; 6000]));
    assert!(
        text.len() < 30_000_000 && text.contains("omitted because of the size"),
        "{}",
        text.len()
    );
    assert_eq!(text.matches("<failure ").count(), 6000);
}

#[test]
fn html_page_opens_failures_and_loads_nothing() {
    let page = html::write(&sample(), PAGE).expect("a page");
    assert!(
        page.contains("<details open>\n<summary><span class=\"status error\">7 error"),
        "{page}"
    );
    assert!(page.contains("<details>\n<summary><span class=\"status passed\">"));
    assert!(page.contains("<a href=\"https://www.debian.org/"));
    for never in [
        "<script",
        "<img",
        "<link",
        "href=\"javascript",
        "@import",
        "url(",
        " style=",
        " onerror=alert(1)>",
    ] {
        assert!(!page.contains(never), "{never}");
    }
}

/// Compares the digest in the content security policy with the style of the page.
#[test]
fn html_policy_has_the_digest_of_the_style() {
    use sha2::Digest as _;
    let style = PAGE
        .split("<style>")
        .nth(1)
        .and_then(|rest| rest.split("</style>").next())
        .expect("a style");
    let digits: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['+', '/'])
        .collect();
    let mut bits: String = sha2::Sha256::digest(style)
        .iter()
        .map(|b| format!("{b:08b}"))
        .collect();
    bits.push_str("00");
    let value = |six: &[u8]| six.iter().fold(0, |n, b| n * 2 + usize::from(b - b'0'));
    let base64: String = bits
        .as_bytes()
        .chunks(6)
        .map(|six| digits[value(six)])
        .collect();
    assert!(
        PAGE.contains(&format!("style-src 'sha256-{base64}='")),
        "the style has changed; its digest is 'sha256-{base64}='"
    );
}

#[test]
fn html_template_error_names_the_file() {
    let error = html::write(&sample(), "@{ targe }@")
        .expect_err("a misspelt value")
        .to_string();
    assert!(
        error.contains("templates/report/checks.html") && error.contains("did you mean `target`?"),
        "{error}"
    );
}

#[test]
fn json_report_can_be_read_back() {
    let text = json::write(&sample());
    let back: Report = serde_json::from_str(&text).expect("a report");
    assert_eq!(json::write(&back), text);
    let out = parse_json(&text);
    assert_eq!(
        (&out["schema"], &out["counts"]["waived"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(out["profiles"][0]["controls"][10]["status"], "waived");
    assert_eq!(out["profiles"][0]["controls"][18]["outcome"], "error");
}

#[test]
fn packages_are_sorted_and_unique_purls() {
    let out = parse_json(&cyclonedx::write(&sample()));
    let purls: Vec<&str> = out["components"]
        .as_array()
        .expect("components")
        .iter()
        .filter_map(|c| c["purl"].as_str())
        .collect();
    assert_eq!(
        purls,
        [
            "pkg:deb/debian/base-files@12.4%2Bdeb12u7?arch=amd64&distro=debian-12",
            "pkg:deb/debian/dmsetup@2:1.02.185-2?arch=amd64&distro=debian-12&upstream=lvm2%402.03.16-2",
            "pkg:deb/debian/hostile%22%3C%2Fscript%3E@1.0~%1B%5B31m%2F..%2F%C3%A4%20%40%3F%23%25?arch=amd64&distro=debian-12",
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u8?arch=amd64&distro=debian-12&upstream=glibc",
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u8?arch=i386&distro=debian-12&upstream=glibc",
            "pkg:deb/debian/liblvm2cmd2.03@2.03.16-2?arch=amd64&distro=debian-12&upstream=lvm2",
            "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12&upstream=gcc-12",
            "pkg:deb/debian/noversion?arch=all&distro=debian-12",
            "pkg:deb/debian/openssh-server@1:9.2p1-2%2Bdeb12u3?arch=amd64&distro=debian-12&upstream=openssh",
        ]
    );
}

#[test]
fn rpm_purls_have_epoch_and_source_rpm() {
    let mut report = sample();
    report.os = serde_json::from_value(json!({"id": "amzn", "version": "2023"})).expect("an os");
    report.packages = serde_json::from_value(json!([
        {"name": "openssl-libs", "version": "1:3.0.8-1.amzn2023.0.9", "arch": "x86_64",
         "source": "openssl", "source_version": "3.0.8-1.amzn2023.0.9"},
        {"name": "snapshot", "version": "1.0^git1~rc2-1", "arch": "noarch",
         "source": "snapshot", "source_version": "1.0^git1~rc2-1"},
        {"name": "gpg-pubkey", "version": "5a6340b3-6229229e", "arch": ""},
    ]))
    .expect("packages");
    let out = parse_json(&cyclonedx::write(&report));
    let purls: Vec<&str> = out["components"]
        .as_array()
        .expect("components")
        .iter()
        .filter_map(|c| c["purl"].as_str())
        .collect();
    assert_eq!(
        purls,
        [
            "pkg:rpm/amzn/gpg-pubkey@5a6340b3-6229229e?distro=amzn-2023",
            "pkg:rpm/amzn/openssl-libs@3.0.8-1.amzn2023.0.9?arch=x86_64&distro=amzn-2023&epoch=1&upstream=openssl-3.0.8-1.amzn2023.0.9.src.rpm",
            "pkg:rpm/amzn/snapshot@1.0%5Egit1~rc2-1?arch=noarch&distro=amzn-2023&upstream=snapshot-1.0%5Egit1~rc2-1.src.rpm",
        ]
    );
    assert_eq!(out["components"][2]["version"], "1:3.0.8-1.amzn2023.0.9");
}

#[test]
fn serial_number_depends_on_packages_only() {
    let serial = |report: &Report| {
        parse_json(&cyclonedx::write(report))["serialNumber"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    let mut report = sample();
    let first = serial(&report);
    assert!(
        regex::Regex::new(
            "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
        )
        .expect("a pattern")
        .is_match(&first)
    );
    report.packages.reverse();
    report.started += jiff::SignedDuration::from_hours(1);
    assert_eq!(serial(&report), first, "order and time do not matter");
    report.packages[3].version.push('1');
    assert_ne!(serial(&report), first);
}

#[test]
fn sensitive_inputs_are_in_no_report() {
    for format in Format::ALL {
        let text = write(&sample(), format, PAGE).expect("a report");
        assert!(!text.contains("hunter2"), "{format:?}");
    }
    assert_eq!(sample().profiles[0].inputs[2].value(), "***");
}

#[test]
fn terminal_report_names_items_that_are_not_allowed() {
    let mut finding = super::finding_with(FindingOutcome::Failed);
    finding.property = "setuid".into();
    finding.expected = "only \"a\"".into();
    finding.actual = Some("\"a\" and 9 more".into());
    let message = "setuid: expected only \"a\", actual \"a\" and 9 more; not allowed: \"x\"";
    finding.message = message.into();
    let report = super::report_with(Outcome::Failed, vec![finding]);
    let text = terminal::write(&report, terminal::Options::default());
    assert!(text.contains("detail    not allowed: \"x\"\n"), "{text}");
}
