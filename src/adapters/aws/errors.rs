//! Converts errors of the AWS SDK, by their codes, into kinds that callers can act on.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use crate::model::Region;
use crate::ports::{CloudError, CloudErrorKind, CloudResult};

/// Turns an SDK error into ours: the kind one can act on, and the cloud's own words.
pub(super) fn failed<E>(action: &'static str, region: &Region, error: &SdkError<E>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or("");
    let message = match (error.code(), error.message()) {
        (Some(code), Some(text)) => format!("{code}: {text}"),
        (Some(code), None) => code.to_owned(),
        _ => words(error),
    };
    let kind = match error {
        SdkError::DispatchFailure(f) if f.is_user() || message.contains("credentials") => {
            CloudErrorKind::Credentials
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => CloudErrorKind::Unreachable,
        SdkError::ResponseError(_) => CloudErrorKind::Malformed,
        SdkError::ConstructionFailure(_) if message.contains("credentials") => {
            CloudErrorKind::Credentials
        }
        SdkError::ServiceError(e)
            if kind_of(code) == CloudErrorKind::Other && e.raw().status().is_server_error() =>
        {
            CloudErrorKind::Unavailable
        }
        _ => kind_of(code),
    };
    CloudError {
        kind,
        action,
        region: region.to_string(),
        message,
    }
}

/// Returns the part of an answer that the API always sends, also when it is empty. The JSON protocol reads an empty body
/// as an answer without any part, which must not count as "nothing exists".
pub(super) fn required<T>(
    part: Option<T>,
    name: &str,
    action: &'static str,
    region: &Region,
) -> CloudResult<T> {
    let message = || format!("the answer has no `{name}`, so it did not come from AWS");
    part.ok_or_else(|| CloudError {
        kind: CloudErrorKind::Malformed,
        action,
        region: region.to_string(),
        message: message(),
    })
}

/// EC2's and SSM's error codes (EC2 API Reference, "Error codes"; SSM API Reference, each action's errors).
fn kind_of(code: &str) -> CloudErrorKind {
    match code {
        "ParameterNotFound" => CloudErrorKind::NotFound,
        "DependencyViolation"
        | "InvalidGroup.InUse"
        | "InvalidSnapshot.InUse"
        | "ResourceInUse" => CloudErrorKind::InUse,
        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
            CloudErrorKind::Denied
        }
        "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature" => CloudErrorKind::Credentials,
        // The thing exists, but not in a state for the call: a pending or disabled AMI.
        c if c.ends_with(".Unavailable") => CloudErrorKind::InUse,
        c if c.ends_with(".NotFound") => CloudErrorKind::NotFound,
        c if c.ends_with(".Duplicate") => CloudErrorKind::Duplicate,
        c if c.contains("Throttl") || c.contains("LimitExceeded") => CloudErrorKind::Throttled,
        _ => CloudErrorKind::Other,
    }
}

/// The innermost words of an error without a code: the outer ones only say that a call failed.
fn words(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        out = format!("{out}: {inner}");
        cause = inner.source();
    }
    out
}
