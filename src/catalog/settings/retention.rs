//! Owns the way from the settings about keeping to decisions' own: retention, brakes, gates, store.

use crate::catalog::checker::Checker;
use crate::catalog::raw::{RawBrakes, RawGates, RawRetention, RawStore, Text};
use crate::catalog::syntax::Syntax;
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{Brakes, Gates, Retention, StoreSettings};
use crate::catalog::{codes, defaults, syntax};
use crate::model::Region;

/// What is said, filled up from what holds otherwise.
pub(crate) fn retention(
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

pub(crate) fn brakes(raw: Option<RawBrakes>) -> Brakes {
    let raw = raw.unwrap_or_default();
    let default = defaults::BRAKES;
    Brakes {
        most: raw.most.unwrap_or(default.most),
        percent: raw.percent.unwrap_or(default.percent),
    }
}

pub(crate) fn gates(raw: Option<&RawGates>, c: &mut Checker<'_, '_>) -> Gates {
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

pub(crate) fn store(
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
