//! Tests of the volumes of images.

use super::variables::{errors, image};
use super::{BASE, load_valid, repository};
use crate::catalog::{Volume, VolumeType, load};

/// Asserts that the image has exactly one error. `expected` is the column, a space and the start of
/// the message.
fn assert_rejected(list: &str, expected: &str, help: &str) {
    let text = format!("source: {{ssm: /a}}\nvolumes: [{list}]\n");
    let found = load(&repository(&[("images/a.yaml", &text)])).1;
    let shown = errors(&[("images/a.yaml", &text)]);
    let expected = format!("CAT048 images/a.yaml:2:{expected}");
    assert!(
        shown.len() == 1 && shown[0].starts_with(&expected),
        "{list}: {shown:#?}"
    );
    let advice = found[0].help.clone().unwrap_or_default();
    assert!(advice.contains(help), "{list}: {advice}");
}

#[test]
fn impossible_volumes_have_positions_and_remedies() {
    for (list, expected, help) in [
        (
            "{device: root, type: gp2, iops: 3000}",
            "43 `gp2` volumes have no provisioned IOPS",
            "remove `iops`",
        ),
        (
            "{device: root, type: io2, iops: 4000, throughput: 200}",
            "61 `io2` volumes have no provisioned throughput",
            "remove `throughput`, or use `type: gp3`",
        ),
        (
            "{device: root, type: st1}",
            "32 a root volume cannot have the type `st1`",
            "use `gp3`",
        ),
        (
            "{device: root, iops: 4000}",
            "32 `iops` of the root volume needs `type`",
            "`type: gp3`",
        ),
        (
            "{device: root, type: io1}",
            "32 `io1` volumes need `iops`",
            "add `iops`",
        ),
        (
            "{device: /dev/sdf, size: 100, type: sc1}",
            "36 `size` of `sc1` volumes cannot be 100",
            "use 125 to 16384 GiB",
        ),
        (
            "{device: /dev/sdf, size: 10, type: io1, iops: 501}",
            "57 501 IOPS are too many for `io1` with 10 GiB",
            "at least 11 GiB",
        ),
        (
            "{device: /dev/sdf, size: 10, iops: 20000}",
            "46 `iops` of `gp3` volumes cannot be 20000",
            "use 3000 to 16000 IOPS",
        ),
        (
            "{device: /dev/sdf, size: 9, iops: 5000}",
            "45 5000 IOPS are too many for `gp3` with 9 GiB",
            "at least 10 GiB",
        ),
        (
            "{device: /dev/sdf, size: 9, throughput: 800}",
            "51 800 MiB/s are too many for 3000 IOPS",
            "use `iops` of at least 3200",
        ),
        (
            "{device: /dev/sdf}",
            "20 the volume `/dev/sdf` has no size",
            "add `size`",
        ),
        (
            "{device: /dev/sda1, size: 9}",
            "20 `/dev/sda1` is not a device",
            "/dev/sdf",
        ),
        (
            "{device: root, size: 9}, {device: root, size: 9}",
            "45 duplicate device `root`",
            "remove one of them",
        ),
    ] {
        assert_rejected(list, expected, help);
    }
}

#[test]
fn size_of_root_volume_is_set_once() {
    let text = "source: {ssm: /a}\ndisk_gib: 20\nvolumes: [{device: root, size: 30}]\n";
    let shown = errors(&[("images/a.yaml", text)]);
    assert!(
        shown[0].starts_with("CAT048 images/a.yaml:3:32 the root volume has two sizes"),
        "{shown:?}"
    );
    let text =
        "source: {ssm: /a}\ndisk_gib: 20\nvolumes: [{device: root, type: io1, iops: 2000}]\n";
    let shown = errors(&[("images/a.yaml", text)]);
    assert!(
        shown[0].starts_with("CAT048 images/a.yaml:3:43 2000 IOPS are too many"),
        "{shown:?}"
    );
}

#[test]
fn volume_of_child_is_not_smaller() {
    for (volume, position) in [("root", 32), ("/dev/sdf", 36)] {
        let base = format!("{BASE}volumes: [{{device: {volume}, size: 20}}]\n");
        let child = format!("parent: base\nvolumes: [{{device: {volume}, size: 10}}]\n");
        let shown = errors(&[("images/base.yaml", &base), ("images/c.yaml", &child)]);
        let start = format!("CAT044 images/c.yaml:2:{position} ");
        assert!(
            shown.len() == 1 && shown[0].starts_with(&start),
            "{shown:?}"
        );
    }
}

#[test]
fn volumes_have_defaults() {
    let text = "parent: base\nvolumes:\n  - {device: root, size: 30, type: io2, iops: 6000}\n  \
                - {device: /dev/sdf, size: 100, throughput: 250}\n";
    let catalog = load_valid(&[("images/a.yaml", text)]);
    let found = image(&catalog, "a");
    let root = Volume {
        device: None,
        size_gib: Some(30),
        kind: Some(VolumeType::Io2),
        iops: Some(6000),
        throughput: None,
    };
    let data = Volume {
        device: Some("/dev/sdf".to_owned()),
        size_gib: Some(100),
        kind: Some(VolumeType::Gp3),
        iops: Some(3000),
        throughput: Some(250),
    };
    assert_eq!(found.volumes, [root, data]);
}
