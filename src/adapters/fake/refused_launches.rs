//! Refuses launches of instances as EC2 does without capacity.

use super::state::FakeCloudState;

/// Launches that the fake cloud refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLaunches {
    /// Instance type. `None` means all.
    pub instance_type: Option<&'static str>,
    /// Subnet. `None` means all.
    pub subnet: Option<&'static str>,
    /// Code of the refusal.
    pub code: &'static str,
}

impl FakeCloudState {
    /// Returns the message of the refusal of a launch, if it is refused.
    #[must_use]
    pub fn launch_refusal(&self, instance_type: &str, subnet: Option<&str>) -> Option<String> {
        let is_refused = |rule: &&RefusedLaunches| {
            rule.instance_type.is_none_or(|name| name == instance_type)
                && rule.subnet.is_none_or(|id| Some(id) == subnet)
        };
        let rule = self.refused_launches.iter().find(is_refused)?;
        Some(format!("{}: {instance_type} is refused", rule.code))
    }
}
