//! Checks the `filters` of a source against the filters of EC2's DescribeImages.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::checker::{Checker, MAX_KEY, quote_text};
use crate::catalog::codes;
use crate::catalog::raw::Text;
use crate::diagnostic::nearest;

/// Words that a filter accepts. An empty list accepts any text.
type AllowedValues = &'static [&'static str];

const ANY: AllowedValues = &[];
const BOOLEAN: AllowedValues = &["true", "false"];

/// Filters of DescribeImages (EC2 API Reference) that describe a vendor AMI.
const FILTERS: &[(&str, AllowedValues)] = &[
    ("block-device-mapping.delete-on-termination", BOOLEAN),
    ("block-device-mapping.device-name", ANY),
    ("block-device-mapping.encrypted", BOOLEAN),
    ("block-device-mapping.snapshot-id", ANY),
    ("block-device-mapping.volume-size", ANY),
    (
        "block-device-mapping.volume-type",
        &["io1", "io2", "gp2", "gp3", "sc1", "st1", "standard"],
    ),
    ("creation-date", ANY),
    ("description", ANY),
    ("ena-support", BOOLEAN),
    ("free-tier-eligible", BOOLEAN),
    ("hypervisor", &["ovm", "xen"]),
    ("image-allowed", BOOLEAN),
    ("image-id", ANY),
    ("image-type", &["machine", "kernel", "ramdisk"]),
    ("is-public", BOOLEAN),
    ("kernel-id", ANY),
    ("manifest-location", ANY),
    ("product-code", ANY),
    ("product-code.type", &["marketplace"]),
    ("ramdisk-id", ANY),
    ("root-device-name", ANY),
    ("root-device-type", &["ebs", "instance-store"]),
    ("source-image-id", ANY),
    ("source-image-region", ANY),
    ("source-instance-id", ANY),
    ("sriov-net-support", &["simple"]),
    ("tag-key", ANY),
    ("virtualization-type", &["paravirtual", "hvm"]),
];

/// Filters that a source cannot use, with advice.
const RESERVED: &[(&str, &str)] = &[
    ("architecture", "set `arch` of the image instead"),
    ("name", "set `name` of the source instead"),
    ("owner-alias", "set `owner` of the source instead"),
    ("owner-id", "set `owner` of the source instead"),
    ("platform", "remove it; bakeline builds Linux images only"),
    ("state", "remove it; a build needs an available AMI"),
    (
        "state-reason-code",
        "remove it; a build needs an available AMI",
    ),
    (
        "state-reason-message",
        "remove it; a build needs an available AMI",
    ),
];

/// Prefix of a filter for the value of a tag.
const TAG: &str = "tag:";
/// Maximum number of values in a request (EC2 User Guide, "Filter by values").
const MAX_VALUES: usize = 200;
/// Maximum length of a value.
const MAX_LENGTH: usize = 255;

/// Returns the valid filters with their values.
pub(super) fn parse_filters(
    raw: &BTreeMap<Text, Vec<Text>>,
    checker: &mut Checker<'_, '_>,
) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    for (name, values) in raw {
        let allowed = check_filter_name(name, checker);
        if values.is_empty() {
            let message = format!("the filter `{}` has no values", quote_text(&name.value));
            checker
                .error(codes::SOURCE_FILTER, &name.span, message)
                .help(format!("write a list of values: `{}: [VALUE]`", name.value));
        }
        let Some(allowed) = allowed else { continue };
        let valid: BTreeSet<String> = values
            .iter()
            .filter_map(|value| check_value(&name.value, value, allowed, checker))
            .collect();
        out.insert(name.value.clone(), valid.into_iter().collect());
    }
    let mut all = raw.values().flatten();
    if let Some(extra) = all.nth(MAX_VALUES) {
        checker
            .error(
                codes::SOURCE_FILTER,
                &extra.span,
                format!("the filters have more than {MAX_VALUES} values, the limit of EC2"),
            )
            .help("use wildcards: `*` matches any characters");
    }
    out
}

/// Returns the allowed values of a filter, if its name is valid.
fn check_filter_name(name: &Text, checker: &mut Checker<'_, '_>) -> Option<AllowedValues> {
    let text = name.value.as_str();
    if let Some((_, values)) = FILTERS.iter().find(|(known, _)| *known == text) {
        return Some(values);
    }
    if let Some(key) = text.strip_prefix(TAG) {
        let length = key.chars().count();
        if (1..=MAX_KEY).contains(&length) {
            return checker
                .check_line("a filter", name, TAG.len() + MAX_KEY)
                .map(|_| ANY);
        }
        let message = format!("the tag key of the filter has {length} characters");
        checker
            .error(codes::SOURCE_FILTER, &name.span, message)
            .help(format!("write `tag:KEY` with 1 to {MAX_KEY} characters"));
        return None;
    }
    if let Some((_, advice)) = RESERVED.iter().find(|(reserved, _)| *reserved == text) {
        checker
            .error(
                codes::SOURCE_FILTER,
                &name.span,
                format!("a source cannot use the filter `{text}`"),
            )
            .help(*advice);
        return None;
    }
    let known = FILTERS.iter().map(|(known, _)| *known);
    let help = match nearest(text, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "use a filter of DescribeImages such as `root-device-type`, `virtualization-type`, \
                 `ena-support` or `tag:KEY`"
                .to_owned()
        }
    };
    let message = format!("EC2 has no filter `{}` for AMIs", quote_text(text));
    checker
        .error(codes::SOURCE_FILTER, &name.span, message)
        .help(help);
    None
}

/// Returns the value of a filter, if the filter can have it.
fn check_value(
    filter: &str,
    value: &Text,
    allowed: AllowedValues,
    checker: &mut Checker<'_, '_>,
) -> Option<String> {
    let text = checker.check_line("the value of a filter", value, MAX_LENGTH)?;
    if text.is_empty() {
        let message = format!("a value of the filter `{filter}` is empty");
        checker
            .error(codes::SOURCE_FILTER, &value.span, message)
            .help("remove the value, or use `*` for any text");
        return None;
    }
    let has_wildcard = text.contains(['*', '?']);
    if allowed.is_empty() || has_wildcard || allowed.contains(&text.as_str()) {
        return Some(text);
    }
    let message = format!(
        "the filter `{filter}` does not accept the value `{}`",
        quote_text(&text)
    );
    let help = match nearest(&text, allowed.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of: {}", allowed.join(", ")),
    };
    checker
        .error(codes::SOURCE_FILTER, &value.span, message)
        .help(help);
    None
}
