//! Checks the settings of an image for its build and test instances.

use std::collections::BTreeMap;

use crate::catalog::checker::Checker;
use crate::catalog::raw::{RawImage, RawImageBuilder, Text};
use crate::catalog::settings::{
    SharedSettings, parse_imds, parse_instance_types, parse_subnets, warn_about_private_access,
};
use crate::catalog::types::{Image, InstanceSettings};
use crate::catalog::yaml::source::Diagnostics;
use crate::catalog::{codes, syntax};
use crate::model::{Arch, ImageName};

/// Longest wait before the first login. The limits of the build allow for it.
const MAX_BOOT_WAIT: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// Settings of one image before the architecture and the ancestors are known.
#[derive(Debug, Default)]
pub(crate) struct InstanceDraft {
    /// Instance types by architecture.
    types: BTreeMap<Arch, Vec<Text>>,
    /// Other settings.
    own: InstanceSettings,
}

/// Checks the settings of one image.
pub(super) fn parse_instance(
    raw: &RawImage,
    known: &SharedSettings,
    checker: &mut Checker<'_, '_>,
) -> InstanceDraft {
    let none = RawImageBuilder::default();
    let builder = raw.builder.as_ref().unwrap_or(&none);
    let profile = builder.instance_profile.as_ref();
    if known.is_access_private {
        warn_about_private_access(builder.public_address.as_ref(), checker);
    }
    InstanceDraft {
        types: parse_instance_types(
            builder.instance_type.as_ref(),
            &builder.instance_types,
            checker,
        ),
        own: InstanceSettings {
            instance_types: Vec::new(),
            subnets: parse_subnets(builder.subnet.as_ref(), &builder.subnets, checker),
            instance_profile: checker.check_aws_name(
                "a valid instance profile name",
                profile,
                &syntax::INSTANCE_PROFILE,
            ),
            public_address: builder.public_address.as_ref().map(|public| public.value),
            imds: builder.imds.map(parse_imds),
            login_user: raw.login_user.as_ref().and_then(|user| {
                checker.check_name(codes::OWNER, "a login user", user, &syntax::LOGIN_USER)
            }),
            ssh_pty: raw.ssh_pty,
            boot_wait: raw
                .boot_wait
                .as_ref()
                .and_then(|wait| parse_boot_wait(wait, checker)),
        },
    }
}

fn parse_boot_wait(text: &Text, checker: &mut Checker<'_, '_>) -> Option<jiff::SignedDuration> {
    let wait = checker.check_duration(text, &syntax::BOOT_WAIT)?;
    if wait > MAX_BOOT_WAIT {
        let message = format!("`boot_wait` of `{}` is longer than 1 hour", text.value);
        checker
            .error(codes::TIME, &text.span, message)
            .help("use at most `1h`");
        return None;
    }
    Some(wait)
}

/// Returns the settings of an image with those of its ancestors, nearest first. Reports instance
/// types of another architecture.
pub(crate) fn link_instance<'d>(
    (name, arch): (&str, Arch),
    draft: &'d InstanceDraft,
    ancestors: impl Iterator<Item = &'d InstanceDraft>,
    checker: &mut Checker<'_, '_>,
) -> InstanceSettings {
    if let Some((other, [text, ..])) = draft.types.iter().next().map(|(a, t)| (a, t.as_slice()))
        && !draft.types.contains_key(&arch)
    {
        let message = format!(
            "the instance type `{}` is {other}, but the image `{name}` is {arch}",
            text.value
        );
        let family = arch.similar_family(&text.value);
        let is_split = ImageName::from(name).arch().is_some();
        let help = if is_split {
            let size = text.value.split_once('.').map_or("large", |(_, size)| size);
            let (own, added) = (&text.value, format!("{family}.{size}"));
            format!("set a type for each architecture, such as `instance_types: [{own}, {added}]`")
        } else {
            format!("use an {arch} type, such as one of `{family}`")
        };
        checker
            .error(codes::INSTANCE_ARCH, &text.span, message)
            .help(help);
    }
    ancestors.fold(settings_of(draft, arch), |own, ancestor| {
        own.with_parent(&settings_of(ancestor, arch))
    })
}

fn settings_of(draft: &InstanceDraft, arch: Arch) -> InstanceSettings {
    InstanceSettings {
        instance_types: draft
            .types
            .get(&arch)
            .map(|texts| texts.iter().map(|text| text.value.clone()).collect())
            .unwrap_or_default(),
        ..draft.own.clone()
    }
}

/// Reports SSM sessions to instances without an instance profile, which the SSM agent needs.
pub(crate) fn report_missing_profile(
    known: &SharedSettings,
    images: &BTreeMap<ImageName, Image>,
    diagnostics: &mut Diagnostics,
) {
    let Some(span) = &known.profile_needed else {
        return;
    };
    let without = |image: &&Image| image.instance.instance_profile.is_none();
    if let Some(image) = images.values().find(without) {
        let message = format!(
            "`access: ssm` needs an instance profile, and the image `{}` has none",
            image.name
        );
        diagnostics
            .error(codes::ACCESS, span.clone(), message)
            .help("set `instance_profile` to one with the policy AmazonSSMManagedInstanceCore");
    }
}
