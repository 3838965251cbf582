//! Checks the settings of the build instance.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::address::{AddressRange, RangeWidth};
use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::raw::{RawAccess, RawBuilder, Text};
use crate::catalog::types::{Access, Builder, Image};
use crate::catalog::yaml::source::Diagnostics;
use crate::catalog::{codes, defaults, syntax};
use crate::diagnostic::Span;
use crate::model::{Arch, ImageName};

/// Checks the settings under `builder`. Also returns the position of `access: ssm` if there is no
/// instance profile.
pub(super) fn parse_builder(
    raw: RawBuilder,
    environment_key: &str,
    checker: &mut Checker<'_, '_>,
) -> (Builder, Option<Range<usize>>) {
    let default = defaults::builder();
    let ssm = ssm_without_profile(&raw);
    let mut instance_types = default.instance_types;
    let own_types =
        parse_instance_types(raw.instance_type.as_ref(), &raw.instance_types, checker).into_iter();
    instance_types.extend(own_types.map(|(arch, text)| (arch, text.value)));
    let builder = Builder {
        instance_types,
        subnets: parse_subnets(raw.subnet.as_ref(), &raw.subnets, checker),
        instance_profile: checker.check_aws_name(
            "a valid instance profile name",
            raw.instance_profile.as_ref(),
            &syntax::INSTANCE_PROFILE,
        ),
        public_address: raw.public_address.unwrap_or(default.public_address),
        tags: checker.check_tags(&raw.tags, environment_key),
        access: raw
            .access
            .map_or(default.access, |a| parse_access(&a.value, checker)),
    };
    (builder, ssm)
}

/// Returns the position of `access: ssm` if the builder has no instance profile.
fn ssm_without_profile(raw: &RawBuilder) -> Option<Range<usize>> {
    let access = raw.access.as_ref()?;
    let is_ssm = matches!(access.value, RawAccess::Ssm);
    (is_ssm && raw.instance_profile.is_none()).then(|| access.span.clone())
}

/// Reports `access: ssm` if an image has no instance profile: its instances cannot register with
/// Systems Manager, and Packer refuses the build.
pub(crate) fn require_profiles(
    place: Span,
    images: &BTreeMap<ImageName, Image>,
    diagnostics: &mut Diagnostics,
) {
    let lacks = |image: &&Image| image.instance.instance_profile.is_none();
    let Some(image) = images.values().find(lacks) else {
        return;
    };
    let message = format!(
        "`access: ssm` requires an instance profile, and the image `{}` has none",
        image.name
    );
    diagnostics
        .error(codes::SSM_PROFILE, place, message)
        .help("set `builder.instance_profile` to a profile whose role has the policy AmazonSSMManagedInstanceCore");
}

/// Returns the instance types of `instance_type` or `instance_types`, by architecture. Reports both
/// keys in one map, and a second type for one architecture.
pub(crate) fn parse_instance_types(
    one: Option<&Text>,
    several: &[Text],
    checker: &mut Checker<'_, '_>,
) -> BTreeMap<Arch, Text> {
    let mut out: BTreeMap<Arch, Text> = BTreeMap::new();
    if let (Some(one), [_, ..]) = (one, several) {
        report_both_keys("instance_type", one, several, checker);
        return out;
    }
    for text in one.into_iter().chain(several) {
        let name =
            checker.check_aws_name("a valid instance type", Some(text), &syntax::INSTANCE_TYPE);
        let Some(name) = name else { continue };
        let arch = Arch::of_instance_type(&name);
        if let Some(earlier) = out.get(&arch) {
            let earlier = checker.source.span(earlier.span.clone());
            checker
                .error(
                    codes::DUPLICATE_ENTRY,
                    &text.span,
                    format!("`{name}` is a second instance type for {arch}"),
                )
                .help("keep one type for each architecture")
                .add_related(earlier, "first defined here");
            continue;
        }
        out.insert(arch, text.clone());
    }
    out
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
