//! Tests the patterns with valid and invalid examples, and durations.

use super::*;

fn assert_syntax(name: &str, syntax: &Syntax, good: &[&str], bad: &[&str]) {
    assert!(
        good.iter()
            .all(|g| syntax.matches(g) && !syntax.matches(&format!("{g}\n"))),
        "{name} {good:?}"
    );
    assert!(!bad.iter().any(|b| syntax.matches(b)), "{name} {bad:?}");
}

/// Valid and invalid examples of each syntax.
const EXAMPLES: &[(&str, &[&str], &[&str])] = &[
    (
        "NAME",
        &["jdk", "a", "base-debian-12"],
        &[
            "",
            "JDK",
            "1a",
            "a-",
            "a_b",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ],
    ),
    (
        "ENVIRONMENT",
        &["Test", "Prod", "pre.prod"],
        &["", "1", "a b", "a/b", "$(x)"],
    ),
    (
        "REGION",
        &[
            "eu-west-1",
            "us-gov-west-1",
            "eusc-de-east-1",
            "ap-southeast-12",
        ],
        &["eu-west-1a", "EU-WEST-1", "eu", "local"],
    ),
    (
        "ACCOUNT",
        &["123456789012"],
        &["12345678901", "1234567890123", "12345678901a"],
    ),
    (
        "ROLE",
        &[
            "arn:aws:iam::123456789012:role/a",
            "arn:aws-cn:iam::123456789012:role/x/y",
        ],
        &[
            "arn:aws:iam::123456789012:user/a",
            "role",
            "arn:aws:iam::123456789012:role/",
        ],
    ),
    (
        "KMS_KEY",
        &[
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "mrk-1234abcd12ab34cd56ef1234567890ab",
            "alias/a/b_C-1",
            "arn:aws:kms:eu-west-1:123456789012:alias/a",
            "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab",
        ],
        &[
            "alias/",
            "alias/a b",
            "a",
            "key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-west-1:123456789012:1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:iam::123456789012:role/a",
            "arn:aws:kms:eu-west-1:123:alias/a",
        ],
    ),
    (
        "ORGANIZATION",
        &[
            "arn:aws:organizations::123456789012:organization/o-abcdefghij",
            "arn:aws-us-gov:organizations::123456789012:organization/o-0123456789a",
        ],
        &[
            "o-abcdefghij",
            "arn:aws:organizations::123456789012:organization/o-abc",
            "arn:aws:organizations::123:organization/o-abcdefghij",
            "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678",
        ],
    ),
    (
        "ORGANIZATIONAL_UNIT",
        &["arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678"],
        &[
            "ou-abcd-12345678",
            "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-1234",
            "arn:aws:organizations::123456789012:ou/ou-abcd-12345678",
            "arn:aws:organizations::123456789012:organization/o-abcdefghij",
        ],
    ),
    (
        "EXTERNAL_ID",
        &["ab", "acme/7", "a_b+=,.@:/-"],
        &["", "a", "a b", "a*", "ä1"],
    ),
    (
        "INSTANCE_TYPE",
        &["t3.small", "u-6tb1.112xlarge", "m7g.metal-24xl"],
        &["t3", "t3.", "T3.small", "t3.small; x"],
    ),
    (
        "SUBNET",
        &["subnet-12345678", "subnet-0123456789abcdef0"],
        &["subnet-1", "subnet-ABCDEF01"],
    ),
    (
        "INSTANCE_PROFILE",
        &["bakeline", "a+b=c,d.e@f"],
        &["", "arn:aws:iam::1:instance-profile/x", "a b"],
    ),
    (
        "PARAMETER",
        &["/aws/service/debian/release/12/latest/amd64", "/a"],
        &["a", "/", "/a/", "//a", "/a b", "/a:1"],
    ),
    (
        "IMAGE_OWNER",
        &["amazon", "self", "136693071363"],
        &["debian", "", "Amazon"],
    ),
    (
        "IMAGE_PATTERN",
        &["debian-12-amd64-*", "*x", "ubuntu/images/*(a) [b]'?"],
        &["", "*", "*?*", "a{{b}}", "a$", "a\"b", "a\nb"],
    ),
    (
        "PATH",
        &["files/motd", "a", ".x/y", "files/a@.service"],
        &[
            "/a", "a//b", "a/", "-a", "a/-b", "a b", "a\\b", "", "${a}", "~/a",
        ],
    ),
    (
        "FOLDER",
        &[".bakeline/store", "/srv/store"],
        &["", "/", "-x", "a b", "$(x)"],
    ),
    (
        "ANY_PATH",
        &["files/motd", "a b/ü", ".x/$y", "a~"],
        &["", "/a", "a//b", "a/", "-a", "~/a", "a\nb"],
    ),
    (
        "DESTINATION",
        &[
            "/",
            "/etc/motd",
            "/etc/systemd/system/a@.service",
            "/a b/ü$",
        ],
        &["etc", "", "/a/", "//a", "/a\nb", "/a\u{7f}"],
    ),
    (
        "OWNER",
        &["root", "root:root", "0:0", "_apt"],
        &["", "Root", "a:", ":a", "a:b:c", "a b", "-a"],
    ),
    (
        "ACCOUNT_NAME",
        &["root", "0", "_apt", "www-data"],
        &["", "Root", "a:b", "a b", "-a"],
    ),
    (
        "LOGIN_USER",
        &["rocky", "ec2-user", "_a", "cloud-user"],
        &["", "0", "Rocky", "a b", "-a", "a:b", "a$"],
    ),
    (
        "VOLUME_DEVICE",
        &["root", "/dev/sdf", "/dev/xvdf", "/dev/xvdba"],
        &[
            "",
            "sdf",
            "/dev/sda",
            "/dev/sda1",
            "/dev/xvda",
            "/dev/nvme1n1",
        ],
    ),
    (
        "MODE",
        &["644", "0644", "4755"],
        &["", "0o644", "888", "rw", "00644", "64"],
    ),
    (
        "DURATION",
        &["90s", "15m", "36h", "7d", "2w", "1h30m", "1w2d3h4m5s"],
        &[
            "", "7", "d", "07d", "1.5h", "-1d", "7 d", "100000d", "1h30", "1h 30m", "1y", "1M",
            "1ms", "0s",
        ],
    ),
    (
        "DELAY",
        &["0s", "90s", "7d", "2w", "1d12h"],
        &["", "0", "0d", "00s", "07d", "-1d", "0s1m"],
    ),
    (
        "BOOT_WAIT",
        &["0s", "90s", "1h", "1h30m"],
        &["", "0", "90", "07d", "-1d"],
    ),
    (
        "DATE",
        &["2030-12-31"],
        &["", "20301231", "2030-1-1", "31.12.2030"],
    ),
    (
        "BUCKET",
        &["abc", "my.bucket-1"],
        &["ab", "-ab", "Abc", "a_b", "s3://abc"],
    ),
    (
        "ENDPOINT",
        &[
            "https://s3.example.com",
            "http://127.0.0.1:9000",
            "https://s3",
        ],
        &[
            "s3.example.com",
            "https://",
            "https://u:p@s3",
            "https://s3/x",
            "https://-a",
            "ftp://s3",
        ],
    ),
    (
        "FACT",
        &["a", "team_1"],
        &["", "Team", "1a", "a-b", "a b", "_a"],
    ),
    ("ASCII", &["", "a b ~ {}"], &["ä", "–", "a\tb", "\u{7f}"]),
    (
        "VARIABLE",
        &["A", "_a1", "SLACK_URL"],
        &["", "1A", "A-B", "$A", "https://x"],
    ),
];

#[test]
fn syntax_matches_valid_names_only() {
    assert_eq!(
        EXAMPLES.iter().map(|t| t.0).collect::<Vec<_>>(),
        ALL.iter().map(|a| a.0).collect::<Vec<_>>()
    );
    EXAMPLES
        .iter()
        .zip(ALL)
        .for_each(|((name, good, bad), (_, syntax))| assert_syntax(name, syntax, good, bad));
}

/// Reference parser for durations with one unit.
fn parse_single_unit(text: &str) -> Option<jiff::SignedDuration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    Some(jiff::SignedDuration::from_secs(number * seconds))
}

#[test]
fn single_unit_durations_keep_their_values() {
    let numbers = (1..=999).chain((1000..=99_999).step_by(97)).chain([99_999]);
    for number in numbers {
        for unit in ["s", "m", "h", "d", "w"] {
            let text = format!("{number}{unit}");
            assert!(DURATION.matches(&text) && DELAY.matches(&text), "{text}");
            assert_eq!(parse_duration(&text), parse_single_unit(&text), "{text}");
        }
    }
    assert_eq!(parse_duration("0s"), parse_single_unit("0s"));
}

#[test]
fn durations_can_have_several_units() {
    for (text, seconds) in [
        ("1h30m", 5400),
        ("1d12h", 129_600),
        ("1w2d3h4m5s", 788_645),
        ("99998w7d", 60_479_395_200),
    ] {
        let expected = jiff::SignedDuration::from_secs(seconds);
        assert_eq!(parse_duration(text), Some(expected), "{text}");
    }
    assert_eq!(parse_duration("99999w1s"), None);
}

#[test]
fn name_pattern_agrees_with_model() {
    for text in [
        "jdk",
        "a",
        "a-",
        "-a",
        "",
        "a1-b",
        "A",
        &"a".repeat(40),
        &"a".repeat(41),
        "a_b",
        "é",
    ] {
        assert_eq!(
            NAME.matches(text),
            crate::model::check_name(text).is_ok(),
            "{text}"
        );
    }
}
