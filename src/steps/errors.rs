//! Converts errors of the cloud and the store into errors with an exit code and a hint.

use crate::error::{DETAILS_OMITTED, Error, ErrorKind};
use crate::ports::{CloudError, CloudErrorKind, StoreError, StoreErrorKind};

/// Hint for a denial whose encoded details were omitted.
pub(in crate::steps) const DECODE: &str = "run again with BAKELINE_LOG=debug and pass the encoded details to \
     `aws sts decode-authorization-message --encoded-message`";

impl From<CloudError> for Error {
    fn from(error: CloudError) -> Self {
        let hint = match error.kind {
            CloudErrorKind::Credentials => {
                Some("provide AWS credentials: a profile, environment variables, or a role")
            }
            CloudErrorKind::Denied => Some("grant the action to the caller, or use another role"),
            CloudErrorKind::Unreachable => Some(
                "check the network and AWS_ENDPOINT_URL; \
                 for the local EC2 run `bakeline sandbox up`",
            ),
            CloudErrorKind::Malformed => {
                Some("check AWS_ENDPOINT_URL and proxies: the response did not come from AWS")
            }
            CloudErrorKind::Throttled => Some("wait a moment and run again, or lower --jobs"),
            CloudErrorKind::Quota => {
                Some("request a higher quota (Service Quotas), or delete unused resources")
            }
            CloudErrorKind::Capacity => {
                Some("run again later, or set other `subnets` or another instance type")
            }
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
        let details = error.message.contains(DETAILS_OMITTED).then_some(DECODE);
        hint.into_iter().chain(details).fold(converted, Error::hint)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let hint = match error.kind {
            StoreErrorKind::Unreachable => {
                "check `store` in bakeline.yaml and its objects; \
                 for S3 also the credentials and AWS_ENDPOINT_URL"
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
