//! Defines waivers: documented exceptions for controls.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A failure that somebody answers for, until a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Why.
    pub justification: String,
    /// Who.
    pub owner: String,
    /// The last day on which it counts.
    pub expires: Date,
}

impl Waiver {
    /// Whether its last day has passed: then it waives nothing.
    #[must_use]
    pub fn expired(&self, today: Date) -> bool {
        today > self.expires
    }
}
