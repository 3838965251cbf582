//! Fails for a location whose facts could not be read.

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Step;
use crate::steps::context::{StepEffect, Steps};

/// Failure of a location that could not be read. The other locations continue.
pub(in crate::steps) struct Unreachable<'a> {
    pub(in crate::steps) why: &'a str,
}

#[async_trait]
impl StepEffect for Unreachable<'_> {
    async fn perform(
        &self,
        _steps: &Steps,
        _step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        Err(Error::new(ErrorKind::StepFailed, self.why)
            .hint("nothing was changed there; run the command again when it can be read"))
    }
}
