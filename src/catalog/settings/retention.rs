//! Checks the settings of retention, limits, promotion gates and the store.

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::raw::{RawBrakes, RawGates, RawRetention, RawStore, Text};
use crate::catalog::syntax::Syntax;
use crate::catalog::types::{Brakes, Gates, Retention, StoreSettings};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, defaults, syntax};
use crate::model::Region;

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

/// Returns the location of the store. Reports an invalid location.
pub(crate) fn parse_store(
    raw: &RawStore,
    regions: &[Region],
    checker: &mut Checker<'_, '_>,
) -> Option<StoreSettings> {
    let bucket = match raw {
        RawStore::Path(path) => {
            return check_path(
                "a valid directory of the store",
                path,
                &syntax::FOLDER,
                checker,
            )
            .map(StoreSettings::Path);
        }
        RawStore::S3(bucket) => &bucket.value,
    };
    let region = checker
        .check_aws_name("a valid Region", bucket.region.as_ref(), &syntax::REGION)
        .map(Region);
    let prefix = match &bucket.prefix {
        Some(prefix) => check_path("a valid key prefix", prefix, &syntax::PATH, checker)?,
        None => String::new(),
    };
    Some(StoreSettings::S3 {
        bucket: checker.check_name(
            codes::STORE,
            "a valid bucket name",
            bucket.bucket.as_ref()?,
            &syntax::BUCKET,
        )?,
        prefix,
        region: region.or_else(|| regions.first().cloned())?,
    })
}

/// Returns a path without `.` and `..`. Reports an invalid path.
fn check_path(
    what: &str,
    text: &Text,
    syntax: &Syntax,
    checker: &mut Checker<'_, '_>,
) -> Option<String> {
    if text.value.split('/').any(|part| matches!(part, "." | "..")) {
        checker
            .error(
                codes::STORE,
                &text.span,
                format!(
                    "the path `{}` contains `.` or `..`",
                    quote_text(&text.value)
                ),
            )
            .help("remove these segments");
        return None;
    }
    checker.check_name(codes::STORE, what, text, syntax)
}
