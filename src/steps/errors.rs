//! Converts errors of the cloud and the store into errors with an exit code and a hint.

use crate::error::{Error, ErrorKind};
use crate::model::{DETAILS_OMITTED, Region};
use crate::ports::{CloudError, CloudErrorKind, StoreError, StoreErrorKind};

/// Hint for a denial whose encoded details were omitted.
const DECODE: &str = "grant sts:DecodeAuthorizationMessage to the caller to see which statement denied the \
     action, or pass the encoded details (BAKELINE_LOG=debug) to `aws sts decode-authorization-message`";

/// Hint for too many requests. Commands without `--jobs` also show it.
const THROTTLED: &str = "wait a moment and run again; `bakeline release --jobs N` and `bakeline promote --jobs N` send \
     fewer requests at a time";

/// Hint for a signature that is too old or too new.
const CLOCK: &str = "check the clock of this machine: it differs from that of AWS";

impl From<CloudError> for Error {
    fn from(error: CloudError) -> Self {
        let hint = match error.kind {
            CloudErrorKind::Credentials => Some(credentials_hint(&error)),
            CloudErrorKind::Denied => {
                Some("grant the action to the caller, or use another role".into())
            }
            CloudErrorKind::Unreachable => Some(unreachable_hint(&error.message).into()),
            CloudErrorKind::Malformed => Some(
                "check AWS_ENDPOINT_URL and proxies: the response did not come from AWS".into(),
            ),
            CloudErrorKind::Throttled => Some(THROTTLED.into()),
            CloudErrorKind::Quota => {
                Some("request a higher quota (Service Quotas), or delete unused resources".into())
            }
            CloudErrorKind::Capacity => {
                Some("run again later, or set other `subnets` or another instance type".into())
            }
            CloudErrorKind::Other if lacks_default_network(&error) => Some(format!(
                "set `builder.subnet` in bakeline.yaml: the account has no default VPC with subnets in {}",
                error.region
            )),
            _ => None,
        };
        let kind = match error.kind {
            CloudErrorKind::Credentials => ErrorKind::Input,
            CloudErrorKind::Fenced => ErrorKind::Refused,
            _ => ErrorKind::StepFailed,
        };
        let mut converted = Self::new(kind, error.to_string());
        if error.kind.is_transient() {
            converted = converted.transient();
        }
        let details = error
            .message
            .contains(DETAILS_OMITTED)
            .then(|| DECODE.to_owned());
        hint.into_iter().chain(details).fold(converted, Error::hint)
    }
}

/// Converts an error of a call before any change. Missing credentials, permissions or a wrong endpoint
/// are invalid input then.
pub fn first_call_error(error: CloudError) -> Error {
    let is_input = matches!(
        error.kind,
        CloudErrorKind::Credentials | CloudErrorKind::Denied | CloudErrorKind::Unreachable
    );
    let mut converted = Error::from(error);
    if is_input {
        converted.kind = ErrorKind::Input;
    }
    converted
}

/// Returns the way to get credentials that AWS accepts.
fn credentials_hint(error: &CloudError) -> String {
    let reports = |words: &[&str]| words.iter().any(|word| error.message.contains(word));
    if is_clock_error(&error.message) {
        return CLOCK.to_owned();
    }
    if reports(&["sts:AssumeRoleWithWebIdentity", "InvalidIdentityToken"]) {
        return "the role accepts only ID tokens of its project, branch and audience, from an identity provider \
                of its account; `bakeline permissions --format trust` shows the trust policy"
            .to_owned();
    }
    // The provider reports the code of AssumeRole.
    if reports(&["credentials: AccessDenied"]) {
        return "grant sts:AssumeRole on the role to the caller, and allow the caller in the trust policy of \
                the role; `bakeline permissions` shows both"
            .to_owned();
    }
    if reports(&["SSO"]) {
        return "run `aws sso login` for the AWS profile, then run again".to_owned();
    }
    if reports(&["Login token", "login session"]) {
        return "run `aws login` for the AWS profile, then run again".to_owned();
    }
    if reports(&["ExpiredToken", "expired"]) {
        return "log in again, or load a new session into the environment".to_owned();
    }
    // EC2, STS and SSM answer so in a Region that the account has not enabled, and in other partitions.
    let codes = [
        "AuthFailure",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    ];
    let region = Region::from(error.region.as_str());
    if reports(&codes) && region.requires_opt_in() {
        return format!(
            "is the Region {region} enabled for the account? see `aws account list-regions`; otherwise \
             provide valid AWS credentials"
        );
    }
    if reports(&codes) && region.partition() != "aws" {
        let partition = region.partition();
        return format!("provide AWS credentials of the partition `{partition}`");
    }
    "provide AWS credentials: set AWS_PROFILE, run `aws sso login`, or set AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY"
        .to_owned()
}

/// Returns true for the errors of all services about the time of a request.
fn is_clock_error(message: &str) -> bool {
    [
        "RequestTimeTooSkewed",
        "RequestExpired",
        "RequestInTheFuture",
        "Signature expired",
        "Signature not yet current",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Returns the next step for an endpoint without an answer.
fn unreachable_hint(message: &str) -> &'static str {
    // rustls: `invalid peer certificate: UnknownIssuer`.
    if message.contains("peer certificate") {
        "set AWS_CA_BUNDLE to a file with the certificates of your network's authority"
    } else if message.contains("AWS_ENDPOINT_URL") {
        "unset AWS_ENDPOINT_URL to use AWS, or start the local EC2 with `bakeline sandbox up`"
    } else {
        "check the network, proxies and the name of the Region"
    }
}

/// Returns true if a launch or group needs a default VPC or subnet that does not exist.
fn lacks_default_network(error: &CloudError) -> bool {
    let codes = ["VPCIdNotSpecified", "MissingInput"];
    let needs = ["CreateSecurityGroup", "RunInstances"].contains(&error.action);
    needs && codes.iter().any(|code| error.message.starts_with(code))
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let is_bucket = error.key.starts_with("s3://");
        let hint = match error.kind {
            _ if is_clock_error(&error.message) => CLOCK,
            _ if error.message.contains("peer certificate") => unreachable_hint(&error.message),
            // S3: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests
            // with Object Lock parameters".
            _ if is_bucket && error.message.contains("x-amz-checksum") => {
                "the bucket has Object Lock: add `checksum: sha256` to `store.s3` in bakeline.yaml"
            }
            StoreErrorKind::Unreachable => {
                "check `store` in bakeline.yaml and its objects; \
                 for S3 also the credentials and AWS_ENDPOINT_URL"
            }
            StoreErrorKind::Unwritable if is_bucket => {
                "grant s3:PutObject and s3:DeleteObject to the caller; if the policy of the bucket \
                 requires encryption, set `sse` and `kms_key` of `store.s3` in bakeline.yaml"
            }
            StoreErrorKind::Unwritable => {
                "make it writable, or set another `store` in bakeline.yaml"
            }
            StoreErrorKind::Newer => {
                "use a newer version of bakeline, or set another `store` in bakeline.yaml"
            }
            StoreErrorKind::Other => "check its objects, or set another `store` in bakeline.yaml",
        };
        let kind = match error.kind {
            StoreErrorKind::Other => ErrorKind::StepFailed,
            _ => ErrorKind::Input,
        };
        Self::new(kind, error.to_string()).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(kind: CloudErrorKind, action: &'static str, region: &str, message: &str) -> String {
        let error = CloudError {
            kind,
            action,
            region: region.to_owned(),
            message: message.to_owned(),
        };
        Error::from(error).hints().join("; ")
    }

    #[test]
    fn refused_credentials_name_the_likely_cause() {
        let hint = |region, message| {
            hints(
                CloudErrorKind::Credentials,
                "DescribeImages",
                region,
                message,
            )
        };
        let refused = "AuthFailure: AWS was not able to validate the provided access credentials";
        for (region, message, expected) in [
            (
                "eu-central-2",
                refused,
                "is the Region eu-central-2 enabled",
            ),
            (
                "eu-west-1",
                refused,
                "provide AWS credentials: set AWS_PROFILE",
            ),
            ("cn-north-1", refused, "of the partition `aws-cn`"),
            (
                "af-south-1",
                "UnrecognizedClientException: The security token included in the request is invalid",
                "is the Region af-south-1 enabled",
            ),
            (
                "af-south-1",
                "SignatureDoesNotMatch: Signature expired: 20261129T120000Z is now earlier",
                "check the clock",
            ),
            (
                "eu-west-1",
                "RequestExpired: Request has expired.",
                "check the clock",
            ),
            (
                "eu-west-1",
                "the SSO token has expired and cannot be refreshed",
                "aws sso login",
            ),
            ("eu-west-1", "cached Login token is expired", "`aws login`"),
            (
                "eu-west-1",
                "an error occurred while loading credentials: AccessDenied: User: u is not authorized",
                "grant sts:AssumeRole on the role",
            ),
            (
                "eu-west-1",
                "loading credentials: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
                "`bakeline permissions --format trust`",
            ),
            (
                "eu-west-1",
                "ExpiredToken: The security token included in the request is expired",
                "log in again",
            ),
        ] {
            let found = hint(region, message);
            assert!(found.contains(expected), "{region} {message}: {found}");
        }
    }

    #[test]
    fn missing_default_network_names_the_setting() {
        for (action, message) in [
            (
                "CreateSecurityGroup",
                "VPCIdNotSpecified: No default VPC for this user",
            ),
            (
                "RunInstances",
                "MissingInput: No subnets found for the default VPC 'vpc-1'. Please specify a subnet.",
            ),
        ] {
            let found = hints(CloudErrorKind::Other, action, "eu-west-1", message);
            assert!(found.contains("`builder.subnet`"), "{found}");
        }
        let other = hints(
            CloudErrorKind::Other,
            "CreateImage",
            "eu-west-1",
            "MissingInput: x",
        );
        assert_eq!(other, "");
    }

    #[test]
    fn refused_write_to_a_bucket_names_its_settings() {
        let hint = |key: &str, kind, message: &str| {
            let (key, message) = (key.to_owned(), message.to_owned());
            let error = StoreError {
                kind,
                action: "write",
                key,
                message,
            };
            Error::from(error).hints().join("; ")
        };
        let denied = hint("s3://b/x", StoreErrorKind::Unwritable, "AccessDenied");
        assert!(denied.contains("set `sse` and `kms_key`"), "{denied}");
        let local = hint(
            "/srv/store/x",
            StoreErrorKind::Unwritable,
            "Permission denied",
        );
        assert!(local.starts_with("make it writable"), "{local}");
        let text = "InvalidRequest: Content-MD5 OR x-amz-checksum- HTTP header is required";
        let locked = hint("s3://b/x", StoreErrorKind::Unreachable, text);
        assert!(locked.contains("`checksum: sha256`"), "{locked}");
        let skewed = hint(
            "s3://b/x",
            StoreErrorKind::Unwritable,
            "RequestTimeTooSkewed",
        );
        assert!(skewed.contains("clock"), "{skewed}");
    }
}
