//! Fails calls whose successful answer did not come from AWS, such as the page of a proxy. The SDK does
//! not read the body of an answer without fields, so that such a page would count as a success.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Interceptor and retry classifier: another attempt of the call may reach AWS.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerCheck;

impl Intercept for AnswerCheck {
    fn name(&self) -> &'static str {
        "answer check"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let operation = config.load::<Metadata>().map_or("", Metadata::name);
        match response.body().bytes() {
            Some(body) if response.status().is_success() && !is_from_aws(operation, body) => {
                Err("the answer did not come from AWS".into())
            }
            _ => Ok(()),
        }
    }
}

impl ClassifyRetry for AnswerCheck {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        if error.is_some_and(|error| error.is_interceptor_error()) {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "answer check"
    }
}

/// Returns whether the body is an answer to the operation: a JSON document, or XML whose root is
/// `OperationResponse`.
fn is_from_aws(operation: &str, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.trim_start().starts_with('{') || text.contains(&format!("<{operation}Response"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_proxies_are_no_answers() {
        let xml = br#"<?xml version="1.0"?><CreateTagsResponse xmlns="http://ec2"><return>true</return></CreateTagsResponse>"#;
        assert!(is_from_aws("CreateTags", xml));
        assert!(!is_from_aws("DeleteTags", xml));
        assert!(is_from_aws("PutParameter", b" {\"Version\": 1}"));
        for page in [&b""[..], b"<html>sign in</html>", b"<!DOCTYPE html>"] {
            assert!(!is_from_aws("CreateTags", page));
        }
    }
}
