//! Stops the SDK from repeating launches that EC2 refuses for lack of capacity.

use aws_sdk_ec2::error::ProvideErrorMetadata as _;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use crate::ports::launch_refusal_kind;

/// Classifier of errors of RunInstances. EC2 reports a lack of capacity with status 500, which the SDK
/// repeats for about a minute. Another instance type or subnet may have capacity now.
#[derive(Debug)]
pub(super) struct RefusedLaunch;

impl ClassifyRetry for RefusedLaunch {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error
            .and_then(|error| error.as_operation_error())
            .and_then(|error| error.downcast_ref::<RunInstancesError>());
        match error.and_then(|error| launch_refusal_kind(error.code()?)) {
            Some(_) => RetryAction::RetryForbidden,
            None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "refused launch"
    }
}
