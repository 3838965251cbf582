//! Tests of images with several architectures.

use super::variables::{errors, image};
use super::{SETTINGS, load_valid, repository};
use crate::catalog::{load, show_image};
use crate::model::{Arch, ImageName};

const BASE: &str =
    "arch: [x86_64, arm64]\nsource: {owner: amazon, name: \"debian-12-${arch}-*\"}\n";

fn names(files: &[(&str, &str)]) -> Vec<String> {
    let catalog = load_valid(files);
    catalog.images.keys().map(ToString::to_string).collect()
}

#[test]
fn list_defines_one_image_per_architecture() {
    let kid = "parent: base\ndescription: \"Tools for ${arch}\"\nscripts: [{path: files/deep/run.sh, args: [\"${arch}\"]}]\n";
    let catalog = load_valid(&[("images/base.yaml", BASE), ("images/kid.yaml", kid)]);
    let names: Vec<&str> = catalog.images.keys().map(ImageName::as_str).collect();
    let expected = ["base.arm64", "base.x86_64", "kid.arm64", "kid.x86_64"];
    assert_eq!(names, expected);
    for (name, parent, arch) in [
        ("kid.arm64", "base.arm64", Arch::Arm64),
        ("kid.x86_64", "base.x86_64", Arch::X86_64),
    ] {
        let kid = image(&catalog, name);
        assert_eq!(kid.parent(), Some(&ImageName::from(parent)));
        assert_eq!(kid.arch, arch);
        assert_eq!(kid.description, format!("Tools for {arch}"));
        assert_eq!(kid.variables["arch"], arch.as_str());
    }
    for published in ["base", "kid"] {
        assert!(catalog.settings.has_several_architectures(published));
    }
}

#[test]
fn eight_images_fit_in_fifteen_lines() {
    let base = "matrix: {debian: [12, 13]}\nname: deb${debian}\narch: [x86_64, arm64]\n\
                source: {owner: amazon, name: \"debian-${debian}-*\"}\n";
    let jdk = "matrix:\n  java: [17, 21]\n  debian: [12, 13]\n\
               name: jdk-${java}-${debian}\nparent: deb${debian}\n\
               packages: [\"openjdk-${java}-jdk\"]\n";
    let found = names(&[("images/base.yaml", base), ("images/jdk.yaml", jdk)]);
    assert_eq!(
        found.iter().filter(|name| name.starts_with("jdk-")).count(),
        8
    );
}

#[test]
fn child_selects_an_architecture() {
    let kid = "parent: base\narch: arm64\n";
    let leaf = "parent: kid\n";
    let files = [
        ("images/base.yaml", BASE),
        ("images/kid.yaml", kid),
        ("images/leaf.yaml", leaf),
    ];
    assert_eq!(names(&files), ["base.arm64", "base.x86_64", "kid", "leaf"]);
    let catalog = load_valid(&files);
    assert_eq!(image(&catalog, "leaf").arch, Arch::Arm64);
    assert_eq!(
        image(&catalog, "kid").parent(),
        Some(&ImageName::from("base.arm64"))
    );
}

#[test]
fn list_of_one_architecture_keeps_the_name() {
    let base = BASE.replace("[x86_64, arm64]", "[arm64]");
    let catalog = load_valid(&[("images/base.yaml", &base)]);
    assert_eq!(image(&catalog, "base").arch, Arch::Arm64);
    assert!(!catalog.settings.has_several_architectures("base"));
    let name = |arch| catalog.settings.image_name("base", arch);
    assert_eq!(name(Arch::Arm64).as_str(), "base");
    assert_eq!(
        name(Arch::X86_64).as_str(),
        "base.x86_64",
        "an earlier architecture"
    );
}

#[test]
fn variables_override_the_architecture() {
    let kid = "variables: {arch: amd}\nparent: base\ndescription: \"Tools for ${arch}\"\nscripts: [{path: files/deep/run.sh, args: [\"${arch}\"]}]\n";
    let catalog = load_valid(&[("images/base.yaml", BASE), ("images/kid.yaml", kid)]);
    assert_eq!(image(&catalog, "kid.arm64").description, "Tools for amd");
}

#[test]
fn invalid_architectures_have_positions() {
    let base = |arch: &str| BASE.replace("[x86_64, arm64]", arch);
    for (arch, expected) in [
        (
            "[x86_64, x86_64]",
            "CAT021 images/base.yaml:1:7 `arch` contains x86_64 twice",
        ),
        ("[]", "CAT021 images/base.yaml:1:1 `arch` is empty"),
    ] {
        assert_eq!(errors(&[("images/base.yaml", &base(arch))]), [expected]);
    }
    let wrong = errors(&[("images/base.yaml", &base("[x86_64, ppc]"))]);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].contains("images/base.yaml:1:16"), "{wrong:?}");
    let kid = "parent: base\narch: arm64\n";
    assert_eq!(
        errors(&[
            ("images/base.yaml", &base("x86_64")),
            ("images/kid.yaml", kid)
        ]),
        ["CAT043 images/kid.yaml:2:7 the parent `base` is not built for arm64"]
    );
    let named = "arch: [x86_64, arm64]\nmatrix: {a: [1]}\nname: x-${a}-${arch}\nparent: base\n";
    assert_eq!(
        errors(&[("images/x.yaml", named)]),
        ["CAT111 images/x.yaml:3:14 the variable `arch` does not exist"]
    );
}

#[test]
fn errors_of_both_architectures_appear_once() {
    let kid = "parent: base\nfiles: [{source: files/none, destination: /etc/none}]\n";
    let found = errors(&[("images/base.yaml", BASE), ("images/kid.yaml", kid)]);
    assert_eq!(found.len(), 1, "{found:?}");
    let wrong_parent = "parent: bas\n";
    let files = repository(&[
        ("images/base.yaml", BASE),
        ("images/kid.yaml", wrong_parent),
    ]);
    let help = load(&files).1[0].help.clone();
    assert_eq!(help.as_deref(), Some("did you mean `base`?"));
}

#[test]
fn waivers_apply_to_both_architectures() {
    let kid = "parent: base\nchecks: [{package: nginx, id: web}]\n";
    let waivers = "waivers:\n- control: web\n  images: [kid]\n  justification: known\n  \
                   owner: me\n  expires: 2030-01-01\n";
    let catalog = load_valid(&[
        ("bakeline.yaml", SETTINGS),
        ("images/base.yaml", BASE),
        ("images/kid.yaml", kid),
        ("waivers.yaml", waivers),
    ]);
    for name in ["kid.arm64", "kid.x86_64"] {
        let control = &image(&catalog, name).controls[0];
        assert!(control.waiver.is_some(), "{name}");
    }
}

#[test]
fn shown_image_has_its_architecture() {
    let files = repository(&[
        ("images/base.yaml", BASE),
        ("images/kid.yaml", "parent: base\n"),
    ]);
    let catalog = load(&files).0.expect("a valid catalog");
    for name in ["base.arm64", "kid.arm64"] {
        let shown = show_image(&files, &catalog, &ImageName::from(name)).expect("an image");
        assert_eq!(shown.values["arch"].value, "arm64");
        assert_eq!(
            shown.values["arch"].origin, "images/base.yaml:1:16",
            "{name}"
        );
    }
}

#[test]
fn file_name_with_an_architecture_is_invalid() {
    let file = "parent: base\n";
    for files in [
        vec![("images/base.yaml", BASE), ("images/base.arm64.yaml", file)],
        vec![("images/x.arm64.yaml", file)],
    ] {
        let found = errors(&files);
        assert!(found[0].starts_with("CAT030"), "{found:?}");
        assert!(
            found[0].contains(".arm64` is not a valid image name"),
            "{found:?}"
        );
    }
}

#[test]
fn instance_type_of_one_architecture_needs_another() {
    let kid = "parent: base\nbuilder: {instance_type: m7i.large}\n";
    let files = repository(&[("images/base.yaml", BASE), ("images/kid.yaml", kid)]);
    let found = load(&files).1;
    assert_eq!(found.len(), 1, "{found:?}");
    let help = "set a type for each architecture, such as `instance_types: [m7i.large, m7g.large]`";
    assert_eq!(found[0].help.as_deref(), Some(help));
    let both = kid.replace(
        "instance_type: m7i.large",
        "instance_types: [m7i.large, m7g.large]",
    );
    load_valid(&[("images/base.yaml", BASE), ("images/kid.yaml", &both)]);
}

#[test]
fn waiver_can_name_the_control_of_one_architecture() {
    let kid = "parent: base\nchecks: [{package: nginx, id: \"web-${arch}\"}]\n";
    let waivers = |control: &str| {
        format!(
            "waivers:\n- control: {control}\n  images: [kid]\n  justification: known\n  \
             owner: me\n  expires: 2030-01-01\n"
        )
    };
    let files = |text| {
        [
            ("images/base.yaml", BASE),
            ("images/kid.yaml", kid),
            ("waivers.yaml", text),
        ]
    };
    let right = waivers("web-arm64");
    let catalog = load_valid(&files(&right));
    assert!(image(&catalog, "kid.arm64").controls[0].waiver.is_some());
    assert!(image(&catalog, "kid.x86_64").controls[0].waiver.is_none());
    let wrong = waivers("web-arm");
    let found = errors(&files(&wrong));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("CAT103 waivers.yaml:2:12"),
        "{found:?}"
    );
}

#[test]
fn parent_is_written_without_architecture() {
    let kid = "parent: base.arm64\n";
    let files = repository(&[("images/base.yaml", BASE), ("images/kid.yaml", kid)]);
    let found = load(&files).1;
    assert_eq!(found.len(), 1, "{found:?}");
    let help = "write `parent: base` and `arch: arm64`";
    assert_eq!(found[0].help.as_deref(), Some(help));
}

/// A second architecture must not change the recipe of the first.
#[test]
fn variables_of_the_list_are_not_inputs() {
    let base = BASE.replace(
        "arch: [x86_64, arm64]",
        "variables: {cpus: [x86_64, arm64]}\narch: ${cpus}",
    );
    let files = repository(&[("images/base.yaml", &base)]);
    let catalog = load(&files).0.expect("a valid catalog");
    let inputs: Vec<&String> = image(&catalog, "base.arm64").variables.keys().collect();
    assert_eq!(inputs, ["arch"]);
    let shown = show_image(&files, &catalog, &ImageName::from("base.arm64")).expect("an image");
    let names: Vec<&String> = shown.variables.keys().collect();
    assert_eq!(names, ["arch", "cpus"]);
}
