//! Ends a build whose instance can no longer be described.
//!
//! The waiters of packer-plugin-amazon ignore failed calls: "Waiting for instance to become ready" goes
//! on until the last attempt, and each attempt with expired credentials takes about 50 seconds (Packer
//! 1.6.6 with aws-sdk-go). Without this watch, such a build ends only after `builder.timeout`.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::plan::Step;
use crate::ports::CloudError;
use crate::steps::context::Steps;

/// Refused calls in a row that end a build. One refusal can be a renewal of credentials that failed.
const REFUSALS: u32 = 5;

/// Pauses between the waits of Packer for each call. With AWS, a call per minute.
const POLLS_PER_CALL: u32 = 12;

/// Describes the instances of a build from time to time. Returns the last error when EC2 has refused
/// all calls for some minutes. Otherwise, never returns.
#[expect(
    clippy::disallowed_methods,
    reason = "a build runs during this wait, and clocks of tests move on in each wait"
)]
pub(super) async fn wait_for_refusal(steps: &Steps, step: &Step, image: &str) -> CloudError {
    let pause = Duration::from_secs((steps.poll_seconds() * POLLS_PER_CALL).into());
    let tags = steps.run_tags(image);
    let mut refused = 0;
    loop {
        tokio::time::sleep(pause).await;
        match steps.cloud.instances_with_tags(&step.region, &tags).await {
            Err(error) if !error.kind.is_transient() => {
                refused += 1;
                tracing::warn!("{error} (refusal {refused} of {REFUSALS})");
                if refused >= REFUSALS {
                    return error;
                }
            }
            // Packer repeats transient errors, too.
            _ => refused = 0,
        }
    }
}

/// Returns the error of a build that was ended after refused calls.
pub(super) fn refusal_error(error: CloudError) -> Error {
    let text = format!("EC2 refused {REFUSALS} calls in a row, so Packer was ended");
    Error::new(ErrorKind::StepFailed, text).because(Error::from(error))
}
