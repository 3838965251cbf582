//! Runs the program without AWS: exit codes, stdout for data only, inventories from a file.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests create catalogs and run the program"
)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

mod validate;
mod verdicts;

/// A temporary directory with a catalog of a base image and a child.
struct TestCatalog(TempDir);

impl TestCatalog {
    fn new() -> Self {
        let catalog = Self(TempDir::new().expect("directory"));
        catalog.write("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n");
        catalog.write(
            "images/base.yaml",
            "source: {owner: amazon, name: debian-*}\nchecks:\n  - {file: /etc/motd}\n",
        );
        catalog.write("images/jdk.yaml", "parent: base\npackages: [jdk]\n");
        catalog
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("directory")).expect("directory");
        fs::write(path, text).expect("file");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program in the catalog. Its environment contains only PATH and HOME.
    fn run(&self, arguments: &[&str]) -> CommandResult {
        self.run_with_env(arguments, &[])
    }

    fn run_with_env(&self, arguments: &[&str], variables: &[(&str, &str)]) -> CommandResult {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeline"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path());
        let output = command
            .envs(variables.iter().copied())
            .current_dir(self.path())
            .args(arguments)
            .output()
            .expect("output");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        CommandResult {
            code: output.status.code().expect("no signal"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Writes an inventory with these AMIs and returns its file name.
    fn write_inventory(&self, images: &[Value]) -> &'static str {
        let vendor = ami_json("ami-vendor", "debian-12", json!({}));
        let inventory = json!({
            "schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "123456789012", "caller": "me",
            "images": images, "sources": {"base": vendor}, "references": [],
        });
        self.write("inventory.json", &inventory.to_string());
        "inventory.json"
    }
}

/// Exit code and output of the program.
struct CommandResult {
    code: i32,
    stdout: String,
    stderr: String,
}

impl CommandResult {
    /// Asserts the exit code, these texts on stderr, and an empty stdout.
    #[track_caller]
    fn assert_fails(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert_eq!(self.stdout, "", "{}", self.stderr);
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "no {text:?} in:\n{}",
                self.stderr
            );
        }
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}:\n{}\n{}", self.stdout, self.stderr))
    }
}

fn ami_json(id: &str, name: &str, tags: Value) -> Value {
    json!({
        "id": id, "region": "eu-west-1", "name": name, "owner": "123456789012", "arch": "x86_64",
        "created": "2026-11-01T12:00:00Z", "status": "available", "root_device": "/dev/xvda", "snapshots": [], "tags": tags,
    })
}

fn base_ami(id: &str, version: &str, current: &str, own: &str) -> Value {
    let tags = json!({
        "bakeline:schema": "1", "bakeline:catalog": "acme", "bakeline:self": own, "bakeline:image": "base",
        "bakeline:version": version, "bakeline:arch": "x86_64", "bakeline:state": "released", "bakeline:current": current,
        "Environment": "Test",
    });
    ami_json(id, &format!("acme/base/x86_64/{version}-run"), tags)
}

const CURRENT_IN_TEST: &str = "Test=2026-11-03T00:00:00Z";

#[test]
fn help_lists_commands_and_exit_codes() {
    let catalog = TestCatalog::new();
    let help = catalog.run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for word in [
        "validate", "plan", "release", "promote", "latest", "list", "prune", "check", "sandbox",
        "schema",
    ] {
        assert!(help.stdout.contains(word), "{word}");
        // `sandbox` would create its virtual environment first.
        if word != "sandbox" {
            let own = catalog.run(&[word, "--help"]);
            assert!(own.code == 0 && own.stdout.contains("Usage"), "{word}");
        }
    }
    for code in [
        "0    success",
        "1    invalid input",
        "2    invalid usage",
        "3    checks failed",
        "4    a build or cloud step failed",
        "5    stuck",
        "6    not found",
        "7    refused",
        "130  interrupted",
    ] {
        assert!(help.stdout.contains(code), "{code}");
    }
    assert_eq!(
        catalog.run(&["--version"]).stdout,
        format!("bakeline {}\n", env!("CARGO_PKG_VERSION"))
    );
    catalog.run(&[]).assert_fails(2, &["Usage"]);
    catalog.run(&["relase"]).assert_fails(2, &["release"]);
    catalog
        .run(&["release", "--jobs", "0"])
        .assert_fails(2, &["1..=64"]);
    catalog
        .run(&["prune", "--keep", "0"])
        .assert_fails(2, &["keep"]);
    catalog.run(&["promote", "jdk"]).assert_fails(2, &["--to"]);
    catalog
        .run(&["promote", "--to", "Prod"])
        .assert_fails(2, &["IMAGES"]);
}

#[test]
fn symlink_out_of_catalog_is_refused() {
    let (catalog, outside) = (TestCatalog::new(), TempDir::new().expect("directory"));
    fs::write(outside.path().join("secret"), "s3cr3t").expect("file");
    std::os::unix::fs::symlink(outside.path().join("secret"), catalog.path().join("motd"))
        .expect("symlink");
    catalog.write(
        "images/jdk.yaml",
        "parent: base\nfiles:\n  - {source: motd, destination: /etc/motd}\n",
    );
    let refused = catalog.run(&["validate"]);
    refused.assert_fails(1, &["images/jdk.yaml:3:", "motd"]);
    assert!(!refused.stderr.contains("s3cr3t"));
}

#[test]
fn latest_rejects_missing_environment_and_invalid_names() {
    let catalog = TestCatalog::new();
    catalog
        .run(&["latest", "jdk"])
        .assert_fails(2, &["the environment is missing", "--env"]);
    catalog.run(&["latest"]).assert_fails(2, &["Usage"]);
    catalog
        .run(&["latest", "jdk", "--env", "Tset"])
        .assert_fails(1, &["did you mean `Test`?"]);
    catalog
        .run(&["latest", "JDK", "--env", "Test"])
        .assert_fails(2, &["`JDK` is not an image name", "lower-case"]);
    catalog
        .run(&["latest", "jdk", "--env", "Test", "--arch", "sparc"])
        .assert_fails(2, &["x86_64 or arm64"]);
    catalog
        .run(&["latest", "jdk", "--catalog", "a/b", "--env", "Test"])
        .assert_fails(2, &["not a catalog name"]);
    catalog
        .run(&["latest", "jdk", "--catalog", "acme", "--env", "Test"])
        .assert_fails(2, &["the Region is missing", "AWS_REGION"]);
    let empty = TestCatalog(TempDir::new().expect("directory"));
    empty
        .run(&["latest", "jdk", "--env", "Test"])
        .assert_fails(1, &["--catalog"]);
}

#[cfg(not(feature = "live"))]
#[test]
fn build_without_live_feature_reports_one_error() {
    let catalog = TestCatalog::new();
    let offline = ["without the feature `live`", "--inventory"];
    catalog
        .run(&["latest", "jdk", "--env", "Test"])
        .assert_fails(2, &offline);
    catalog
        .run_with_env(&["latest", "jdk"], &[("BAKELINE_ENV", "Test")])
        .assert_fails(2, &offline);
    catalog
        .run_with_env(
            &["latest", "jdk", "--catalog", "x", "--env", "Test"],
            &[("AWS_REGION", "eu-west-1")],
        )
        .assert_fails(2, &offline);
    for arguments in [
        &["list"][..],
        &["plan"],
        &["prune"],
        &["promote", "jdk", "--to", "Prod"],
    ] {
        catalog.run(arguments).assert_fails(2, &offline);
    }
}

#[test]
fn prune_and_plan_read_recorded_inventory() {
    let catalog = TestCatalog::new();
    let all: Vec<Value> = (1..=5)
        .map(|n| {
            let id = format!("ami-{n}");
            base_ami(
                &id,
                &format!("2026110{n}.1"),
                if n == 3 { CURRENT_IN_TEST } else { "" },
                &id,
            )
        })
        .collect();
    let copy = base_ami("ami-copy", "20261109.1", CURRENT_IN_TEST, "ami-5");
    let inventory = catalog.write_inventory(&[all.clone(), vec![copy.clone()]].concat());
    let prune = catalog.run(&["prune", "--keep", "1", "--inventory", inventory]);
    assert_eq!(prune.code, 0, "{}", prune.stderr);
    assert!(
        prune.stderr.contains("ignored: ami-copy") && prune.stderr.contains("3 AMIs would move"),
        "{}",
        prune.stderr
    );
    let decisions = catalog
        .run(&["prune", "--keep", "1", "--json", "--inventory", inventory])
        .json();
    let retired: Vec<&str> = decisions
        .as_array()
        .expect("array")
        .iter()
        .filter(|d| d["retire"] == true)
        .filter_map(|d| d["ami"].as_str())
        .collect();
    assert_eq!(
        retired,
        ["ami-4", "ami-2", "ami-1"],
        "newest first, without the current AMI, the newest one and the copy"
    );
    assert!(
        decisions
            .as_array()
            .expect("array")
            .iter()
            .all(|d| d["answers"].as_array().is_some_and(|a| a.len() >= 7))
    );
    // The order of the facts does not change the output.
    let mut shuffled = [vec![copy], all].concat();
    shuffled.reverse();
    catalog.write_inventory(&shuffled);
    assert_eq!(
        catalog
            .run(&["prune", "--keep", "1", "--inventory", inventory])
            .stdout,
        prune.stdout
    );

    let plan = catalog.run(&["plan", "--inventory", inventory]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let texts = [
        "base",
        "build",
        "20261122.1",
        "jdk",
        "base 20261122.1 of this run",
        "no released version yet",
    ];
    assert!(
        texts.iter().all(|w| plan.stdout.contains(w)),
        "{}",
        plan.stdout
    );
    let steps = catalog
        .run(&["plan", "base", "--json", "--inventory", inventory])
        .json();
    assert!(
        steps["steps"]
            .as_array()
            .is_some_and(|s| s.len() == 10 && s.iter().all(|s| s["reason"] != "")),
        "{steps:#}"
    );
    catalog
        .run(&["plan", "jkd", "--inventory", inventory])
        .assert_fails(1, &["did you mean `jdk`?"]);
    catalog
        .run(&["prune", "--apply", "--inventory", inventory])
        .assert_fails(2, &["recorded facts"]);
}

#[test]
fn unreadable_location_is_reported_instead_of_missing_amis() {
    let catalog = TestCatalog::new();
    let mut inventory = json!({
        "schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "", "caller": "", "images": [],
        "unread": [[{"account": "222222222222", "region": "us-east-1"}, "no answer"]],
    });
    catalog.write("w.json", &inventory.to_string());
    let prune = catalog.run(&["prune", "--inventory", "w.json"]);
    assert!(
        prune.code == 0
            && prune
                .stderr
                .contains("warning: 222222222222.us-east-1 could not be read"),
        "{}",
        prune.stderr
    );
    let gone = ["retire", "gone", "--inventory", "w.json"];
    catalog.run(&gone).assert_fails(
        4,
        &["no AMI of `gone`; cannot read: 222222222222.us-east-1 (no answer)"],
    );
    inventory["unread"] = json!([]);
    catalog.write("w.json", &inventory.to_string());
    catalog.run(&gone).assert_fails(6, &["no AMI of `gone`"]);
}

#[test]
fn invalid_inventory_is_refused_with_its_position() {
    let catalog = TestCatalog::new();
    catalog.write("w.json", "{\n  \"schema\": 1,\n  \"tkaen\": 1\n}\n");
    catalog
        .run(&["plan", "--inventory", "w.json"])
        .assert_fails(1, &["w.json:3:", "not a recorded inventory", "tkaen"]);
    let inventory = json!({"schema": 9, "taken": "2026-11-22T12:00:00Z", "account": "", "caller": "", "images": []});
    catalog.write("w.json", &inventory.to_string());
    catalog
        .run(&["plan", "--inventory", "w.json"])
        .assert_fails(1, &["schema 9", "--save-inventory"]);
    catalog
        .run(&["plan", "--inventory", "none.json"])
        .assert_fails(1, &["none.json"]);
    let inventory = catalog.write_inventory(&[]);
    assert_eq!(
        catalog
            .run(&[
                "plan",
                "--inventory",
                inventory,
                "--save-inventory",
                "copy.json"
            ])
            .code,
        0
    );
    let read = |name: &str| {
        serde_json::from_slice::<Value>(&fs::read(catalog.path().join(name)).expect("file"))
            .expect("JSON")
    };
    assert_eq!(
        read("copy.json")["images"],
        read("inventory.json")["images"],
        "a saved inventory can be read again"
    );
}

#[test]
fn plan_blocks_when_source_is_missing() {
    let catalog = TestCatalog::new();
    let inventory = json!({"schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "", "caller": "", "images": []});
    catalog.write("w.json", &inventory.to_string());
    let plan = catalog.run(&["plan", "--inventory", "w.json"]);
    assert_eq!(plan.code, 1);
    assert!(
        plan.stdout.contains("blocked") && plan.stderr.contains("source not found"),
        "{}{}",
        plan.stdout,
        plan.stderr
    );
}

#[test]
fn check_applies_controls_of_image_and_parent_to_root() {
    let catalog = TestCatalog::new();
    catalog.write("root/etc/hostname", "x\n");
    let failed = catalog.run(&["check", "jdk", "--root", "root", "--json"]);
    assert_eq!(failed.code, 3, "{}", failed.stderr);
    assert_eq!(
        failed.json()["profiles"][0]["controls"][0]["outcome"],
        "failed"
    );
    catalog.write("root/etc/motd", "hello\n");
    let passed = catalog.run(&["check", "jdk", "--root", "root", "--json"]);
    assert_eq!(
        (
            passed.code,
            &passed.json()["profiles"][0]["controls"][0]["outcome"]
        ),
        (0, &json!("passed")),
        "{}",
        passed.stderr
    );
    assert!(
        catalog
            .run(&["check", "jdk", "--root", "root"])
            .stdout
            .contains("1 passed")
    );
    catalog
        .run(&["check", "jdk", "--root", "nowhere"])
        .assert_fails(1, &["nowhere"]);
    catalog
        .run(&["check", "jdk", "--root", "bakeline.yaml"])
        .assert_fails(1, &["not a folder"]);
    catalog
        .run(&["check", "jkd", "--root", "root"])
        .assert_fails(1, &["did you mean `jdk`?"]);
    catalog
        .run(&["check", "jdk", "--root", "root", "--phase", "later"])
        .assert_fails(2, &["build"]);
}
