//! Checks the KMS keys of the builder and of the environments.

use std::collections::BTreeMap;
use std::ops::Range;

use super::regions::{check_partition, find_region};
use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::raw::{RawDistribute, RawEnvironment, RawKmsKey, Text};
use crate::catalog::types::{AWS_MANAGED_KEY, Environment};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, syntax};
use crate::model::Region;

/// Returns the keys of the builder. One text is the key of the first Region.
pub(super) fn parse_builder_keys(
    raw: Option<&Spanned<RawKmsKey>>,
    regions: &[Region],
    checker: &mut Checker<'_, '_>,
) -> BTreeMap<Region, String> {
    let home = regions.get(..1).unwrap_or_default();
    parse_keys(raw, (home, regions, home), checker)
}

/// Returns the keys of an environment. One text is the key of all its Regions. The home Region needs
/// none in the account of the builder, because the AMI there is the original.
pub(super) fn parse_environment_keys(
    raw: &RawEnvironment,
    regions: &[Region],
    home: Option<&Region>,
    checker: &mut Checker<'_, '_>,
) -> BTreeMap<Region, String> {
    let has_accounts = !raw.accounts.is_empty();
    let needed: Vec<Region> = regions
        .iter()
        .filter(|region| has_accounts || Some(*region) != home)
        .cloned()
        .collect();
    let used = if needed.is_empty() { regions } else { &needed };
    parse_keys(raw.kms_key.as_ref(), (used, regions, &needed), checker)
}

/// Reports keys of the builder that other accounts cannot use, and Regions without a key.
pub(super) fn check_builder_keys(
    raw: Option<&Spanned<RawKmsKey>>,
    raw_environments: &[Spanned<RawEnvironment>],
    (keys, regions, environments): (&BTreeMap<Region, String>, &[Region], &[Environment]),
    checker: &mut Checker<'_, '_>,
) {
    check_shareable(raw, raw_environments, (keys, regions), checker);
    let home = regions.first();
    check_shared_regions(raw, raw_environments, (keys, home, environments), checker);
}

/// Reports a key of the builder that other accounts cannot use. Without a role, the only account can
/// be that of the builder.
fn check_shareable(
    raw: Option<&Spanned<RawKmsKey>>,
    environments: &[Spanned<RawEnvironment>],
    (keys, regions): (&BTreeMap<Region, String>, &[Region]),
    checker: &mut Checker<'_, '_>,
) {
    let (Some(raw), Some(home)) = (raw, regions.first()) else {
        return;
    };
    let is_managed = keys
        .get(home)
        .is_some_and(|key| key.ends_with(AWS_MANAGED_KEY));
    let foreign = |environment: &&Spanned<RawEnvironment>| {
        let raw = &environment.value;
        is_shared(raw) || raw.accounts.len() > 1 || !raw.accounts.is_empty() && raw.role.is_some()
    };
    let Some(environment) = environments.iter().find(foreign).filter(|_| is_managed) else {
        return;
    };
    let span = match &raw.value {
        RawKmsKey::ByRegion(map) => map
            .iter()
            .find(|(region, _)| region.value == home.as_str())
            .map_or(&raw.span, |(_, key)| &key.span),
        RawKmsKey::One(_) => &raw.span,
    };
    let account = environment.value.accounts.first();
    let place = account.map_or(&environment.span, |account| &account.span);
    let other = checker.source.span(place.clone());
    checker
        .error(
            codes::KMS_KEY,
            span,
            format!(
                "AMIs that are encrypted with `{AWS_MANAGED_KEY}` cannot be shared with other accounts"
            ),
        )
        .help("use a customer managed key whose policy allows these accounts")
        .add_related(other, "another account is used here");
}

fn is_shared(raw: &RawEnvironment) -> bool {
    let distribute = raw.distribute.as_ref();
    distribute.is_some_and(|distribute| distribute.value == RawDistribute::Share)
}

/// Reports a shared environment with a Region in which the builder has no key, although it has one in
/// another. EC2 would encrypt the copy with the default key of the Region, which AWS may manage.
fn check_shared_regions(
    raw: Option<&Spanned<RawKmsKey>>,
    raw_environments: &[Spanned<RawEnvironment>],
    (keys, home, environments): (&BTreeMap<Region, String>, Option<&Region>, &[Environment]),
    checker: &mut Checker<'_, '_>,
) {
    let Some((raw, home)) = raw.zip(home).filter(|_| !keys.is_empty()) else {
        return;
    };
    let is_shareable = |region: &Region| {
        keys.get(region)
            .is_some_and(|key| !key.ends_with(AWS_MANAGED_KEY))
    };
    for environment in environments.iter().filter(|e| e.is_shared()) {
        let mut regions = environment.regions.iter();
        let Some(region) = regions.find(|region| *region != home && !is_shareable(region)) else {
            continue;
        };
        let names = raw_environments
            .iter()
            .filter_map(|one| one.value.name.as_ref());
        let name = names
            .clone()
            .find(|name| name.value == environment.name.as_str());
        let place = checker
            .source
            .span(name.map_or(0..0, |name| name.span.clone()));
        let message =
            format!("the builder has no KMS key for the AMIs that are shared in {region}");
        checker
            .error(codes::KMS_KEY, &raw.span, message)
            .help(format!(
                "set one customer managed key for each Region: `kms_key: {{{region}: KEY, ...}}`"
            ))
            .add_related(place, "this environment shares them");
        return;
    }
}

/// Returns the keys by Region. A text applies to the Regions `used`; a map may name the Regions
/// `allowed`, and must name those in `needed`.
fn parse_keys(
    raw: Option<&Spanned<RawKmsKey>>,
    (used, allowed, needed): (&[Region], &[Region], &[Region]),
    checker: &mut Checker<'_, '_>,
) -> BTreeMap<Region, String> {
    let mut out = BTreeMap::new();
    let Some(raw) = raw else { return out };
    match &raw.value {
        RawKmsKey::One(key) => {
            let text = Text {
                value: key.clone(),
                span: raw.span.clone(),
            };
            for region in used {
                if !check_key(&text, region, used, checker) {
                    break;
                }
                out.insert(region.clone(), key.clone());
            }
        }
        RawKmsKey::ByRegion(map) => {
            let mut is_valid = true;
            for (region, key) in map {
                let known = find_region(region, allowed, checker);
                is_valid &= known.is_some();
                let Some(known) = known else { continue };
                let one = std::slice::from_ref(&known);
                if check_key(key, &known, one, checker) {
                    out.insert(known, key.value.clone());
                } else {
                    is_valid = false;
                }
            }
            let missing = needed.iter().find(|region| !out.contains_key(region));
            if let Some(region) = missing.filter(|_| is_valid) {
                checker
                    .error(
                        codes::KMS_KEY,
                        &raw.span,
                        format!("`kms_key` has no key for {region}"),
                    )
                    .help(format!("add `{region}: KEY`"));
            }
        }
    }
    out
}

/// Returns true if the key has the right syntax, and can exist in the Region.
fn check_key(text: &Text, region: &Region, used: &[Region], checker: &mut Checker<'_, '_>) -> bool {
    let key = checker.check_aws_name("a valid KMS key", Some(text), &syntax::KMS_KEY);
    let Some(key) = key else { return false };
    let advice = || match used {
        [_] => "use a key of this Region".to_owned(),
        several => {
            let entries: Vec<String> = several.iter().map(|r| format!("{r}: KEY")).collect();
            format!(
                "set one key for each Region: `kms_key: {{{}}}`",
                entries.join(", ")
            )
        }
    };
    let parts: Vec<&str> = key.split(':').collect();
    if let [_, partition, _, of, ..] = parts.as_slice() {
        if !check_partition(("key", partition), &text.span, region, checker) {
            return false;
        }
        if *of != region.as_str() {
            let message = format!("the key is in {of}, but it is used in {region}");
            report(message, &text.span, advice(), checker);
            return false;
        }
        return true;
    }
    let is_in_one_region = !key.starts_with("alias/") && !key.starts_with("mrk-");
    if is_in_one_region && used.len() > 1 {
        let message = format!("the key `{}` exists in one Region only", quote_text(&key));
        report(message, &text.span, advice(), checker);
        return false;
    }
    true
}

fn report(message: String, span: &Range<usize>, help: String, checker: &mut Checker<'_, '_>) {
    checker.error(codes::KMS_KEY, span, message).help(help);
}
