//! Runs the rendered check of the platform on files of os-release(5).

use std::collections::BTreeMap;

use crate::adapters::{assets, local};
use crate::catalog::{Catalog, load};
use crate::model::ImageName;
use crate::platform::{Platform, sh_quote};
use crate::render::platform_check::check_values;
use crate::render::provision_scripts::CHECK;
use crate::render::{Language, render};

/// Loads a catalog with a base image of a platform and a custom image `web`.
fn load_catalog(platform: Platform) -> Catalog {
    let shipped = assets::shipped_paths().into_iter();
    let mut files: BTreeMap<String, Vec<u8>> = shipped
        .filter_map(|p| Some((p.clone(), assets::shipped_file(&p)?.into_owned())))
        .collect();
    let base = format!("source: {{ssm: /aws/x}}\nplatform: {}\n", platform.name());
    files.extend([
        (
            "bakeline.yaml".to_owned(),
            b"name: acme\nregions: [eu-west-1]\n".to_vec(),
        ),
        ("images/base.yaml".to_owned(), base.into_bytes()),
        ("images/web.yaml".to_owned(), b"parent: base\n".to_vec()),
    ]);
    let (catalog, findings) = load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

/// Returns the exit code and the messages of the check on a system with this os-release.
fn check_system(catalog: &Catalog, os_release: &str) -> String {
    let image = &catalog.images[&ImageName::from("web")];
    let values = check_values(catalog, image);
    let check = render(catalog, CHECK, Language::Shell, &values).expect("a script");
    let (function, _) = check.rsplit_once("\nif [ -e ").expect("the call");
    let script = format!(
        "{function}\nfile=$(mktemp)\nprintf %s {} > \"$file\"\ncode=0\n\
         check_platform \"$file\" 2>&1 || code=$?\nrm -f \"$file\"\necho \"exit $code\"\n",
        sh_quote(os_release)
    );
    let out = local::script_stdout(&script).expect("sh");
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// Systems as their vendors identify them, with the platform they belong to.
const SYSTEMS: [(&str, Option<Platform>); 11] = [
    ("ID=debian\nVERSION_ID=\"12\"\n", Some(Platform::Debian)),
    ("ID=debian\n", Some(Platform::Debian)),
    (
        "ID=raspbian\nID_LIKE=debian\nVERSION_ID=\"12\"\n",
        Some(Platform::Debian),
    ),
    (
        "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
        Some(Platform::Ubuntu),
    ),
    (
        "ID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n",
        Some(Platform::AmazonLinux),
    ),
    (
        "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n",
        Some(Platform::Rhel),
    ),
    (
        "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"10.0\"\n",
        Some(Platform::Rhel),
    ),
    (
        "ID=\"almalinux\"\nVERSION_ID=\"9.4\"\n",
        Some(Platform::Rhel),
    ),
    ("ID=\"centos\"\nVERSION_ID=\"9\"\n", Some(Platform::Rhel)),
    (
        "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22\"\n",
        None,
    ),
    ("ID=\"sles\"\nVERSION_ID=\"15.6\"\n", None),
];

#[test]
fn check_accepts_only_systems_of_the_platform() {
    for platform in Platform::ALL {
        let catalog = load_catalog(platform);
        for (os_release, actual) in SYSTEMS {
            let text = check_system(&catalog, os_release);
            if actual == Some(platform) {
                assert_eq!(text, "exit 0", "{platform:?} {os_release}");
                continue;
            }
            assert!(
                text.ends_with("\nexit 1"),
                "{platform:?} {os_release}: {text}"
            );
            let remedy = match actual {
                Some(actual) => format!("set `platform: {}` in images/base.yaml", actual.name()),
                None => "which no platform supports".to_owned(),
            };
            assert!(text.contains(&remedy), "{text}");
        }
    }
}

#[test]
fn rejected_system_is_named_in_one_line() {
    let os_release = "NAME=\"Amazon Linux\"\nVERSION_ID=\"2023\"\nID=\"amzn\"\nPRETTY_NAME=\"Amazon Linux 2023\"\n";
    assert_eq!(
        check_system(&load_catalog(Platform::Rhel), os_release),
        "image `web` has `platform: rhel`, but its source runs Amazon Linux 2023 (ID=amzn, \
         VERSION_ID=2023): set `platform: amazon-linux` in images/base.yaml, or another \
         `source`\nexit 1"
    );
    let unknown = check_system(&load_catalog(Platform::Debian), "");
    assert!(unknown.contains("(ID=linux, VERSION_ID=none)"), "{unknown}");
}

#[test]
fn too_old_system_is_rejected() {
    for (platform, os_release) in [
        (Platform::AmazonLinux, "ID=amzn\nVERSION_ID=2\n"),
        (Platform::Rhel, "ID=centos\nVERSION_ID=\"8\"\n"),
    ] {
        let text = check_system(&load_catalog(platform), os_release);
        assert!(
            text.contains("supports version") && text.ends_with("exit 1"),
            "{text}"
        );
    }
}
