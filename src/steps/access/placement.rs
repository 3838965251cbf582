//! Tries instance types and subnets in turn until EC2 has capacity for a launch.

use std::collections::VecDeque;

use crate::catalog::Placement;
use crate::error::{Error, ErrorKind};
use crate::plan::Step;
use crate::ports::{CloudError, CloudErrorKind, launch_refusal_kind};
use crate::steps::context::Steps;

/// Refusal of a launch for a reason that another instance type or subnet can avoid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::steps) struct LaunchRefusal {
    /// Code of EC2.
    code: String,
    /// Message of EC2 with its code.
    message: String,
    /// True for a quota, which all subnets share.
    is_quota: bool,
}

impl LaunchRefusal {
    /// Returns the refusal of a failed launch. Returns `None` if another instance type or subnet would
    /// not help.
    pub(in crate::steps) fn of_error(error: &CloudError) -> Option<Self> {
        let is_refusal = matches!(error.kind, CloudErrorKind::Capacity | CloudErrorKind::Quota);
        is_refusal.then(|| Self {
            code: code_of(&error.message).to_owned(),
            message: error.to_string(),
            is_quota: error.kind == CloudErrorKind::Quota,
        })
    }

    /// Parses a message of EC2 that begins with its code. Returns `None` if another instance type or
    /// subnet would not help.
    pub(in crate::steps) fn parse(message: &str) -> Option<Self> {
        let code = code_of(message);
        let kind = launch_refusal_kind(code)?;
        Some(Self {
            code: code.to_owned(),
            message: message.to_owned(),
            is_quota: kind == CloudErrorKind::Quota,
        })
    }
}

/// Returns the code at the start of a message of EC2.
fn code_of(message: &str) -> &str {
    message.split([':', ' ']).next().unwrap_or_default()
}

/// Instance types and subnets that have not been tried, and the refusals of the others.
pub(in crate::steps) struct PlacementSearch {
    left: VecDeque<Placement>,
    refused: Vec<(Placement, LaunchRefusal)>,
}

impl PlacementSearch {
    /// Returns all instance types and subnets for the image of a step, the preferred ones first.
    pub(in crate::steps) fn new(steps: &Steps, step: &Step) -> Self {
        let arch = steps.image_of(&step.scope).map(|image| image.arch);
        let builder = steps.builder_of(&step.scope);
        let placements = builder.placements(&step.scope.to_string(), arch.unwrap_or_default());
        Self {
            left: placements.into(),
            refused: Vec::new(),
        }
    }

    /// Returns the next instance type and subnet, or the error that names all refusals.
    pub(in crate::steps) fn next(&mut self) -> Result<Placement, Error> {
        self.left.pop_front().ok_or_else(|| self.error())
    }

    /// Records a refusal. Returns a message about it that names what is tried next.
    pub(in crate::steps) fn refuse(
        &mut self,
        placement: Placement,
        refusal: LaunchRefusal,
    ) -> String {
        if refusal.is_quota {
            let refused = &placement.instance_type;
            self.left.retain(|other| other.instance_type != *refused);
        }
        let next = match self.left.front() {
            Some(next) => format!("; trying {next}"),
            None => String::new(),
        };
        let note = format!("{placement}: {}{next}", refusal.message);
        self.refused.push((placement, refusal));
        note
    }

    fn error(&self) -> Error {
        let refused: Vec<String> = self
            .refused
            .iter()
            .map(|(placement, refusal)| format!("{placement} ({})", refusal.code))
            .collect();
        let text = format!("EC2 cannot launch an instance: {}", refused.join(", "));
        let mut error = Error::new(ErrorKind::StepFailed, text).for_capacity();
        if let Some((_, last)) = self.refused.last() {
            error = error.because(last.message.clone());
        }
        if self.refused.iter().any(|(_, refusal)| !refusal.is_quota) {
            error =
                error.hint("run again later, or add `instance_types` or `subnets` to `builder`");
        }
        if self.refused.iter().any(|(_, refusal)| refusal.is_quota) {
            error = error.hint(
                "request a higher quota (Service Quotas), terminate unused instances, or add a smaller \
                 instance type to `instance_types`",
            );
        }
        error
    }
}
