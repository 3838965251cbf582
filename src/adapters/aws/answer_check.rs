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

/// Interceptor and retry classifier by the protocol of the service: another attempt of the call may
/// reach AWS. Services whose calls only read need none, because the SDK reads their answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum AnswerCheck {
    /// Answers are XML with the root `OperationResponse`.
    Xml,
    /// Answers are JSON objects.
    Json,
}

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
            Some(body) if response.status().is_success() && !self.accepts(operation, body) => {
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

impl AnswerCheck {
    /// Returns whether the body is an answer to the operation.
    fn accepts(self, operation: &str, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body);
        match self {
            Self::Xml => text.contains(&format!("<{operation}Response")),
            Self::Json => text.trim_start().starts_with('{'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AnswerCheck::{Json, Xml};

    #[test]
    fn pages_of_proxies_are_no_answers() {
        let xml = br#"<?xml version="1.0"?><CreateTagsResponse xmlns="http://ec2"><return>true</return></CreateTagsResponse>"#;
        assert!(Xml.accepts("CreateTags", xml));
        assert!(!Xml.accepts("DeleteTags", xml), "of another call");
        assert!(Json.accepts("PutParameter", b" {\"Version\": 1}"));
        for page in [&b""[..], b"<html>sign in</html>", b"<!DOCTYPE html>"] {
            assert!(!Xml.accepts("CreateTags", page) && !Json.accepts("PutParameter", page));
        }
        assert!(!Xml.accepts("CreateTags", b"{\"error\": \"sign in\"}"));
    }
}
