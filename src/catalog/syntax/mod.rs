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
    /// KMS key: KMS API Reference, DescribeKey, parameter KeyId.
    KMS_KEY =
        r"^((arn:aws(-[a-z]+)*:kms:[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}:[0-9]{12}:)?alias/[A-Za-z0-9/_-]{1,250}|(arn:aws(-[a-z]+)*:kms:[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}:[0-9]{12}:key/)?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}))$",
        "a key ID, `alias/NAME`, or the ARN of a key or alias";
    /// Organization: Organizations API Reference, Organization, field Arn.
    ORGANIZATION = r"^arn:aws(-[a-z]+)*:organizations::[0-9]{12}:organization/o-[a-z0-9]{10,32}$",
        "an ARN such as `arn:aws:organizations::123456789012:organization/o-abcdefghij`";
    /// Organizational unit: Organizations API Reference, OrganizationalUnit, field Arn.
    ORGANIZATIONAL_UNIT = r"^arn:aws(-[a-z]+)*:organizations::[0-9]{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$",
        "an ARN such as `arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678`";
    /// External ID: STS AssumeRole, parameter ExternalId.
    EXTERNAL_ID = r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$", "2 to 1,224 letters, digits and `_+=,.@:/-`";
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
    /// Path of a file to copy, relative to the repository, with any names. `.` and `..` are checked
    /// separately.
    ANY_PATH = r"^[^/~\x00-\x1f\x7f-][^/\x00-\x1f\x7f]*(/[^/\x00-\x1f\x7f]+)*$",
        "a path relative to the root of the repository, without control characters";
    /// Absolute path of a file in the image. `.` and `..` are checked separately.
    DESTINATION = r"^(/|(/[^/\x00-\x1f\x7f]+)+)$",
        "an absolute path of a file, without control characters";
    /// Owner of a file: names as in useradd(8), or numeric IDs.
    OWNER = r"^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})(:([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}))?$",
        "`user` or `user:group`";
    /// Name or numeric ID of a user or group.
    ACCOUNT_NAME = r"^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$",
        "a name with a-z, 0-9, `_` and `-`, or a numeric ID";
    /// Name of a user who logs in: useradd(8).
    LOGIN_USER = r"^[a-z_][a-z0-9_-]{0,31}$", "the name of a user with a-z, 0-9, `_` and `-`";
    /// Device name of a volume: Amazon EC2 User Guide, "Device names for volumes on Amazon EC2
    /// instances". EC2 reserves those with `a` for root volumes.
    VOLUME_DEVICE = r"^(root|/dev/sd[b-z]|/dev/xvd[b-z]|/dev/xvd[b-d][a-z])$",
        "`root`, or a device such as `/dev/sdf`";
    MODE = r"^[0-7]{3,4}$", "three or four octal digits in quotes, such as \"0644\"";
    DURATION = r"^([1-9][0-9]{0,4}[smhdw]){1,5}$",
        "a duration such as `90s`, `15m`, `1h30m`, `7d` or `2w`";
    /// Duration that may be zero.
    DELAY = r"^(0s|([1-9][0-9]{0,4}[smhdw]){1,5})$",
        "a duration such as `7d`, `1d12h` or `2w`, or `0s` for none";
    /// Duration that may be zero, at most one hour.
    BOOT_WAIT = r"^(0s|([1-9][0-9]{0,4}[smhdw]){1,5})$",
        "a duration of at most `1h`, such as `30s` or `5m`, or `0s` for none";
    DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "a date such as 2030-12-31";
    /// Bucket name: S3 naming rules for general purpose buckets.
    BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "a bucket name: 3 to 63 of a-z, 0-9, `.` and `-`";
    /// URL of an S3 endpoint, without path or user.
    ENDPOINT = r"^https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$",
        "a URL without a path, such as `https://s3.example.com`";
    /// Fact name: Facter requires lower case.
    FACT = r"^[a-z][a-z0-9_]{0,63}$", "1 to 64 of a-z, 0-9 and `_`, starting with a letter";
    /// One line of ASCII. EC2 accepts only ASCII in a description.
    ASCII = r"^[ -~]*$", "ASCII characters";
    /// Name of an environment variable: POSIX, 8.1.
    VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        "the name of an environment variable such as `BAKELINE_SLACK_WEBHOOK_URL`";
}

/// Longest duration in weeks. Dates that far in the future or past are still valid.
const MAX_WEEKS: u64 = 99_999;

/// Formats a duration in the notation of the catalog: `30d`, `36h`, `90m`.
#[must_use]
pub(crate) fn format_duration(time: jiff::SignedDuration) -> String {
    match time.as_secs() {
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

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
mod tests;
