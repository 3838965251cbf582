//! Owns the way from the settings about keeping to decisions' own: retention, brakes, gates, store.

use super::raw::{RawBrakes, RawGates, RawRetention, RawStore, Text};
use super::syntax::Syntax;
use super::text::Checker;
use super::{codes, defaults, syntax};
use crate::catalog::de::Spanned;
use crate::catalog::{Brakes, Gates, Retention, StoreSettings};
use crate::model::Region;

/// What is said, filled up from what holds otherwise.
pub(super) fn retention(
    raw: Option<&Spanned<RawRetention>>,
    otherwise: &Retention,
    c: &mut Checker<'_, '_>,
) -> Retention {
    let Some(Spanned { value: raw, .. }) = raw else {
        return otherwise.clone();
    };
    let mut time =
        |text: &Option<Text>, default| text.as_ref().and_then(|t| c.wait(t)).unwrap_or(default);
    Retention {
        keep: raw.keep.unwrap_or(otherwise.keep),
        days: raw.days.unwrap_or(otherwise.days),
        reserve: raw.reserve.unwrap_or(otherwise.reserve),
        disable_after: time(&raw.disable_after, otherwise.disable_after),
        deregister_after: time(&raw.deregister_after, otherwise.deregister_after),
    }
}

/// What holds in an environment that says nothing itself: `keep` counts in the lowest one, above it the reserve does.
pub(super) fn inherited(general: &Retention, rung: usize) -> Retention {
    let keep = if rung == 0 { general.keep } else { 0 };
    Retention {
        keep,
        ..general.clone()
    }
}

pub(super) fn brakes(raw: Option<RawBrakes>) -> Brakes {
    let raw = raw.unwrap_or_default();
    let default = defaults::BRAKES;
    Brakes {
        most: raw.most.unwrap_or(default.most),
        percent: raw.percent.unwrap_or(default.percent),
    }
}

pub(super) fn gates(raw: Option<&RawGates>, c: &mut Checker<'_, '_>) -> Gates {
    let default = defaults::GATES;
    let Some(raw) = raw else { return default };
    Gates {
        soak: raw
            .soak
            .as_ref()
            .and_then(|t| c.time(t))
            .unwrap_or(default.soak),
        parent: raw.parent.unwrap_or(default.parent),
    }
}

pub(super) fn store(
    raw: &RawStore,
    regions: &[Region],
    c: &mut Checker<'_, '_>,
) -> Option<StoreSettings> {
    let bucket = match raw {
        RawStore::Path(path) => {
            return folder("a store's folder", path, &syntax::FOLDER, c).map(StoreSettings::Path);
        }
        RawStore::S3(bucket) => &bucket.value,
    };
    let region = c
        .aws("a Region", bucket.region.as_ref(), &syntax::REGION)
        .map(Region);
    let prefix = match &bucket.prefix {
        Some(prefix) => folder("what keys begin with", prefix, &syntax::PATH, c)?,
        None => String::new(),
    };
    Some(StoreSettings::S3 {
        bucket: c.name(
            codes::STORE,
            "a bucket",
            bucket.bucket.as_ref()?,
            &syntax::BUCKET,
        )?,
        prefix,
        region: region.or_else(|| regions.first().cloned())?,
    })
}

/// A path that does not climb out of where it starts.
fn folder(what: &str, text: &Text, syntax: &Syntax, c: &mut Checker<'_, '_>) -> Option<String> {
    if text.value.split('/').any(|part| matches!(part, "." | "..")) {
        c.error(
            codes::STORE,
            &text.span,
            format!("{what} has `.` or `..` in it"),
        )
        .help("write the path itself");
        return None;
    }
    c.name(codes::STORE, what, text, syntax)
}
