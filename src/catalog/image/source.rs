//! Checks the selection of the vendor AMI of a base image.

use std::collections::BTreeMap;

use super::source_filters;
use crate::catalog::checker::Checker;
use crate::catalog::raw::{RawSource, Text};
use crate::catalog::types::{Source, SourceFilter, matches_ami_name};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, syntax};

/// Returns the source if it has `owner` and `name`, or `ssm` alone, with valid values.
pub(super) fn parse_source(
    raw: &Spanned<RawSource>,
    checker: &mut Checker<'_, '_>,
) -> Option<Source> {
    let Spanned { value, span } = raw;
    let deprecated = value.deprecated.unwrap_or(false);
    match (&value.owner, &value.name, &value.ssm) {
        (None, None, Some(ssm)) => {
            check_no_conditions(value, checker);
            let what = "the name of an SSM parameter";
            let path = checker.check_aws_name(what, Some(ssm), &syntax::PARAMETER)?;
            Some(Source::Parameter { path, deprecated })
        }
        (Some(owner), Some(name), None) => {
            let owner = checker.check_aws_name("an image owner", Some(owner), &syntax::IMAGE_OWNER);
            let pattern = check_pattern(name, checker);
            let exclude = parse_exclude(&value.exclude, name, checker);
            let filters = source_filters::parse_filters(&value.filters, checker);
            Some(Source::Filter(SourceFilter {
                owner: owner?,
                name: pattern?,
                exclude,
                filters,
                deprecated,
            }))
        }
        _ if checker
            .diagnostics
            .has_diagnostic_in(&checker.source.span(span.clone())) =>
        {
            None
        }
        _ => {
            checker
                .error(
                    codes::SOURCE,
                    &(span.start..span.start),
                    "a source needs `owner` and `name`, or `ssm` only",
                )
                .help(
                    "for example `source: {owner: \"136693071363\", name: \"debian-12-amd64-*\"}`",
                );
            None
        }
    }
}

/// Reports conditions next to `ssm`, which names exactly one AMI.
fn check_no_conditions(raw: &RawSource, checker: &mut Checker<'_, '_>) {
    let exclude = raw.exclude.first().map(|first| ("exclude", first));
    let filter = raw.filters.keys().next().map(|first| ("filters", first));
    for (key, first) in [exclude, filter].into_iter().flatten() {
        let message = format!("`{key}` has no effect, because `ssm` names exactly one AMI");
        checker
            .error(codes::SOURCE, &first.span, message)
            .help(format!(
                "remove `{key}`, or replace `ssm` by `owner` and `name`"
            ));
    }
}

fn check_pattern(text: &Text, checker: &mut Checker<'_, '_>) -> Option<String> {
    let what = "a name pattern of AMIs";
    checker.check_aws_name(what, Some(text), &syntax::IMAGE_PATTERN)
}

/// Returns the patterns of AMIs to skip. Reports a pattern that skips all AMIs of the source.
fn parse_exclude(exclude: &[Text], name: &Text, checker: &mut Checker<'_, '_>) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for text in exclude {
        let Some(pattern) = check_pattern(text, checker) else {
            continue;
        };
        if !checker.check_unique(&mut seen, text, codes::DUPLICATE_ENTRY, "pattern") {
            continue;
        }
        // Only `*` can match a wildcard of `name` in each of its meanings.
        if !pattern.contains('?') && matches_ami_name(&pattern, &name.value) {
            let name_span = checker.source.span(name.span.clone());
            let message = format!("`{pattern}` skips all AMIs of the source");
            checker
                .error(codes::SOURCE, &text.span, message)
                .help("remove the pattern, or use one that matches fewer names than `name`")
                .add_related(name_span, "the name pattern of the source");
            continue;
        }
        out.push(pattern);
    }
    out
}
