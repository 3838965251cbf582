//! Checks the volumes of an image.

use std::collections::BTreeMap;

use crate::catalog::checker::Checker;
use crate::catalog::image::draft::ImageDraft;
use crate::catalog::raw::{RawVolume, Text};
use crate::catalog::types::{Volume, VolumeType};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, syntax};

/// Name of the root volume.
const ROOT: &str = "root";
/// IOPS that gp3 needs for each MiB/s of throughput (Amazon EBS User Guide, "General Purpose SSD
/// volumes").
const IOPS_PER_THROUGHPUT: u32 = 4;
/// IOPS and throughput in MiB/s of a gp3 volume without `iops` and `throughput` (Amazon EBS User
/// Guide, "General Purpose SSD volumes").
const DEFAULT_GP3_IOPS: u32 = 3_000;
const DEFAULT_GP3_THROUGHPUT: u32 = 125;

/// A valid volume with the position of its size.
#[derive(Debug, Clone)]
pub(crate) struct VolumeDraft {
    pub(crate) volume: Volume,
    pub(crate) size: Option<Spanned<u32>>,
}

/// Returns the valid volumes. `disk_gib` is the size of the root volume.
pub(super) fn parse_volumes(
    list: &[RawVolume],
    disk_gib: Option<Spanned<u32>>,
    checker: &mut Checker<'_, '_>,
) -> Vec<VolumeDraft> {
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for raw in list {
        let Some(device) = raw.device.as_ref() else {
            continue;
        };
        let is_valid = checker
            .check_name(codes::VOLUME, "a device", device, &syntax::VOLUME_DEVICE)
            .is_some();
        if is_valid && checker.check_unique(&mut seen, device, codes::VOLUME, "device") {
            let disk = disk_gib.as_ref().filter(|_| device.value == ROOT);
            out.extend(parse_volume(raw, device, disk, checker));
        }
    }
    if let Some(size) = disk_gib.filter(|_| !seen.contains_key(ROOT)) {
        out.push(VolumeDraft {
            volume: Volume {
                size_gib: Some(size.value),
                ..Volume::default()
            },
            size: Some(size),
        });
    }
    out
}

/// Checks one volume. `disk` is the `disk_gib` of the root volume.
fn parse_volume(
    raw: &RawVolume,
    device: &Text,
    disk: Option<&Spanned<u32>>,
    checker: &mut Checker<'_, '_>,
) -> Option<VolumeDraft> {
    let is_root = device.value == ROOT;
    let size = raw.size.as_ref().or(disk);
    if !check_volume(raw, size.map(|size| size.value), is_root, checker) {
        return None;
    }
    if let (Some(size), Some(disk)) = (&raw.size, disk) {
        let related = checker.source.span(disk.span.clone());
        checker
            .error(codes::VOLUME, &size.span, "the root volume has two sizes")
            .help("remove `disk_gib`")
            .add_related(related, "the other size");
        return None;
    }
    if size.is_none() && !is_root {
        let message = format!("the volume `{}` has no size", device.value);
        checker
            .error(codes::VOLUME, &device.span, message)
            .help("add `size` in GiB");
        return None;
    }
    Some(draft_of(raw, size, is_root))
}

/// Returns a valid volume. The values of gp3 are explicit, because Packer 1.6.6 rejects a gp3 volume
/// without them.
fn draft_of(raw: &RawVolume, size: Option<&Spanned<u32>>, is_root: bool) -> VolumeDraft {
    let value = |number: &Option<Spanned<u32>>| number.as_ref().map(|n| n.value);
    let device = raw.device.as_ref().map(|d| d.value.clone());
    let kind = volume_type(raw, is_root);
    let default = |number| (kind == Some(VolumeType::Gp3)).then_some(number);
    VolumeDraft {
        volume: Volume {
            device: device.filter(|_| !is_root),
            size_gib: size.map(|size| size.value),
            kind,
            iops: value(&raw.iops).or(default(DEFAULT_GP3_IOPS)),
            throughput: value(&raw.throughput).or(default(DEFAULT_GP3_THROUGHPUT)),
        },
        size: size.cloned(),
    }
}

/// Returns the type of a volume, or `None` for that of the source or parent.
fn volume_type(raw: &RawVolume, is_root: bool) -> Option<VolumeType> {
    let written = raw.kind.as_ref().map(|k| k.value);
    written.or((!is_root).then_some(VolumeType::Gp3))
}

/// Reports combinations that EC2 or Packer rejects.
fn check_volume(
    raw: &RawVolume,
    size: Option<u32>,
    is_root: bool,
    checker: &mut Checker<'_, '_>,
) -> bool {
    let before = checker.diagnostics.error_count();
    let Some(kind) = volume_type(raw, is_root) else {
        // The type is that of the source, so no value can be checked against it.
        let performance = [("iops", &raw.iops), ("throughput", &raw.throughput)];
        for (key, value) in performance {
            if let Some(value) = value {
                checker
                    .error(
                        codes::VOLUME,
                        &value.span,
                        format!("`{key}` of the root volume needs `type`"),
                    )
                    .help("add `type: gp3`");
            }
        }
        return checker.diagnostics.error_count() == before;
    };
    let limits = kind.limits();
    if let Some(own) = raw.kind.as_ref().filter(|_| is_root && !limits.can_boot) {
        let message = format!("a root volume cannot have the type `{kind}`");
        checker
            .error(codes::VOLUME, &own.span, message)
            .help("use `gp3`");
    }
    if let Some(size) = &raw.size {
        check_range((kind, "size", "GiB"), size, limits.size, checker);
    }
    check_iops(raw, (kind, size), checker);
    check_throughput(raw, kind, checker);
    checker.diagnostics.error_count() == before
}

fn check_range(
    (kind, key, unit): (VolumeType, &str, &str),
    value: &Spanned<u32>,
    (min, max): (u32, u32),
    checker: &mut Checker<'_, '_>,
) -> bool {
    let is_valid = (min..=max).contains(&value.value);
    if !is_valid {
        let message = format!("`{key}` of `{kind}` volumes cannot be {}", value.value);
        checker
            .error(codes::VOLUME, &value.span, message)
            .help(format!("use {min} to {max} {unit}"));
    }
    is_valid
}

fn check_iops(
    raw: &RawVolume,
    (kind, size): (VolumeType, Option<u32>),
    checker: &mut Checker<'_, '_>,
) {
    let limits = kind.limits();
    let iops = match (&raw.iops, limits.iops) {
        (Some(iops), Some(range)) => {
            if !check_range((kind, "iops", "IOPS"), iops, range, checker) {
                return;
            }
            iops
        }
        (Some(iops), None) => {
            let message = format!("`{kind}` volumes have no provisioned IOPS");
            checker
                .error(codes::VOLUME, &iops.span, message)
                .help("remove `iops`, or use `type: gp3`, `io1` or `io2`");
            return;
        }
        (None, Some(_)) if kind != VolumeType::Gp3 => {
            let span = raw.kind.as_ref().map_or(0..0, |k| k.span.clone());
            checker
                .error(
                    codes::VOLUME,
                    &span,
                    format!("`{kind}` volumes need `iops`"),
                )
                .help("add `iops`, or use `type: gp3`");
            return;
        }
        (None, _) => return,
    };
    let Some(size) = size else { return };
    // gp3 has 3,000 IOPS at any size.
    let most = size.saturating_mul(limits.iops_per_gib);
    let is_included = kind == VolumeType::Gp3 && iops.value <= DEFAULT_GP3_IOPS;
    if iops.value > most && !is_included {
        let message = format!(
            "{} IOPS are too many for `{kind}` with {} GiB",
            iops.value, size
        );
        let needed = iops.value.div_ceil(limits.iops_per_gib);
        checker
            .error(codes::VOLUME, &iops.span, message)
            .help(format!(
                "use a size of at least {needed} GiB: the limit is {} IOPS for each GiB",
                limits.iops_per_gib
            ));
    }
}

fn check_throughput(raw: &RawVolume, kind: VolumeType, checker: &mut Checker<'_, '_>) {
    let Some(throughput) = &raw.throughput else {
        return;
    };
    if kind != VolumeType::Gp3 {
        let message = format!("`{kind}` volumes have no provisioned throughput");
        checker
            .error(codes::VOLUME, &throughput.span, message)
            .help("remove `throughput`, or use `type: gp3`");
        return;
    }
    let iops = raw.iops.as_ref().map_or(DEFAULT_GP3_IOPS, |i| i.value);
    if throughput.value.saturating_mul(IOPS_PER_THROUGHPUT) > iops {
        let message = format!("{} MiB/s are too many for {iops} IOPS", throughput.value);
        let needed = throughput.value * IOPS_PER_THROUGHPUT;
        checker
            .error(codes::VOLUME, &throughput.span, message)
            .help(format!(
                "use `iops` of at least {needed}: the limit is 0.25 MiB/s for each IOPS"
            ));
    }
}

/// Reports volumes that are smaller than the same volume of an ancestor. Ancestors are given with
/// their names, nearest first.
pub(crate) fn check_volume_sizes(
    own: &[VolumeDraft],
    ancestors: &[(&str, &ImageDraft<'_>)],
    checker: &mut Checker<'_, '_>,
) {
    for draft in own {
        let inherited = ancestors.iter().find_map(|(name, ancestor)| {
            let same = |v: &&VolumeDraft| v.volume.device == draft.volume.device;
            let size = ancestor.volumes.iter().find(same)?.size.as_ref()?;
            Some((name, ancestor.file.span(size.span.clone()), size.value))
        });
        if let (Some(size), Some((name, span, larger))) = (&draft.size, inherited)
            && larger > size.value
        {
            let device = draft.volume.device.as_deref().unwrap_or(ROOT);
            let message = format!("the volume `{device}` is smaller than that of `{name}`");
            checker
                .error(codes::DISK, &size.span, message)
                .help(format!("use {larger} or more, or remove the key"))
                .add_related(span, "the larger size");
        }
    }
}
