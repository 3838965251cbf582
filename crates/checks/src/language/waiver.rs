//! Defines waivers: documented exceptions for controls.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Accepted failure of a control, limited in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Justification for accepting the failure.
    pub justification: String,
    /// Person or team that accepts the failure.
    pub owner: String,
    /// Last day of the waiver.
    pub expires: Date,
}

impl Waiver {
    /// Returns whether the last day has passed.
    #[must_use]
    pub fn is_expired(&self, today: Date) -> bool {
        today > self.expires
    }
}
