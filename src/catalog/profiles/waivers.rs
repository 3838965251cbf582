//! Parses waivers of `waivers.yaml` and of images.

use std::collections::BTreeMap;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::codes;
use crate::catalog::raw::{RawOwnWaiver, RawWaiver, Text};
use crate::catalog::syntax;
use crate::catalog::types::CatalogWaiver;
use crate::catalog::yaml::source::SourceFile;
use crate::checks::Waiver;

/// Name of the file of waivers.
pub(crate) const WAIVERS_FILE: &str = "waivers.yaml";

/// A waiver with its control and images, before its images are resolved.
#[derive(Debug)]
pub(crate) struct WaiverEntry<'a> {
    pub(crate) source: SourceFile<'a>,
    pub(crate) control: Text,
    /// Images of the waiver. Empty for all images with the control, or for the image whose file
    /// contains it.
    pub(crate) images: Vec<Text>,
    pub(crate) waiver: Waiver,
}

impl WaiverEntry<'_> {
    pub(crate) fn to_catalog_waiver(&self) -> CatalogWaiver {
        let span = self.source.span(self.control.span.clone());
        CatalogWaiver {
            control: self.control.value.clone(),
            waiver: self.waiver.clone(),
            span,
        }
    }
}

/// Parses the waivers of one file. Missing keys have a diagnostic already.
pub(crate) fn parse_waivers<'a>(
    list: Vec<RawWaiver>,
    checker: &mut Checker<'a, '_>,
) -> Vec<WaiverEntry<'a>> {
    let mut seen = BTreeMap::new();
    list.into_iter()
        .filter_map(|raw| parse_waiver(raw, &mut seen, checker))
        .collect()
}

/// Parses the waivers of an image.
pub(crate) fn parse_own_waivers<'a>(
    list: Vec<RawOwnWaiver>,
    checker: &mut Checker<'a, '_>,
) -> Vec<WaiverEntry<'a>> {
    parse_waivers(list.into_iter().map(RawWaiver::from).collect(), checker)
}

fn parse_waiver<'a>(
    raw: RawWaiver,
    seen: &mut BTreeMap<String, std::ops::Range<usize>>,
    checker: &mut Checker<'a, '_>,
) -> Option<WaiverEntry<'a>> {
    let RawWaiver {
        control,
        images,
        justification,
        owner,
        expires,
    } = raw;
    let control = control?;
    let images = images.unwrap_or_default();
    let all_images = [Text {
        value: String::new(),
        span: control.span.clone(),
    }];
    for image in if images.is_empty() {
        &all_images[..]
    } else {
        &images
    } {
        let what = format!("{} {}", control.value, image.value)
            .trim_end()
            .to_owned();
        let text = Text {
            value: what,
            span: image.span.clone(),
        };
        checker.check_unique(seen, &text, codes::WAIVER, "waiver of");
    }
    let mut line = |what: &str, text: Option<Text>| {
        let text = text?;
        if text.value.trim().is_empty() {
            checker
                .error(codes::WAIVER, &text.span, format!("a waiver needs {what}"))
                .help("set the missing value");
            return None;
        }
        checker.check_line(what, &text, crate::catalog::defaults::MAX_DESCRIPTION)
    };
    let justification = line("a justification", justification);
    let owner = line("an owner", owner);
    let expires = expires.and_then(|text| parse_date(&text, checker));
    let waiver = Waiver {
        justification: justification?,
        owner: owner?,
        expires: expires?,
    };
    Some(WaiverEntry {
        source: checker.source,
        control,
        images,
        waiver,
    })
}

/// Parses a date.
fn parse_date(text: &Text, checker: &mut Checker<'_, '_>) -> Option<jiff::civil::Date> {
    let day = text
        .value
        .parse()
        .ok()
        .filter(|_| syntax::DATE.matches(&text.value));
    if day.is_none() {
        checker
            .error(
                codes::WAIVER,
                &text.span,
                format!("`{}` is not a valid date", quote_text(&text.value)),
            )
            .help(format!("use {}", syntax::DATE.advice));
    }
    day
}
