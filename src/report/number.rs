//! Defines finite numbers. JSON has neither infinity nor NaN.

use serde::{Deserialize, Serialize};

/// Finite, non-negative number of seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Seconds(f64);

/// Impact from 0.0 to 1.0. NaN becomes 1.0.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Impact(f64);

impl From<f64> for Seconds {
    fn from(seconds: f64) -> Self {
        Self(if seconds.is_finite() {
            seconds.max(0.0)
        } else {
            0.0
        })
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

impl From<f64> for Impact {
    fn from(impact: f64) -> Self {
        Self(if impact.is_nan() {
            1.0
        } else {
            impact.clamp(0.0, 1.0)
        })
    }
}

impl From<Impact> for f64 {
    fn from(impact: Impact) -> Self {
        impact.0
    }
}

impl Impact {
    /// Returns true for impact 0.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 <= 0.0
    }
}

/// Implements `Display` with the precision of the format string and without an exponent.
macro_rules! impl_display {
    ($($name:ty),*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}
impl_display!(Seconds, Impact);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_clamped() {
        for (given, impact) in [(f64::NAN, 1.0), (7.0, 1.0), (-1.0, 0.0), (0.5, 0.5)] {
            assert_eq!(Impact::from(given), Impact(impact));
        }
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert_eq!(Seconds::from(odd), Seconds(0.0));
        }
        assert_eq!(
            format!("{:.6} {:.6}", Seconds::from(1e-9), Seconds::from(1e9)),
            "0.000000 1000000000.000000"
        );
    }
}
