//! Tests that values stay values in Packer JSON, in a shell and in Slack messages.

mod instances;
mod own_template;
mod platform;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::{Language, render};
use crate::adapters::{assets, local};
use crate::catalog::{Catalog, Image, Placement, load};
use crate::matrix::proptest_config;
use crate::model::{ImageName, Tags};
use crate::provision::Provision;
use crate::provision::ansible::Ansible;
use crate::provision::puppet::Puppet;
use crate::render::packer::{RENDERED, RunValues, files};
use crate::render::slack::{Values, message};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let shipped = assets::shipped_paths().into_iter();
    let mut files: BTreeMap<String, Vec<u8>> = shipped
        .filter_map(|p| Some((p.clone(), assets::shipped_file(&p)?.into_owned())))
        .collect();
    files.insert(
        "bakeline.yaml".to_owned(),
        b"name: acme\nregions: [eu-west-1]\n".to_vec(),
    );
    files.insert(
        "images/jdk.yaml".to_owned(),
        b"source: {owner: amazon, name: x-*}\npackages: [jdk]\n".to_vec(),
    );
    let (catalog, findings) = load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
});

/// Returns run values that contain this text only.
fn run_values(text: &str) -> RunValues {
    let own = || text.to_owned();
    RunValues {
        region: own(),
        placement: Placement {
            instance_type: own(),
            subnet: None,
        },
        base_ami: own(),
        ami_name: own(),
        tags: Tags::from([(own(), own())]),
        run_tags: Tags::from([("k".to_owned(), own())]),
        key_name: own(),
        key_file: own(),
        group: own(),
        root_device: own(),
        other_devices: Vec::new(),
        kms_key: None,
        endpoint: Some(format!("http://{text}")),
        poll_seconds: 1,
        user_data: own(),
        environment: BTreeMap::from([("NAME".to_owned(), own())]),
        program: "/usr/bin/bakeline".to_owned(),
        check_request: "/tmp/request".to_owned(),
        packer: semver::Version::new(1, 11, 0),
    }
}

/// Returns the text of an HCL string, or `None` if it contains an expression.
fn parse_hcl(text: &str) -> Option<String> {
    let left = text.replace("$${", "").replace("%%{", "");
    (!left.contains("${") && !left.contains("%{"))
        .then(|| text.replace("$${", "${").replace("%%{", "%{"))
}

/// Generates texts with characters that have a meaning in one of the languages.
fn special_texts() -> impl Strategy<Value = String> {
    let parts = [
        "$", "{", "}", "%", "\"", "\\", "'", "\n", "`id`", "$(id)", "{{", "@{", "}@", "@%", "<",
        "&", "ä", "a", " ", "~", "\u{1}", "-",
    ];
    let pieces =
        prop::collection::vec(prop::sample::select(parts.to_vec()), 0..10).prop_map(|p| p.concat());
    prop_oneof![3 => pieces, 1 => any::<String>()]
}

proptest! {
    #![proptest_config(proptest_config(24, 96))]

    #[test]
    fn packer_template_keeps_or_rejects_text(text in special_texts()) {
        let rendered = files(&CATALOG, &CATALOG.images[&ImageName::from("jdk")], &run_values(&text));
        let Ok(rendered) = rendered else {
            prop_assert!(text.contains("{{") || text.contains('\0') || text.ends_with('{') || text.starts_with('{'), "rejected without a reason: {text:?}");
            return Ok(());
        };
        let json: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
        let source = &json["source"]["amazon-ebs"]["jdk"];
        for key in ["region", "source_ami", "ami_name", "ssh_keypair_name", "ssh_private_key_file"] {
            let got = source[key].as_str().unwrap_or_default();
            prop_assert_eq!(parse_hcl(got), Some(text.clone()), "{}: {:?}", key, got);
            prop_assert!(!got.contains("{{"));
        }
        let (key, value) = source["tags"].as_object().and_then(|t| t.iter().next()).expect("a tag");
        prop_assert_eq!((parse_hcl(key), parse_hcl(value.as_str().unwrap_or_default())), (Some(text.clone()), Some(text.clone())));
        let group = source["security_group_ids"][0].as_str().unwrap_or_default();
        prop_assert_eq!(parse_hcl(group), Some(text));
    }

    #[test]
    fn quoted_word_is_one_shell_word(text in special_texts()) {
        prop_assume!(!text.contains('\0'));
        let mut catalog = CATALOG.clone();
        let template = b"printf '%s.' @{ image }@\nprintf '%s' @{ image }@ @% for x in list %@@{ x }@@% endfor %@".to_vec();
        catalog.files.insert("t".to_owned(), template);
        let values = serde_json::json!({"image": text, "list": [text]});
        let script = render(&catalog, "t", Language::Shell, &values).expect("a script");
        let out = local::script_stdout(&script).expect("sh");
        prop_assert_eq!(String::from_utf8_lossy(&out), format!("{text}.{text}{text}"));
    }

    #[test]
    fn slack_message_respects_limits(text in special_texts(), longest in 0..4000usize, lines in 0..200usize) {
        let huge: String = text.chars().cycle().take(if text.is_empty() { 0 } else { longest }).collect();
        let values = Values {
            headline: huge.clone(),
            lines: vec![huge.clone(); lines],
            failures: vec![huge.clone(); lines],
            footer: huge,
        };
        assert_slack(&message(&CATALOG, &values).expect("a message"));
    }
}

/// Asserts the limits of Block Kit: 50 blocks, 3,000 characters in a section, 150 in a header, 1 to
/// 10 elements in a context.
fn assert_slack(message: &Value) {
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    for block in blocks {
        let kind = block["type"].as_str().unwrap_or_default();
        let texts: Vec<&str> = match kind {
            "context" => block["elements"]
                .as_array()
                .expect("elements")
                .iter()
                .filter_map(|e| e["text"].as_str())
                .collect(),
            _ => vec![block["text"]["text"].as_str().unwrap_or_default()],
        };
        for text in texts {
            let limit = if kind == "header" { 150 } else { 3000 };
            assert!(
                text.chars().count() <= limit,
                "{kind}: {} characters",
                text.chars().count()
            );
            let stray = text
                .replace("&amp;", "")
                .replace("&lt;", "")
                .replace("&gt;", "");
            assert!(!stray.contains(['<', '>', '&']), "{kind}: unescaped markup");
        }
    }
}

#[test]
fn longest_texts_fit_into_slack_message() {
    for (text, length) in [
        ("&", 5000),
        ("ä", 5000),
        ("<", 500),
        ("a", 120),
        ("\n", 700),
    ] {
        let long = text.repeat(length);
        for lines in [0, 1, 3, 200] {
            let values = Values {
                headline: long.clone(),
                lines: vec![long.clone(); lines],
                failures: vec![long.clone(); lines],
                footer: long.clone(),
            };
            assert_slack(&message(&CATALOG, &values).expect("a message"));
        }
    }
}

#[test]
fn undefined_variable_error_names_similar_variable() {
    let mut catalog = CATALOG.clone();
    catalog
        .files
        .insert("t".to_owned(), b"@{ imgae }@".to_vec());
    let error = render(
        &catalog,
        "t",
        Language::Shell,
        &serde_json::json!({"image": "x"}),
    )
    .expect_err("unknown")
    .to_string();
    assert!(
        error.contains("`imgae`") && error.contains("did you mean `image`?"),
        "{error}"
    );
    let missing = render(&catalog, "none", Language::Shell, &serde_json::json!({}))
        .expect_err("missing")
        .to_string();
    assert!(missing.contains("`none`"), "{missing}");
}

/// Text that neither HCL, a shell nor Ansible may expand.
const AWKWARD: &str = "it's $(id) ${HOME} {% x %}";

/// Returns an image with a playbook and a manifest, and its rendered files.
fn render_playbook_and_manifest() -> (Image, BTreeMap<String, Vec<u8>>) {
    let mut catalog = CATALOG.clone();
    let files = [
        "ansible/site.yaml",
        "puppet/modules/a/init.pp",
        "puppet/site.pp",
    ];
    catalog
        .files
        .extend(files.map(|f| (f.to_owned(), b"x".to_vec())));
    let values = BTreeMap::from([("greeting".to_owned(), AWKWARD.to_owned())]);
    let mut image = catalog.images[&ImageName::from("jdk")].clone();
    image.provision = vec![
        Provision::Ansible(Ansible {
            playbook: files[0].into(),
            files: vec![files[0].into()],
            links: BTreeMap::new(),
            vars: BTreeMap::from([("greeting".to_owned(), AWKWARD.into())]),
        }),
        Provision::Puppet(Puppet {
            manifest: files[2].into(),
            modules: Some("puppet/modules".into()),
            files: files[1..].iter().map(|f| (*f).to_owned()).collect(),
            facts: values,
        }),
    ];
    let rendered = render_files(&catalog, &image);
    (image, rendered)
}

#[test]
fn playbook_and_manifest_have_own_directories() {
    let (_, rendered) = render_playbook_and_manifest();
    let names: Vec<&str> = rendered
        .keys()
        .map(String::as_str)
        .filter(|n| n.contains("ansible") || n.contains("puppet"))
        .collect();
    assert_eq!(
        names,
        [
            "02-ansible-prepare.sh",
            "03-ansible/ansible.cfg",
            "03-ansible/files/ansible/site.yaml",
            "03-ansible/host_vars/127.0.0.1.json",
            "03-ansible/host_vars/::1.json",
            "03-ansible/host_vars/localhost.json",
            "03-ansible/job.json",
            "03-ansible/vars.yaml",
            "04-ansible.sh",
            "05-puppet/puppet/modules/a/init.pp",
            "05-puppet/puppet/site.pp",
            "06-puppet.sh",
        ]
    );
}

#[test]
fn packer_template_uploads_files_without_values() {
    let (_, rendered) = render_playbook_and_manifest();
    let packer: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
    let steps = packer["build"][0]["provisioner"]
        .as_array()
        .expect("provisioners");
    let play = steps[3]["shell-local"]["inline"][0]
        .as_str()
        .expect("a command");
    assert_eq!(
        play,
        "exec '/usr/bin/bakeline' play --folder 03-ansible --key 'key'"
    );
    assert_eq!(
        steps[6]["file"],
        serde_json::json!({"source": "05-puppet/", "destination": "/tmp/bakeline-05-puppet"})
    );
    assert!(!packer.to_string().contains("greeting"), "{packer}");
}

#[test]
fn puppet_fact_is_one_shell_word() {
    let (_, rendered) = render_playbook_and_manifest();
    let script = String::from_utf8_lossy(&rendered["06-puppet.sh"]).into_owned();
    let export = script
        .lines()
        .find(|l| l.starts_with("export FACTER_"))
        .expect("the fact");
    let out =
        local::script_stdout(&format!("{export}\nprintf %s \"$FACTER_greeting\"")).expect("sh");
    assert_eq!(String::from_utf8_lossy(&out), AWKWARD);
}

#[test]
fn update_of_a_base_image_may_reboot() {
    let rendered = render_files(&CATALOG, &CATALOG.images[&ImageName::from("jdk")]);
    let packer: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
    let steps = &packer["build"][0]["provisioner"];
    assert_eq!(steps[0]["shell"]["script"], "00-prepare.sh");
    assert_eq!(steps[0]["shell"]["expect_disconnect"], true);
    assert_eq!(steps[1]["shell"]["script"], "01-reboot.sh");
    assert_eq!(steps[1]["shell"]["pause_before"], "3s");
    assert_eq!(steps[2]["shell"].get("expect_disconnect"), None);
}

#[test]
fn templates_depend_on_the_provisioners() {
    let (image, _) = render_playbook_and_manifest();
    let templates = |image| {
        super::template_paths(image)
            .into_iter()
            .filter(|t| t.contains("puppet") || t.contains("ansible"))
            .count()
    };
    assert_eq!(templates(&image), 3);
    assert_eq!(
        templates(&Image {
            provision: Vec::new(),
            ..image.clone()
        }),
        0
    );
}

fn render_files(catalog: &Catalog, image: &Image) -> BTreeMap<String, Vec<u8>> {
    files(catalog, image, &run_values("key")).expect("a build")
}

#[test]
fn templates_cannot_read_environment_clock_or_files() {
    let mut catalog = CATALOG.clone();
    for code in [
        "get_env(name=\"HOME\")",
        "now()",
        "get_random(start=0, end=9)",
    ] {
        catalog
            .files
            .insert("t".to_owned(), format!("@{{ {code} }}@").into_bytes());
        assert!(
            render(&catalog, "t", Language::Shell, &serde_json::json!({})).is_err(),
            "{code}"
        );
    }
    catalog
        .files
        .insert("t".to_owned(), b"@% include \"/etc/passwd\" %@".to_vec());
    assert!(render(&catalog, "t", Language::Shell, &serde_json::json!({})).is_err());
}
