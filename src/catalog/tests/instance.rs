//! Tests of the settings of images for their build and test instances.

use super::variables::{errors, image};
use super::{BASE, load_valid, repository};
use crate::catalog::{Imds, ValueView, load, show_image};
use crate::model::{Arch, ImageName};

/// Settings with an instance type and a subnet for all images.
const WITH_BUILDER: &str = "name: acme\nregions: [eu-west-1]\n\
    builder: {instance_type: t3.micro, subnet: subnet-00000001, instance_profile: general, \
    access: {cidrs: [203.0.113.7/32]}}\n";

#[test]
fn image_overrides_builder_key_by_key() {
    let base = format!(
        "{BASE}builder: {{instance_types: [m7i.large, m7g.large], public_address: true}}\n\
         login_user: rocky\nssh_pty: true\nboot_wait: 90s\n"
    );
    let catalog = load_valid(&[
        ("bakeline.yaml", WITH_BUILDER),
        ("images/base.yaml", &base),
        (
            "images/child.yaml",
            "parent: base\nbuilder: {subnet: subnet-00000002}\nboot_wait: 0s\n",
        ),
        ("images/plain.yaml", BASE),
    ]);
    let child = image(&catalog, "child");
    let builder = child.builder(&catalog.settings);
    assert_eq!(builder.instance_type(Arch::X86_64), "m7i.large");
    assert_eq!(builder.subnet("any"), Some("subnet-00000002"));
    assert_eq!(builder.instance_profile.as_deref(), Some("general"));
    assert!(builder.public_address);
    assert_eq!(child.login_user(), "rocky");
    assert_eq!(child.instance.ssh_pty, Some(true));
    assert_eq!(child.instance.boot_wait.map(|w| w.as_secs()), Some(0));
    let base = image(&catalog, "base");
    assert_eq!(base.instance.boot_wait.map(|w| w.as_secs()), Some(90));
    let plain = image(&catalog, "plain");
    assert_eq!(plain.builder(&catalog.settings), catalog.settings.builder);
    assert_eq!(plain.login_user(), "admin");
}

#[test]
fn image_overrides_imds() {
    let catalog = load_valid(&[
        ("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n"),
        ("images/base.yaml", BASE),
        (
            "images/child.yaml",
            "parent: base\nbuilder: {imds: optional}\n",
        ),
        ("images/leaf.yaml", "parent: child\n"),
    ]);
    let imds = |name: &str| image(&catalog, name).builder(&catalog.settings).imds;
    assert_eq!(
        ["base", "child", "leaf"].map(imds),
        [Imds::V2, Imds::Optional, Imds::Optional]
    );
    let inputs = image(&catalog, "leaf").instance.inputs();
    assert_eq!(inputs, [("imds".to_owned(), "optional".to_owned())]);
}

#[test]
fn instance_settings_have_positions_and_remedies() {
    let arm = "source: {ssm: /a}\narch: arm64\n";
    let x86 = "source: {ssm: /a}\n";
    for (head, more, expected, help) in [
        (
            arm,
            "builder: {instance_type: t3.small}",
            "CAT047 images/a.yaml:3:26 the instance type `t3.small` is x86_64, but the image `a` \
             is arm64",
            "use an arm64 type, such as one of `t4g`",
        ),
        (
            x86,
            "builder: {instance_types: [c7gn.large]}",
            "CAT047 images/a.yaml:2:28 the instance type `c7gn.large` is arm64, but the image `a` \
             is x86_64",
            "use an x86_64 type, such as one of `c7i`",
        ),
        (
            x86,
            "builder: {subnet: subnet-1}",
            "CAT090 images/a.yaml:2:19 `subnet-1` is not a valid subnet ID",
            "use a subnet ID such as `subnet-0123456789abcdef0`",
        ),
        (
            x86,
            "builder: {subnets: [subnet-00000001, subnet-00000001]}",
            "CAT054 images/a.yaml:2:38 duplicate subnet `subnet-00000001`",
            "remove",
        ),
        (
            x86,
            "builder: {subnet: subnet-00000001, subnets: [subnet-00000002]}",
            "CAT054 images/a.yaml:2:19 `subnet` and `subnets` exclude each other",
            "write `subnets: [subnet-00000001, subnet-00000002]`",
        ),
        (
            x86,
            "builder: {access: ssm}",
            "CAT020 images/a.yaml:2:11 unknown key `access`",
            "known keys",
        ),
        (
            x86,
            "login_user: \"a b\"",
            "CAT066 images/a.yaml:2:13 `a b` is not a login user",
            "use the name of a user with a-z",
        ),
        (
            x86,
            "boot_wait: 2h",
            "CAT092 images/a.yaml:2:12 `boot_wait` of `2h` is longer than 1 hour",
            "use at most `1h`",
        ),
    ] {
        assert_error(&format!("{head}{more}\n"), expected, help);
    }
}

/// Checks that an image file has one error, with this position, message and help.
fn assert_error(text: &str, expected: &str, help: &str) {
    let (catalog, found) = load(&repository(&[("images/a.yaml", text)]));
    assert!(catalog.is_none(), "{text}");
    let shown = errors(&[("images/a.yaml", text)]);
    assert!(
        shown.len() == 1 && shown[0].starts_with(expected),
        "{shown:#?}"
    );
    let advice = format!("{} {:?}", found[0].message, found[0].help);
    assert!(advice.contains(help), "{advice}");
}

#[test]
fn lists_of_types_and_subnets_are_checked() {
    let arm = "source: {ssm: /a}\narch: arm64\n";
    let x86 = "source: {ssm: /a}\n";
    for (head, more, expected, help) in [
        (
            x86,
            "builder: {instance_types: [t3.small, m6g.large, t3.small]}",
            "CAT054 images/a.yaml:2:49 duplicate instance type `t3.small`",
            "remove",
        ),
        (
            arm,
            "builder: {instance_types: [m5.large, t3.small]}",
            "CAT047 images/a.yaml:3:28 the instance type `m5.large` is x86_64, but the image `a` \
             is arm64",
            "use an arm64 type, such as one of `m6g`",
        ),
        (
            x86,
            "builder: {instance_types: []}",
            "CAT021 images/a.yaml:2:11 `instance_types` is empty",
            "add at least one entry",
        ),
        (
            x86,
            "builder: {subnets: []}",
            "CAT021 images/a.yaml:2:11 `subnets` is empty",
            "add at least one entry",
        ),
    ] {
        assert_error(&format!("{head}{more}\n"), expected, help);
    }
}

#[test]
fn similar_families_have_the_other_architecture() {
    for name in [
        "t2.nano",
        "t3.small",
        "m5.large",
        "m7i-flex.large",
        "c6a.large",
        "r8i.large",
        "x1.16xlarge",
        "i3.large",
        "g4dn.xlarge",
        "u-6tb1.metal",
        "z1d.large",
        "t4g.small",
        "m6gd.large",
        "c7gn.large",
        "r8gb.large",
        "a1.medium",
        "im4gn.large",
        "g5g.xlarge",
        "x2gd.medium",
        "mac2.metal",
    ] {
        for arch in [Arch::X86_64, Arch::Arm64] {
            let family = arch.similar_family(name);
            let found = Arch::of_instance_type(&format!("{family}.large"));
            assert_eq!(found, arch, "{name}: {family}");
        }
    }
}

#[test]
fn show_names_origin_of_inherited_instance_settings() {
    let base = format!(
        "{BASE}builder: {{instance_types: [m7i.large, m7g.large], public_address: true}}\n\
         login_user: rocky\n"
    );
    let files = repository(&[
        ("images/base.yaml", &base),
        (
            "images/child.yaml",
            "parent: base\nbuilder: {instance_type: c7i.large}\nssh_pty: true\n",
        ),
    ]);
    let (catalog, _) = load(&files);
    let catalog = catalog.expect("a catalog");
    let shown = show_image(&files, &catalog, &ImageName::from("child")).expect("an image");
    let origins: Vec<String> = shown
        .values
        .iter()
        .filter(|(key, _)| key.starts_with("builder") || key.contains("log") || key.contains("pty"))
        .map(|(key, view)| format!("{key}={} {}", view.value, view.origin))
        .collect();
    assert_eq!(
        origins,
        [
            "builder.instance_type=\"c7i.large\" images/child.yaml:2:26",
            "builder.public_address=true images/base.yaml:2:67",
            "login_user=\"rocky\" images/base.yaml:3:13",
            "ssh_pty=true images/child.yaml:3:10",
        ]
    );
}

#[test]
fn show_lists_instance_types_of_the_architecture() {
    let settings = "name: acme\nregions: [eu-west-1]\n\
                    builder: {instance_types: [t3.small, m6g.large, t3a.small]}\n";
    let base = format!("{BASE}arch: [x86_64, arm64]\n");
    let files = repository(&[("bakeline.yaml", settings), ("images/base.yaml", &base)]);
    let (catalog, _) = load(&files);
    let catalog = catalog.expect("a catalog");
    let shown = |name: &str| {
        let view = show_image(&files, &catalog, &name.into()).expect("an image");
        let types = |(key, value): (String, ValueView)| {
            key.starts_with("builder.instance_type")
                .then(|| format!("{key}={} {}", value.value, value.origin))
        };
        view.values.into_iter().find_map(types)
    };
    let several = "builder.instance_types=[\"t3.small\",\"t3a.small\"] bakeline.yaml:3:28";
    assert_eq!(shown("base.x86_64").as_deref(), Some(several));
    let one = "builder.instance_type=\"m6g.large\" bakeline.yaml:3:38";
    assert_eq!(shown("base.arm64").as_deref(), Some(one));
}
