//! Owns the test that docs/baselines.md lists the shipped profiles as they are, and that they leave out no control of
//! dev-sec's.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reads and, when asked to, writes the committed file; it says what it skips"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use bakeline::adapters::catalog_files::CatalogFiles;
use bakeline::checks::{Control, Facts, Group, Item, Outcome, Phase, Tree, judge};
use bakeline::model::ImageName;

const HEAD: &str = "# Baselines

<!-- Made of the profiles by `BAKELINE_BLESS=1 cargo test --no-default-features --test cli baselines`. -->

`profiles/linux-baseline.yaml` and `profiles/ssh-baseline.yaml` have the counterpart of each control of dev-sec's linux-baseline
2.10.0 and ssh-baseline 2.8.1, by the same id. `profiles/image-hygiene.yaml` is our own: what must be gone after the clean-up of
a build, and what must be there on an instance. The base images have all three, and every image inherits them.

**What differs from InSpec's verdicts** is named in the last column. Two differences are so common that they have a word:

* `kernel`: InSpec asks the kernel that runs, whoever's it is. In a chroot or a container that is the host's, and in a build it is
  not what an instance will have. Here what is *configured* counts always (every folder of sysctl.d, modprobe.d, fstab and mount
  units), and what is *running* where the kernel is the target's own. So a value that only happens to be the kernel's default is
  not enough, and one that is configured is enough where nobody can ask. Nor does being in a container excuse from anything else.
* `one file`: InSpec reads `/etc/ssh/sshd_config` (or `ssh_config`) and nothing that it includes, and takes an option that is not
  written there for absent. Here it is what `sshd -T` (`ssh -G`) says is in force: drop-ins count, and built-in defaults do, too.

The column *running* says for which the running system is asked as well.
";

const FOREIGN: &str = "
## What only a machine with a kernel of its own can judge

On the local EC2 instances are containers, so these expectations are *skipped* there, and so are the controls that have one of
them, unless what is configured fails already. On EC2 all are judged. The release of the shipped catalog on the local EC2 skips
just these for that reason.

";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The controls of the shipped base image, by the profile they are from.
fn shipped() -> BTreeMap<String, Vec<Control>> {
    let files = CatalogFiles::open(root()).expect("the repository");
    let (catalog, problems) = bakeline::catalog::load(&files);
    let catalog = catalog.unwrap_or_else(|| panic!("{problems:?}"));
    let name = ImageName::from("base-debian-13");
    let mut out: BTreeMap<String, Vec<Control>> = BTreeMap::new();
    for control in catalog.controls(&name) {
        out.entry(control.origin.name.clone())
            .or_default()
            .push(control.clone());
    }
    out
}

/// Resources and properties of a control that ask for the running kernel: what is skipped where it is somebody else's.
fn running(controls: &[Control]) -> Vec<(String, String, String)> {
    let facts = Facts::default();
    assert!(!facts.identity.kernel_owned && !facts.identity.directory);
    let controls: Vec<&Control> = controls.iter().collect();
    let mut out = BTreeSet::new();
    let mut order = Vec::new();
    for verdict in [Phase::Build, Phase::Boot]
        .into_iter()
        .flat_map(|phase| judge(&controls, &facts, phase))
    {
        for found in verdict.results {
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

fn resources(group: &Group, out: &mut Vec<String>) {
    for item in &group.items {
        match item {
            Item::Group(inner) => resources(inner, out),
            Item::Expect(expectation) => {
                let subject: String = expectation.target.subject.chars().take(48).collect();
                let shown = format!("`{} {subject}`", expectation.target.kind).replace('|', "\\|");
                if !out.contains(&shown) {
                    out.push(shown);
                }
            }
        }
    }
}

fn table(out: &mut String, controls: &[Control], of: &[(String, String, String)]) {
    out.push_str(
        "\n| id | title | resources | running | CIS | differs |\n|---|---|---|---|---|---|\n",
    );
    for control in controls {
        let mut shown = Vec::new();
        resources(&control.body, &mut shown);
        let tag = |name: &str| {
            control
                .tags
                .get(name)
                .and_then(Tree::text)
                .unwrap_or_default()
                .replace('|', "\\|")
        };
        let runs = if of.iter().any(|(id, ..)| *id == control.id) {
            "yes"
        } else {
            ""
        };
        let Control { id, title, .. } = control;
        let (cis, trap) = (tag("cis"), tag("trap"));
        writeln!(
            out,
            "| {id} | {title} | {} | {runs} | {cis} | {trap} |",
            shown.join(", ")
        )
        .expect("a text takes all");
    }
}

/// `BAKELINE_BLESS=1` writes it.
#[test]
fn the_table_of_baselines_is_up_to_date() {
    let profiles = shipped();
    let mut text = HEAD.to_owned();
    let mut foreign = String::from("| id | resource | expectation |\n|---|---|---|\n");
    for name in ["linux-baseline", "ssh-baseline", "image-hygiene"] {
        let controls = &profiles[name];
        let running = running(controls);
        write!(text, "\n## {name}: {} controls\n", controls.len()).expect("a text takes all");
        table(&mut text, controls, &running);
        for (id, resource, property) in running {
            writeln!(foreign, "| {id} | {resource} | {property} |").expect("a text takes all");
        }
    }
    text += FOREIGN;
    text += &foreign;
    let path = root().join("docs/baselines.md");
    if std::env::var_os("BAKELINE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("a written file");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/baselines.md is not up to date: run this test with BAKELINE_BLESS=1"
    );
}

#[test]
fn every_control_of_dev_sec_has_its_counterpart() {
    let reference = root().join("../shared/data/inspec-baseline-verdicts.json");
    let Ok(text) = std::fs::read_to_string(&reference) else {
        eprintln!("skipped: there is no {}", reference.display());
        return;
    };
    let reference: BTreeMap<String, Vec<serde_json::Value>> =
        serde_json::from_str(&text).expect("JSON");
    let profiles = shipped();
    for (name, theirs) in &reference {
        let theirs: Vec<&str> = theirs.iter().filter_map(|c| c["id"].as_str()).collect();
        let ours: Vec<&str> = profiles[name].iter().map(|c| c.id.as_str()).collect();
        assert_eq!(ours, theirs, "{name}");
    }
    let count: usize = reference.values().map(Vec::len).sum();
    assert_eq!(count, 59 + 71);
}

#[test]
fn what_asks_a_kernel_asks_its_configuration_too() {
    for control in shipped().values().flatten() {
        let mut all = Vec::new();
        fn each<'c>(group: &'c Group, out: &mut Vec<&'c bakeline::checks::Expectation>) {
            for item in &group.items {
                match item {
                    Item::Expect(e) => out.push(e),
                    Item::Group(g) => each(g, out),
                }
            }
        }
        each(&control.body, &mut all);
        for expectation in all {
            let asks = |property: &str| expectation.expect.contains_key(property);
            let id = &control.id;
            match expectation.target.kind.as_str() {
                "kernel_parameter" => assert!(asks("configured") && asks("running"), "{id}"),
                "kernel_module" => assert!(asks("disabled") || asks("blacklisted"), "{id}"),
                "mount" => assert!(asks("configured_options") || asks("configured"), "{id}"),
                _ => {}
            }
        }
    }
}
