//! Defines the syntax of names: one pattern each, for the JSON Schemas and the loader.

use std::sync::OnceLock;

use regex::Regex;

/// Syntax of one kind of name.
pub(crate) struct Syntax {
    /// Pattern that the whole text must match. Rust and JavaScript interpret it in the same way.
    pub(crate) pattern: &'static str,
    /// Description of the syntax that follows "use " in a message.
    pub(crate) advice: &'static str,
    regex: OnceLock<Regex>,
}

impl Syntax {
    const fn new(pattern: &'static str, advice: &'static str) -> Self {
        Self {
            pattern,
            advice,
            regex: OnceLock::new(),
        }
    }

    /// Returns true if the whole text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex
            .get_or_init(|| Regex::new(self.pattern).expect("every pattern is tested"))
            .is_match(text)
    }
}

macro_rules! syntaxes {
    ($($(#[$doc:meta])* $name:ident = $pattern:literal, $advice:literal;)*) => {
        $($(#[$doc])* pub(crate) static $name: Syntax = Syntax::new($pattern, $advice);)*
        #[cfg(test)]
        const ALL: &[(&str, &Syntax)] = &[$((stringify!($name), &$name)),*];
    };
}

syntaxes! {
    /// Name of an image or catalog, as [`crate::model::check_name`] accepts.
    NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
        "1 to 40 of a-z, 0-9 and `-`, starting with a letter";
    /// Environment name, as part of an SSM parameter name: letters, digits, `.`, `-` and `_`.
    ENVIRONMENT = r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$",
        "1 to 40 letters, digits, `_`, `.` and `-`, starting with a letter";
    /// Region code, such as `eu-west-1`, `us-gov-west-1` or `eusc-de-east-1`.
    REGION = r"^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$", "a Region code such as `eu-west-1`";
    ACCOUNT = r"^[0-9]{12}$", "the 12 digits of an account ID, in quotes";
    /// Role ARN. IAM: names have up to 64 characters of `\w+=,.@-`, paths up to 512.
    ROLE =
        r"^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$",
        "an ARN such as `arn:aws:iam::123456789012:role/bakeline`";
    INSTANCE_TYPE = r"^[a-z][a-z0-9-]{0,19}\.[a-z0-9-]{1,20}$",
        "an instance type such as `t3.small`";
    SUBNET = r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$",
        "a subnet ID such as `subnet-0123456789abcdef0`";
    /// Instance profile name. IAM: 1 to 128 characters. Packer requires the name, not the ARN.
    INSTANCE_PROFILE = r"^[A-Za-z0-9_+=,.@-]{1,128}$",
        "the name of an instance profile, not its ARN";
    /// SSM parameter name: at most 15 levels of letters, digits, `.`, `-` and `_`.
    PARAMETER = r"^(/[A-Za-z0-9_.-]{1,128}){1,15}$",
        "the full name of an SSM parameter such as `/aws/service/debian/release/12/latest/amd64`";
    /// Image owner: EC2 DescribeImages, parameter Owners.
    IMAGE_OWNER = r"^([0-9]{12}|self|amazon|aws-marketplace|aws-backup-vault)$",
        "an account ID in quotes, or `self`, `amazon`, `aws-marketplace` or `aws-backup-vault`";
    /// AMI name pattern: EC2 CreateImage, parameter Name, plus `*` and `?`. At least one character
    /// is not a wildcard.
    IMAGE_PATTERN = r"^[*?]*[A-Za-z0-9()\[\] ./'@_-][A-Za-z0-9()\[\] ./'@_*?-]{0,127}$",
        "up to 128 letters, digits, spaces and ()[]./-'@_ with `*` and `?`, not only wildcards";
    /// Path relative to the repository. `.` and `..` are checked separately.
    PATH = r"^[A-Za-z0-9_.+@=][A-Za-z0-9_.+@=-]*(/[A-Za-z0-9_.+@=][A-Za-z0-9_.+@=-]*)*$",
        "a path relative to the root of the repository with letters, digits, `/` and `_.+@=-`";
    /// Path of a local directory, absolute or relative to the working directory.
    FOLDER = r"^/?[A-Za-z0-9_.+@=][A-Za-z0-9_.+@=-]*(/[A-Za-z0-9_.+@=][A-Za-z0-9_.+@=-]*)*$",
        "the path of a directory with letters, digits, `/` and `_.+@=-`";
    /// Absolute path of a file in the image. `.` and `..` are checked separately.
    DESTINATION = r"^(/[A-Za-z0-9_.+@=:-]+)+$",
        "an absolute path of a file with letters, digits, `/` and `_.+@=:-`";
    /// Owner of a file: names as in useradd(8), or numeric IDs.
    OWNER = r"^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})(:([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}))?$",
        "`user` or `user:group`";
    MODE = r"^[0-7]{3,4}$", "three or four octal digits in quotes, such as \"0644\"";
    DURATION = r"^([1-9][0-9]{0,4}[smhdw]){1,5}$",
        "a duration such as `90s`, `15m`, `1h30m`, `7d` or `2w`";
    /// Duration that may be zero.
    DELAY = r"^(0s|([1-9][0-9]{0,4}[smhdw]){1,5})$",
        "a duration such as `7d`, `1d12h` or `2w`, or `0s` for none";
    DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "a date such as 2030-12-31";
    /// Bucket name: S3 naming rules for general purpose buckets.
    BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "a bucket name: 3 to 63 of a-z, 0-9, `.` and `-`";
    /// Fact name: Facter requires lower case.
    FACT = r"^[a-z][a-z0-9_]{0,63}$", "1 to 64 of a-z, 0-9 and `_`, starting with a letter";
    /// One line of ASCII. EC2 accepts only ASCII in a description.
    ASCII = r"^[ -~]*$", "ASCII characters";
    /// Name of an environment variable: POSIX, 8.1.
    VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        "the name of an environment variable such as `BAKELINE_SLACK_WEBHOOK_URL`";
}

/// Checks an address range in CIDR notation. Returns true if its prefix is shorter than /8.
///
/// # Errors
/// Returns advice if the range is invalid.
pub(crate) fn check_cidr(text: &str) -> Result<bool, String> {
    use std::net::IpAddr;
    let example = || "use an address range such as `10.0.0.0/8`".to_owned();
    let (address, length) = text.split_once('/').ok_or_else(example)?;
    let address: IpAddr = address.parse().map_err(|_| example())?;
    let digits = !length.is_empty()
        && length.bytes().all(|b| b.is_ascii_digit())
        && (length == "0" || !length.starts_with('0'));
    let length: u32 = if digits {
        length.parse().map_err(|_| example())?
    } else {
        return Err(example());
    };
    let (bits, size) = match address {
        IpAddr::V4(a) => (u128::from(a.to_bits()) << 96, 32),
        IpAddr::V6(a) => (a.to_bits(), 128),
    };
    if length > size {
        return Err(format!("the part after `/` is at most {size}"));
    }
    let masked = if length == 0 {
        0
    } else {
        bits & (u128::MAX << (128 - length))
    };
    if masked != bits {
        let network = match address {
            IpAddr::V4(_) => IpAddr::from(std::net::Ipv4Addr::from_bits(
                u32::try_from(masked >> 96).unwrap_or(0),
            )),
            IpAddr::V6(_) => IpAddr::from(std::net::Ipv6Addr::from_bits(masked)),
        };
        return Err(format!("use the network address: `{network}/{length}`"));
    }
    Ok(length < 8)
}

/// Longest duration in weeks. Dates that far in the future or past are still valid.
const MAX_WEEKS: u64 = 99_999;

/// Parses a duration that matches [`DURATION`] or [`DELAY`]. A day has 24 hours.
///
/// Returns `None` if the duration is longer than 99,999 weeks.
pub(crate) fn parse_duration(text: &str) -> Option<jiff::SignedDuration> {
    let duration = humantime::parse_duration(text).ok()?;
    if duration.as_secs() > MAX_WEEKS * 7 * 86_400 {
        return None;
    }
    duration.try_into().ok()
}

/// Returns true if bakeline or AWS reserves a tag key, independent of the settings.
pub(crate) fn is_reserved_tag(key: &str) -> bool {
    let lower = key.to_lowercase();
    lower == "name"
        || ["aws:", "bakeline:"]
            .iter()
            .any(|prefix| lower.starts_with(prefix))
}

#[cfg(test)]
mod tests {
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
            "DESTINATION",
            &["/etc/motd", "/etc/systemd/system/a@.service"],
            &["etc", "/", "/a/", "//a", "/a b", "/a$b", "/{{x}}"],
        ),
        (
            "OWNER",
            &["root", "root:root", "0:0", "_apt"],
            &["", "Root", "a:", ":a", "a:b:c", "a b", "-a"],
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

    #[test]
    fn cidr_check_finds_invalid_and_wide_ranges() {
        assert_eq!(check_cidr("10.0.0.0/8"), Ok(false));
        assert_eq!(check_cidr("2001:db8::/32"), Ok(false));
        assert_eq!(check_cidr("1.2.3.4/32"), Ok(false));
        assert_eq!(check_cidr("0.0.0.0/0"), Ok(true));
        assert_eq!(check_cidr("::/0"), Ok(true));
        assert_eq!(check_cidr("0.0.0.0/1"), Ok(true));
        assert_eq!(
            check_cidr("10.1.2.3/8"),
            Err("use the network address: `10.0.0.0/8`".to_owned())
        );
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0/8",
            "a/8",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "::/129",
        ] {
            assert!(check_cidr(bad).is_err(), "{bad}");
        }
    }
}
