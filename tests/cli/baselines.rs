//! Tests that docs/reference/baselines.md is up to date and that the shipped profiles have all
//! controls of dev-sec.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests read the committed file and write it with BAKELINE_BLESS"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use bakeline::adapters::catalog_files::CatalogFiles;
use bakeline::checks::{
    Control, Facts, Group, Item, Outcome, Phase, Tree, Verdict, input_values, judge, parse_facts,
};
use bakeline::model::ImageName;

const HEAD: &str = "# Baselines

<!-- Generated from the profiles by
     `BAKELINE_BLESS=1 cargo test --no-default-features --test cli baselines`. -->

bakeline ships three profiles. The base images use all of them, and every image inherits them.

* `profiles/linux-baseline.yaml` has all controls of dev-sec linux-baseline 2.10.0, with the same IDs.
* `profiles/ssh-baseline.yaml` has all controls of dev-sec ssh-baseline 2.8.1, with the same IDs.
* `profiles/image-hygiene.yaml` is specific to bakeline. It checks the clean-up of a build and the
  state of a new instance.

The profiles apply to Debian, Ubuntu, Amazon Linux 2023, RHEL, Rocky Linux, AlmaLinux and CentOS
Stream. Values that differ between systems are inputs with `by_os` or `by_version`. You can set them:

| profile | inputs |
|---|---|
| linux-baseline | `shadow_group`, `shadow_mode` |
| ssh-baseline | `kex` (by version of OpenSSH), `syslog_facilities` |
| image-hygiene | `login_user`, `system_logins`, `ssh_service`, `selinux_modes` |

Controls that a system cannot meet are *skipped* with the reason, such as `DebianBanner` on Red Hat
systems, or SELinux and the crypto policy on Debian. The verdicts for Debian 12 and 13 come from
booted instances. The verdicts for the other systems come from recorded facts and from directories
with an rpm database, not from instances of these systems.

*Difference* tells where the verdict differs from that of InSpec. Two common ones have a keyword:

* `kernel`: InSpec reads the running kernel. In a chroot or a container, this is the kernel of the
  host. In a build, it is not the kernel of the later instance. bakeline always checks the
  *configured* value: all folders of sysctl.d and modprobe.d, fstab and mount units. It checks the
  *running* value only if the kernel belongs to the target. Otherwise, the control fails if the
  configured value is wrong and is skipped if it is right. A kernel default alone does not pass.
* `one file`: InSpec reads `/etc/ssh/sshd_config` (or `ssh_config`) without included files. An option
  that is not in this file is absent. bakeline uses the effective configuration that `sshd -T`
  (`ssh -G`) prints, with drop-ins and built-in defaults. The controls of root login, passwords and
  forwarding also fail if a `Match` block weakens their option.

*Running* marks controls that need the kernel of the target. The last section lists their expectations.
";

const FOREIGN: &str = "
## Expectations that need the kernel of the target

Instances of the local EC2 are containers, so these expectations are *skipped* there. A control with
such an expectation is skipped too, unless the configured value fails already. On EC2, bakeline
judges all of them.

";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the controls of the shipped base image by profile.
fn shipped_controls() -> BTreeMap<String, Vec<Control>> {
    let files = CatalogFiles::open(root()).expect("the repository");
    let (catalog, problems) = bakeline::catalog::load(&files);
    let catalog = catalog.unwrap_or_else(|| panic!("{problems:?}"));
    let name = ImageName::from("base-debian-13");
    let mut out: BTreeMap<String, Vec<Control>> = BTreeMap::new();
    for control in catalog.controls(&name) {
        out.entry(control.defined_at.name.clone())
            .or_default()
            .push(control.clone());
    }
    out
}

/// Lists control, resource and property of expectations that need the running kernel. They are
/// skipped if the kernel does not belong to the target.
fn kernel_expectations(controls: &[Control]) -> Vec<(String, String, String)> {
    let facts = Facts::default();
    assert!(!facts.identity.kernel_owned && !facts.identity.directory);
    let controls: Vec<&Control> = controls.iter().collect();
    let mut out = BTreeSet::new();
    let mut order = Vec::new();
    for verdict in [Phase::Build, Phase::Boot]
        .into_iter()
        .flat_map(|phase| judge(&controls, &facts, phase))
    {
        for found in verdict.findings {
            if found.outcome == Outcome::Skipped
                && found.message.contains("the kernel is not the target's own")
            {
                let row = (verdict.control.clone(), found.resource, found.property);
                if out.insert(row.clone()) {
                    order.push(row);
                }
            }
        }
    }
    order
}

/// Returns at most 48 characters of a subject. An ellipsis marks a shortened one.
fn shorten(subject: &str) -> String {
    match subject.char_indices().nth(48) {
        Some((end, _)) => format!("{}…", &subject[..end]),
        None => subject.to_owned(),
    }
}

fn collect_resources(group: &Group, out: &mut Vec<String>) {
    for item in &group.items {
        match item {
            Item::Group(inner) => collect_resources(inner, out),
            Item::Expect(expectation) => {
                let subject = shorten(&expectation.target.subject);
                let shown = format!("`{} {subject}`", expectation.target.kind).replace('|', "\\|");
                if !out.contains(&shown) {
                    out.push(shown);
                }
            }
        }
    }
}

fn write_table(out: &mut String, controls: &[Control], kernel: &[(String, String, String)]) {
    out.push_str("\n| ID | Control, resources, difference | CIS |\n|---|---|---|\n");
    for control in controls {
        let mut shown = Vec::new();
        collect_resources(&control.body, &mut shown);
        let tag = |name: &str| {
            control
                .tags
                .get(name)
                .and_then(Tree::text)
                .unwrap_or_default()
                .replace('|', "\\|")
        };
        let runs = if kernel.iter().any(|(id, ..)| *id == control.id) {
            " (*running*)"
        } else {
            ""
        };
        let Control { id, title, .. } = control;
        let cis = tag("cis");
        let difference = match tag("trap").as_str() {
            "" => String::new(),
            trap => format!("<br>Difference: {trap}"),
        };
        writeln!(
            out,
            "| {id} | {title}{runs}<br>{}{difference} | {cis} |",
            shown.join(", ")
        )
        .expect("write");
    }
}

/// Writes the file if `BAKELINE_BLESS` is set.
#[test]
fn baselines_page_is_up_to_date() {
    let profiles = shipped_controls();
    let mut text = HEAD.to_owned();
    let mut foreign = String::from("| ID | Resource | Expectation |\n|---|---|---|\n");
    for name in ["linux-baseline", "ssh-baseline", "image-hygiene"] {
        let controls = &profiles[name];
        let running = kernel_expectations(controls);
        write!(text, "\n## {name}: {} controls\n", controls.len()).expect("write");
        write_table(&mut text, controls, &running);
        for (id, resource, property) in running {
            writeln!(foreign, "| {id} | {resource} | {property} |").expect("write");
        }
    }
    text += FOREIGN;
    text += &foreign;
    let path = root().join("docs/reference/baselines.md");
    if std::env::var_os("BAKELINE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("write");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/reference/baselines.md is not up to date: run this test with BAKELINE_BLESS=1"
    );
}

#[test]
fn profiles_have_every_control_of_dev_sec() {
    let reference = root().join("../shared/data/inspec-baseline-verdicts.json");
    let Ok(text) = std::fs::read_to_string(&reference) else {
        eprintln!("skipped: {} does not exist", reference.display());
        return;
    };
    let reference: BTreeMap<String, Vec<serde_json::Value>> =
        serde_json::from_str(&text).expect("JSON");
    let profiles = shipped_controls();
    for (name, theirs) in &reference {
        let theirs: Vec<&str> = theirs.iter().filter_map(|c| c["id"].as_str()).collect();
        let ours: Vec<&str> = profiles[name].iter().map(|c| c.id.as_str()).collect();
        assert_eq!(ours, theirs, "{name}");
    }
    let count: usize = reference.values().map(Vec::len).sum();
    assert_eq!(count, 59 + 71);
}

#[test]
fn kernel_controls_also_check_the_configuration() {
    for control in shipped_controls().values().flatten() {
        let mut all = Vec::new();
        fn collect_expectations<'c>(
            group: &'c Group,
            out: &mut Vec<&'c bakeline::checks::Expectation>,
        ) {
            for item in &group.items {
                match item {
                    Item::Expect(e) => out.push(e),
                    Item::Group(g) => collect_expectations(g, out),
                }
            }
        }
        collect_expectations(&control.body, &mut all);
        for expectation in all {
            let checks = |property: &str| expectation.expect.contains_key(property);
            let id = &control.id;
            match expectation.target.kind.as_str() {
                "kernel_parameter" => assert!(checks("configured") && checks("running"), "{id}"),
                "kernel_module" => assert!(checks("disabled") || checks("blacklisted"), "{id}"),
                "mount" => assert!(checks("configured_options") || checks("configured"), "{id}"),
                _ => {}
            }
        }
    }
}

/// Returns facts with these readings of kind and text.
fn facts(readings: &[(&str, &str)]) -> Facts {
    let hex = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.bytes().map(|b| format!("{b:02x}")).collect::<String>()
        }
    };
    let mut out = String::from("\n");
    for (kind, text) in readings {
        writeln!(out, "n0nce {kind} - 0 - {} {}", text.len(), hex(text)).expect("write");
    }
    writeln!(out, "n0nce end {}", readings.len()).expect("write");
    parse_facts("n0nce", out.as_bytes()).expect("facts")
}

const DPKG: &str = "openssh-client\tamd64\tinstall ok installed\t1:9.6p1-3ubuntu13\topenssh\t\n";
const RPM: &str = "openssh-clients\tx86_64\tinstall ok installed\t9.9p1-7.el10\topenssh\t\n\
    crypto-policies\tnoarch\tinstall ok installed\t20240717-1\tcrypto-policies\t\n";

/// ID and ID_LIKE of each system, and the values of its inputs: login user, SSH unit, number of key
/// exchange algorithms, group of /etc/shadow.
const SYSTEMS: &[(&str, &str, [&str; 4])] = &[
    ("debian", "", ["admin", "ssh", "5", "shadow"]),
    ("ubuntu", "debian", ["ubuntu", "ssh", "5", "shadow"]),
    ("amzn", "fedora", ["ec2-user", "sshd", "6", "root"]),
    ("rhel", "fedora", ["ec2-user", "sshd", "6", "root"]),
    (
        "rocky",
        "rhel centos fedora",
        ["rocky", "sshd", "6", "root"],
    ),
    (
        "almalinux",
        "rhel centos fedora",
        ["ec2-user", "sshd", "6", "root"],
    ),
    ("centos", "rhel fedora", ["ec2-user", "sshd", "6", "root"]),
];

fn facts_of(id: &str, like: &str, more: &[(&str, &str)]) -> Facts {
    let (manager, packages) = match like {
        "" | "debian" => ("dpkg", DPKG),
        _ => ("rpm", RPM),
    };
    let release = format!("ID=\"{id}\"\nID_LIKE=\"{like}\"\n");
    let base = [
        ("identity", "uid=0\nkernel_owned=yes\n"),
        ("os-release", release.as_str()),
        ("package_manager", manager),
        ("packages", packages),
    ];
    facts(&[base.as_slice(), more].concat())
}

#[test]
fn inputs_fit_each_operating_system() {
    let profiles = shipped_controls();
    for (id, like, expected) in SYSTEMS {
        let facts = facts_of(id, like, &[]);
        let value = |profile: &str, name: &str| {
            profiles[profile]
                .iter()
                .flat_map(|control| input_values(&control.inputs, &facts))
                .find(|input| input.name == name)
                .and_then(|input| input.value)
                .unwrap_or_else(|| panic!("{profile} has no value of {name} on {id}"))
        };
        let found = [
            value("image-hygiene", "login_user").scalar_text(),
            value("image-hygiene", "ssh_service").scalar_text(),
            Some(value("ssh-baseline", "kex").items().len().to_string()),
            value("linux-baseline", "shadow_group").scalar_text(),
        ];
        assert_eq!(found, expected.map(|text| Some(text.to_owned())), "{id}");
    }
}

#[test]
fn controls_of_other_systems_are_skipped() {
    let profiles = shipped_controls();
    let selinux = [
        (
            "selinux_config",
            "SELINUX=permissive\nSELINUXTYPE=targeted\n",
        ),
        ("selinux_boot", ""),
        ("selinux_mode", "permissive"),
    ];
    for (id, like, _) in SYSTEMS {
        let is_debian = ["", "debian"].contains(like);
        let facts = facts_of(id, like, &selinux);
        let outcome = |profile: &str, name: &str| {
            let controls: Vec<&Control> =
                profiles[profile].iter().filter(|c| c.id == name).collect();
            let verdicts: Vec<Verdict> = judge(&controls, &facts, Phase::Boot);
            verdicts[0].outcome
        };
        for (profile, name) in [
            ("ssh-baseline", "sshd-47"),
            ("image-hygiene", "session-umask"),
        ] {
            assert_eq!(
                outcome(profile, name) == Outcome::Skipped,
                !is_debian,
                "{id} {name}"
            );
        }
        for name in ["session-umask-red-hat", "crypto-policy"] {
            let skipped = outcome("image-hygiene", name) == Outcome::Skipped;
            assert_eq!(skipped, is_debian, "{id} {name}");
        }
        let expected = match (is_debian, *id) {
            (true, _) => Outcome::Skipped,
            (false, "amzn") => Outcome::Passed,
            _ => Outcome::Failed,
        };
        assert_eq!(outcome("image-hygiene", "selinux"), expected, "{id}");
    }
}
