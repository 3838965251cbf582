//! Tests of overrides and waivers in a lineage.

use super::profiles::{BASE, SSH, control, control_ids, input_value, load_catalog};
use crate::checks::{Control, Tree};
use crate::model::ImageName;

#[test]
fn overrides_apply_to_image_and_descendants() {
    let base = format!(
        "{BASE}profiles: [ssh]\nwaivers:\n  - {{control: sshd-03, justification: later, owner: me, expires: 2030-01-01}}\n"
    );
    let kid = "parent: base\nprofiles: [{name: ssh, inputs: {banner: hello}}]\noverride: {sshd-01: {impact: 0.1}}\n\
        disable: {sshd-03: not here}\nwaivers: [{control: sshd-02, justification: soon, owner: you, expires: 2031-02-03}]\n";
    let files = [
        ("profiles/ssh.yaml", SSH),
        ("images/base.yaml", base.as_str()),
        ("images/kid.yaml", kid),
        ("images/zkid.yaml", "parent: kid\n"),
        ("images/other.yaml", "parent: base\n"),
    ];
    let catalog = load_catalog(&files).expect("sound");
    for (image, impact, banner, disabled, waived) in [
        ("base", 1.0, "none", false, None),
        ("other", 1.0, "none", false, None),
        ("kid", 0.1, "hello", true, Some("you")),
        ("zkid", 0.1, "hello", true, Some("you")),
    ] {
        assert_eq!(
            control_ids(&catalog, image),
            ["sshd-01", "sshd-02", "sshd-03"],
            "{image}"
        );
        assert!(
            (control(&catalog, image, "sshd-01").impact - impact).abs() < 1e-9,
            "{image}"
        );
        let second = control(&catalog, image, "sshd-02");
        assert_eq!(
            input_value(second, "banner"),
            Tree::Text(banner.to_owned()),
            "{image}"
        );
        assert_eq!(
            second.waiver.as_ref().map(|w| w.owner.as_str()),
            waived,
            "{image}"
        );
        let third = control(&catalog, image, "sshd-03");
        assert_eq!(
            (third.disabled.is_some(), third.waiver.is_some()),
            (disabled, true),
            "{image}"
        );
    }
    let plain = crate::checks::digest(&catalog.controls(&ImageName::from("base")));
    assert_ne!(
        crate::checks::digest(&catalog.controls(&ImageName::from("zkid"))),
        plain,
        "seen in plans"
    );
    let unwaived = catalog
        .controls(&ImageName::from("base"))
        .into_iter()
        .cloned()
        .map(|c| Control { waiver: None, ..c });
    assert_eq!(
        crate::checks::digest(&unwaived.collect::<Vec<_>>().iter().collect::<Vec<_>>()),
        plain
    );
}

#[test]
fn most_specific_waiver_applies() {
    let waivers = "waivers:\n  - {control: sshd-01, justification: all, owner: a, expires: 2030-01-01}\n  \
        - {control: sshd-01, images: [kid], justification: some, owner: b, expires: 2030-01-01}\n  \
        - {control: sshd-02, images: [kid], justification: some, owner: b, expires: 2030-01-01}\n";
    let base = format!("{BASE}profiles: [ssh]\n");
    let kid = "parent: base\nwaivers: [{control: sshd-02, justification: own, owner: c, expires: 2030-01-01}]\n";
    let files = [
        ("profiles/ssh.yaml", SSH),
        ("waivers.yaml", waivers),
        ("images/base.yaml", &base),
        ("images/kid.yaml", kid),
        ("images/zkid.yaml", "parent: kid\n"),
    ];
    let catalog = load_catalog(&files).expect("sound");
    let why = |image: &str, id: &str| {
        control(&catalog, image, id)
            .waiver
            .as_ref()
            .map(|w| w.justification.clone())
    };
    let all = |id: &str| ["base", "kid", "zkid"].map(|image| why(image, id).unwrap_or_default());
    assert_eq!(all("sshd-01"), ["all", "some", "some"]);
    assert_eq!(all("sshd-02"), ["", "own", "own"]);
    assert_eq!(all("sshd-03"), ["", "", ""]);
}
