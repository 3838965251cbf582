//! Checks the settings of the build instance.

use std::collections::BTreeMap;

use crate::catalog::address::{AddressRange, RangeWidth};
use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::raw::{RawAccess, RawBuilder, RawImds, Text};
use crate::catalog::settings::kms::parse_builder_keys;
use crate::catalog::types::{Access, Builder, Imds};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, defaults, syntax};
use crate::model::{Arch, Region};

/// Checks the settings under `builder`.
pub(super) fn parse_builder(
    raw: &RawBuilder,
    regions: &[Region],
    environment_key: &str,
    checker: &mut Checker<'_, '_>,
) -> Builder {
    let default = defaults::builder();
    let mut instance_types = default.instance_types;
    let own_types =
        parse_instance_types(raw.instance_type.as_ref(), &raw.instance_types, checker).into_iter();
    instance_types.extend(own_types.map(|(arch, texts)| (arch, type_names(texts))));
    let access = raw
        .access
        .as_ref()
        .map_or(default.access, |a| parse_access(&a.value, checker));
    if is_private(&access) {
        warn_about_private_access(raw.public_address.as_ref(), checker);
    }
    Builder {
        instance_types,
        subnets: parse_subnets(raw.subnet.as_ref(), &raw.subnets, checker),
        instance_profile: checker.check_aws_name(
            "a valid instance profile name",
            raw.instance_profile.as_ref(),
            &syntax::INSTANCE_PROFILE,
        ),
        public_address: raw
            .public_address
            .as_ref()
            .map_or(default.public_address, |public| public.value),
        imds: raw.imds.map_or(default.imds, parse_imds),
        tags: checker.check_tags(&raw.tags, environment_key),
        kms_keys: parse_builder_keys(raw.kms_key.as_ref(), regions, checker),
        access,
        timeout: raw
            .timeout
            .as_ref()
            .and_then(|limit| parse_timeout(limit, checker))
            .unwrap_or(default.timeout),
    }
}

fn parse_timeout(text: &Text, checker: &mut Checker<'_, '_>) -> Option<jiff::SignedDuration> {
    let limit = checker.parse_duration(text)?;
    if limit > defaults::MAX_BUILD_TIMEOUT {
        let message = format!("`timeout` of `{}` is longer than 10 hours", text.value);
        checker.error(codes::TIME, &text.span, message).help(
            "use at most `10h`: a sweep may remove the resources of a run 12 hours after its start",
        );
        return None;
    }
    Some(limit)
}

/// Returns the instance types of `instance_type` or `instance_types`, by architecture. Reports both
/// keys in one map, and duplicates.
pub(crate) fn parse_instance_types(
    one: Option<&Text>,
    several: &[Text],
    checker: &mut Checker<'_, '_>,
) -> BTreeMap<Arch, Vec<Text>> {
    let mut out: BTreeMap<Arch, Vec<Text>> = BTreeMap::new();
    let mut seen = BTreeMap::new();
    if let (Some(one), [_, ..]) = (one, several) {
        report_both_keys("instance_type", one, several, checker);
        return out;
    }
    for text in one.into_iter().chain(several) {
        let name =
            checker.check_aws_name("a valid instance type", Some(text), &syntax::INSTANCE_TYPE);
        let Some(name) = name else { continue };
        if checker.check_unique(&mut seen, text, codes::DUPLICATE_ENTRY, "instance type") {
            let types = out.entry(Arch::of_instance_type(&name)).or_default();
            types.push(text.clone());
        }
    }
    out
}

/// Returns the names of instance types without their positions.
pub(super) fn type_names(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

/// Returns the subnets of `subnet` or `subnets`. Reports both keys in one map, and duplicates.
pub(crate) fn parse_subnets(
    one: Option<&Text>,
    several: &[Text],
    checker: &mut Checker<'_, '_>,
) -> Vec<String> {
    if let (Some(one), [_, ..]) = (one, several) {
        report_both_keys("subnet", one, several, checker);
        return Vec::new();
    }
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for text in one.into_iter().chain(several) {
        let id = checker.check_aws_name("a valid subnet ID", Some(text), &syntax::SUBNET);
        if checker.check_unique(&mut seen, text, codes::DUPLICATE_ENTRY, "subnet") {
            out.extend(id);
        }
    }
    out
}

/// Reports a key and its plural in one map.
fn report_both_keys(key: &str, one: &Text, several: &[Text], checker: &mut Checker<'_, '_>) {
    let mut names = vec![quote_text(&one.value)];
    for text in several {
        let name = quote_text(&text.value);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let place = several.first().map_or(0..0, |first| first.span.clone());
    let other = checker.source.span(place);
    checker
        .error(
            codes::DUPLICATE_ENTRY,
            &one.span,
            format!("`{key}` and `{key}s` exclude each other"),
        )
        .help(format!("write `{key}s: [{}]`", names.join(", ")))
        .add_related(other, format!("`{key}s` is set here"));
}

/// Converts the setting.
pub(crate) fn parse_imds(raw: RawImds) -> Imds {
    match raw {
        RawImds::V2 => Imds::V2,
        RawImds::Optional => Imds::Optional,
    }
}

fn parse_access(raw: &RawAccess, checker: &mut Checker<'_, '_>) -> Access {
    let RawAccess::Cidrs(list) = raw else {
        return Access::Ssm;
    };
    let mut seen = BTreeMap::new();
    for text in list {
        match AddressRange::parse(&text.value) {
            Err(error) => {
                let message = format!("`{}` is not a valid address range", quote_text(&text.value));
                checker
                    .error(codes::AWS_SYNTAX, &text.span, message)
                    .help(error.to_string());
            }
            Ok(range) => {
                warn_about_wide_range(range, text, checker);
                checker.check_unique(&mut seen, text, codes::DUPLICATE_ENTRY, "address range");
            }
        }
    }
    Access::Cidrs(list.iter().map(|t| t.value.clone()).collect())
}

/// Returns true if SSH is allowed from private address ranges only.
pub(super) fn is_private(access: &Access) -> bool {
    let Access::Cidrs(ranges) = access else {
        return false;
    };
    let mut parsed = ranges.iter().map(|text| AddressRange::parse(text));
    parsed.all(|range| range.is_ok_and(AddressRange::is_private))
}

/// Warns about a public address at which no private address range is useful.
pub(crate) fn warn_about_private_access(
    public: Option<&Spanned<bool>>,
    checker: &mut Checker<'_, '_>,
) {
    let Some(public) = public.filter(|public| public.value) else {
        return;
    };
    let span = checker.source.span(public.span.clone());
    let message = "the instances get a public address, but `access` allows private addresses only";
    checker
        .diagnostics
        .warning(codes::ACCESS, span, message)
        .help(
            "add the public address of the runner to `access`, such as `{cidrs: [203.0.113.7/32]}`",
        );
}

/// Warns about a range that contains the public addresses of very many networks.
fn warn_about_wide_range(range: AddressRange, text: &Text, checker: &mut Checker<'_, '_>) {
    let message = match range.width() {
        RangeWidth::Limited => return,
        RangeWidth::Wide => format!(
            "`{}` contains public addresses and is wider than /{}",
            text.value,
            range.min_length()
        ),
        RangeWidth::Everything => format!(
            "`{}` allows the whole {} internet",
            text.value,
            range.version()
        ),
    };
    let span = checker.source.span(text.span.clone());
    checker
        .diagnostics
        .warning(codes::OPEN_ACCESS, span, message)
        .help("set the addresses of your runners, or use `access: ssm`");
}
