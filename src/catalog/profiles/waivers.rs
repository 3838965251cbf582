//! Owns waivers as they are written: in `waivers.yaml` and in the files of images.

use std::collections::BTreeMap;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::codes;
use crate::catalog::raw::{RawOwnWaiver, RawWaiver, Text};
use crate::catalog::settings::check_unique;
use crate::catalog::syntax;
use crate::catalog::yaml::source::SourceFile;
use crate::checks::Waiver;
use crate::diagnostic::Span;

/// The name of the file of waivers.
pub(crate) const WAIVERS_FILE: &str = "waivers.yaml";

/// A waiver and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogWaiver {
    /// The control whose failure it bears with.
    pub control: String,
    /// What it says.
    pub waiver: Waiver,
    /// Where.
    pub span: Span,
}

/// A waiver, what it is for, and where it is written.
#[derive(Debug)]
pub(crate) struct WaiverEntry<'a> {
    pub(crate) source: SourceFile<'a>,
    pub(crate) control: Text,
    /// The images that it names; empty: all that have the control, or the one in whose file it stands.
    pub(crate) images: Vec<Text>,
    pub(crate) waiver: Waiver,
}

impl WaiverEntry<'_> {
    pub(crate) fn written(&self) -> CatalogWaiver {
        let span = self.source.span(self.control.span.clone());
        CatalogWaiver {
            control: self.control.value.clone(),
            waiver: self.waiver.clone(),
            span,
        }
    }
}

/// Lets the waivers of one file through. What lacks a key has been reported.
pub(crate) fn waivers<'a>(list: Vec<RawWaiver>, c: &mut Checker<'a, '_>) -> Vec<WaiverEntry<'a>> {
    let mut seen = BTreeMap::new();
    list.into_iter()
        .filter_map(|raw| waived(raw, &mut seen, c))
        .collect()
}

/// The same of an image's file.
pub(crate) fn parse_own_waivers<'a>(
    list: Vec<RawOwnWaiver>,
    c: &mut Checker<'a, '_>,
) -> Vec<WaiverEntry<'a>> {
    waivers(list.into_iter().map(RawWaiver::from).collect(), c)
}

fn waived<'a>(
    raw: RawWaiver,
    seen: &mut BTreeMap<String, std::ops::Range<usize>>,
    c: &mut Checker<'a, '_>,
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
    let everywhere = [Text {
        value: String::new(),
        span: control.span.clone(),
    }];
    for image in if images.is_empty() {
        &everywhere[..]
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
        check_unique(seen, &text, (codes::WAIVER, "the waiver of"), c);
    }
    let mut line = |what: &str, text: Option<Text>| {
        let text = text?;
        if text.value.trim().is_empty() {
            c.error(codes::WAIVER, &text.span, format!("a waiver needs {what}"))
                .help("a waiver explains itself");
            return None;
        }
        c.line(what, &text, crate::catalog::defaults::MAX_DESCRIPTION)
    };
    let justification = line("a justification", justification);
    let owner = line("an owner", owner);
    let expires = expires.and_then(|text| date(&text, c));
    let waiver = Waiver {
        justification: justification?,
        owner: owner?,
        expires: expires?,
    };
    Some(WaiverEntry {
        source: c.source,
        control,
        images,
        waiver,
    })
}

/// A day of the calendar.
fn date(text: &Text, c: &mut Checker<'_, '_>) -> Option<jiff::civil::Date> {
    let day = text
        .value
        .parse()
        .ok()
        .filter(|_| syntax::DATE.allows(&text.value));
    if day.is_none() {
        c.error(
            codes::WAIVER,
            &text.span,
            format!("`{}` is no day", shown(&text.value)),
        )
        .help(format!("use {}", syntax::DATE.says));
    }
    day
}
