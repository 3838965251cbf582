//! Checks Regions, and that all Regions and ARNs are in one partition.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::raw::Text;
use crate::catalog::{codes, syntax};
use crate::diagnostic::nearest;
use crate::model::Region;

/// Returns the Regions of the catalog. Credentials are valid in one partition only.
pub(super) fn parse_catalog_regions(list: &[Text], checker: &mut Checker<'_, '_>) -> Vec<Region> {
    let regions = parse_regions(list, checker);
    let Some(home) = regions.first() else {
        return regions;
    };
    for text in list {
        let region = Region(text.value.clone());
        if regions.contains(&region) {
            let partition = region.partition();
            if !check_partition(("Region", partition), &text.span, home, checker) {
                break;
            }
        }
    }
    regions
}

pub(super) fn parse_regions(list: &[Text], checker: &mut Checker<'_, '_>) -> Vec<Region> {
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for text in list {
        let name = checker.check_aws_name("a valid Region", Some(text), &syntax::REGION);
        let Some(name) = name else { continue };
        if checker.check_unique(&mut seen, text, codes::DUPLICATE_ENTRY, "Region") {
            out.push(Region(name));
        }
    }
    out
}

/// Returns the Regions of an environment, and reports those that are not in `all`.
pub(super) fn parse_region_subset(
    list: &[Text],
    all: &[Region],
    checker: &mut Checker<'_, '_>,
) -> Vec<Region> {
    let before = checker.diagnostics.error_count();
    let chosen = parse_regions(list, checker);
    if checker.diagnostics.error_count() > before || all.is_empty() {
        return chosen;
    }
    for text in list
        .iter()
        .filter(|t| !all.iter().any(|r| r.as_str() == t.value))
    {
        let help = match nearest(&text.value, all.iter().map(Region::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it to `regions` at the top level".to_owned(),
        };
        checker
            .error(
                codes::UNKNOWN_REGION,
                &text.span,
                format!(
                    "the Region `{}` is not in `regions` of the catalog",
                    text.value
                ),
            )
            .help(help);
    }
    chosen
}

/// Returns a Region that is a key of a map, and reports one that is not in `allowed`.
pub(super) fn find_region(
    text: &Text,
    allowed: &[Region],
    checker: &mut Checker<'_, '_>,
) -> Option<Region> {
    let found = allowed.iter().find(|r| r.as_str() == text.value);
    if found.is_none() && !allowed.is_empty() {
        let names: Vec<&str> = allowed.iter().map(Region::as_str).collect();
        let help = match nearest(&text.value, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", names.join(", ")),
        };
        let message = format!("the Region `{}` is not used here", quote_text(&text.value));
        checker
            .error(codes::UNKNOWN_REGION, &text.span, message)
            .help(help);
    }
    found.cloned()
}

/// Returns true if `partition` of a Region, role or key is that of `region`.
pub(super) fn check_partition(
    (what, partition): (&str, &str),
    span: &Range<usize>,
    region: &Region,
    checker: &mut Checker<'_, '_>,
) -> bool {
    if partition == region.partition() {
        return true;
    }
    let message = format!(
        "the {what} is in the partition `{partition}`, but {region} is in `{}`",
        region.partition()
    );
    checker
        .error(codes::PARTITION, span, message)
        .help("credentials are valid in one partition; use a catalog for each partition");
    false
}
