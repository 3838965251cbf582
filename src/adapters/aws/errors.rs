//! Converts errors of the AWS SDK to [`CloudError`] by their codes.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use crate::error::describe;
use crate::model::{Region, encoded_details, omit_encoded_details};
use crate::ports::{CloudError, CloudErrorKind, CloudResult, launch_refusal_kind};

/// Part of the error of the SDK's chain of providers.
const NO_CREDENTIALS: &str = "no credentials found in chain";
/// Part of the answer to CopyImage while the snapshots are not shared with the caller.
const NOT_SHARED: &str = "permission to access the storage of this ami";

/// Converts an SDK error to a [`CloudError`] with the kind, the code and the message.
pub(super) fn cloud_error<E>(
    action: &'static str,
    region: &Region,
    error: &SdkError<E>,
) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or("");
    let message = match (error.code(), error.message()) {
        (Some(code), Some(text)) => format!("{code}: {text}"),
        (Some(code), None) => code.to_owned(),
        _ => name_endpoint(error, shorten_provider_error(describe(error))),
    };
    for details in encoded_details(&message) {
        tracing::debug!("encoded details of {action} in {region}: {details}");
    }
    let message = omit_encoded_details(&message);
    let kind = match error {
        SdkError::ServiceError(_) if message.contains(NOT_SHARED) => CloudErrorKind::NotShared,
        SdkError::DispatchFailure(f) if f.is_user() || message.contains("credentials") => {
            credentials_kind(&message)
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => CloudErrorKind::Unreachable,
        SdkError::ResponseError(_) => CloudErrorKind::Malformed,
        SdkError::ConstructionFailure(_) if message.contains("credentials") => {
            credentials_kind(&message)
        }
        SdkError::ServiceError(e)
            if error_kind(code) == CloudErrorKind::Other && e.raw().status().is_server_error() =>
        {
            CloudErrorKind::Unavailable
        }
        _ => error_kind(code),
    };
    CloudError {
        kind,
        action,
        region: region.to_string(),
        message,
    }
}

/// Adds the endpoint of the environment to the error of a connection that failed.
fn name_endpoint<E>(error: &SdkError<E>, text: String) -> String {
    let is_connection = matches!(
        error,
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_)
    );
    match crate::adapters::system::variable("AWS_ENDPOINT_URL") {
        Some(url) if is_connection && !text.contains("credentials") => {
            format!("{text} (AWS_ENDPOINT_URL is {url})")
        }
        _ => text,
    }
}

/// Returns false if a call failed because its resource does not exist.
pub(super) fn exists<T>(result: CloudResult<T>) -> CloudResult<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.kind == CloudErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns a field that the API sends in every response, even if it is empty. An empty body parses
/// as a response without fields, which must not count as "nothing exists".
pub(super) fn require_field<T>(
    field: Option<T>,
    name: &str,
    action: &'static str,
    region: &Region,
) -> CloudResult<T> {
    let message = || format!("the response has no `{name}`, so it did not come from AWS");
    field.ok_or_else(|| CloudError {
        kind: CloudErrorKind::Malformed,
        action,
        region: region.to_string(),
        message: message(),
    })
}

/// Replaces the debug text of a failed credentials provider, such as AssumeRole, by its code and message.
/// The text contains the ID of the request, so no two errors would be equal.
fn shorten_provider_error(text: String) -> String {
    // The chain lists the reason of each provider.
    if text.contains(NO_CREDENTIALS) {
        tracing::debug!("{text}");
        return "no AWS credentials found".to_owned();
    }
    let Some((before, rest)) = text.split_once("service error: ") else {
        return text;
    };
    let value = |name: &str, end: &str| {
        let (_, value) = rest.split_once(&format!("{name}: \""))?;
        value.split(end).next()
    };
    match (value("code", "\""), value("message", "\", ")) {
        (Some(code), Some(message)) => {
            tracing::debug!("{text}");
            let message = message.trim_end_matches("\" }").replace("\\\"", "\"");
            format!("{before}{code}: {message}")
        }
        _ => text,
    }
}

/// Returns the kind of a failure to load credentials. If AWS throttled or failed the request of a
/// provider, such as AssumeRole, the credentials may be good.
fn credentials_kind(message: &str) -> CloudErrorKind {
    let code = message
        .split_once("credentials: ")
        .map_or("", |(_, rest)| rest);
    let code = code.split(':').next().unwrap_or_default();
    match error_kind(code) {
        CloudErrorKind::Throttled => CloudErrorKind::Throttled,
        _ if ["InternalError", "InternalFailure", "ServiceUnavailable"].contains(&code) => {
            CloudErrorKind::Unavailable
        }
        _ => CloudErrorKind::Credentials,
    }
}

/// Returns the kind of an error code (EC2 API Reference, "Error codes"; SSM API Reference, errors of
/// each action).
fn error_kind(code: &str) -> CloudErrorKind {
    if let Some(refused) = launch_refusal_kind(code) {
        return refused;
    }
    match code {
        "ParameterNotFound" | "NotFoundException" => CloudErrorKind::NotFound,
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
        | "RequestInTheFuture"
        | "RequestTimeTooSkewed"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature" => CloudErrorKind::Credentials,
        // The resource exists in a state that does not allow the call: a pending or disabled AMI.
        c if c.ends_with(".Unavailable") => CloudErrorKind::InUse,
        c if c.ends_with(".NotFound") => CloudErrorKind::NotFound,
        c if c.ends_with(".Duplicate") => CloudErrorKind::Duplicate,
        "RequestLimitExceeded" | "BandwidthLimitExceeded" | "TooManyRequestsException" => {
            CloudErrorKind::Throttled
        }
        c if c.contains("Throttl") => CloudErrorKind::Throttled,
        "ResourceLimitExceeded" => CloudErrorKind::Busy,
        c if c.contains("LimitExceeded") => CloudErrorKind::Quota,
        _ => CloudErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_request_for_credentials_is_transient() {
        let text = |code: &str| {
            let text = format!(
                "dispatch failure: other: an error occurred while loading credentials: service error: \
                 unhandled error ({code}): Error {{ code: \"{code}\", message: \"may not assume \\\"r\\\"\", \
                 aws_request_id: \"1-2\" }}"
            );
            shorten_provider_error(text)
        };
        assert!(text("AccessDenied").ends_with("credentials: AccessDenied: may not assume \"r\""));
        for (code, expected) in [
            ("Throttling", CloudErrorKind::Throttled),
            ("InternalError", CloudErrorKind::Unavailable),
            ("AccessDenied", CloudErrorKind::Credentials),
            ("ExpiredToken", CloudErrorKind::Credentials),
        ] {
            assert_eq!(credentials_kind(&text(code)), expected, "{code}");
        }
        let missing = "no providers in chain provided credentials";
        assert_eq!(credentials_kind(missing), CloudErrorKind::Credentials);
        let chain =
            format!("dispatch failure: other: {NO_CREDENTIALS}. Attempted:\n  Environment: x");
        assert_eq!(shorten_provider_error(chain), "no AWS credentials found");
    }
}
