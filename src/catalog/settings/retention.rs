//! Checks the settings of retention, limits and promotion gates.

use crate::catalog::checker::Checker;
use crate::catalog::defaults;
use crate::catalog::raw::{RawBrakes, RawGates, RawRetention, Text};
use crate::catalog::types::{Brakes, Gates, Retention};
use crate::catalog::yaml::deserialize::Spanned;

/// Returns the retention. Missing values come from `default_retention`.
pub(crate) fn parse_retention(
    raw: Option<&Spanned<RawRetention>>,
    default_retention: &Retention,
    checker: &mut Checker<'_, '_>,
) -> Retention {
    let Some(Spanned { value: raw, .. }) = raw else {
        return default_retention.clone();
    };
    let mut delay = |text: &Option<Text>, default| {
        text.as_ref()
            .and_then(|t| checker.parse_delay(t))
            .unwrap_or(default)
    };
    Retention {
        keep: raw.keep.unwrap_or(default_retention.keep),
        days: raw.days.unwrap_or(default_retention.days),
        reserve: raw.reserve.unwrap_or(default_retention.reserve),
        disable_after: delay(&raw.disable_after, default_retention.disable_after),
        deregister_after: delay(&raw.deregister_after, default_retention.deregister_after),
    }
}

/// Returns the limits of a prune.
pub(crate) fn parse_brakes(raw: Option<RawBrakes>) -> Brakes {
    let raw = raw.unwrap_or_default();
    let default = defaults::BRAKES;
    Brakes {
        most: raw.most.unwrap_or(default.most),
        percent: raw.percent.unwrap_or(default.percent),
    }
}

/// Returns the promotion gates of an environment.
pub(crate) fn parse_gates(raw: Option<&RawGates>, checker: &mut Checker<'_, '_>) -> Gates {
    let default = defaults::GATES;
    let Some(raw) = raw else { return default };
    Gates {
        soak: raw
            .soak
            .as_ref()
            .and_then(|t| checker.parse_duration(t))
            .unwrap_or(default.soak),
        parent: raw.parent.unwrap_or(default.parent),
    }
}
