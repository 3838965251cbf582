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

mod bases;
mod book;
mod catalog_directory;
mod init;
mod inventory;
mod program;
mod show;
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
        self.run_in("", arguments, variables)
    }

    /// Runs the program in a directory below the catalog.
    fn run_in(
        &self,
        directory: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> CommandResult {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeline"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path());
        let output = command
            .envs(variables.iter().copied())
            .current_dir(self.path().join(directory))
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
        .assert_fails(1, &["not a directory"]);
    catalog
        .run(&["check", "jkd", "--root", "root"])
        .assert_fails(1, &["did you mean `jdk`?"]);
    catalog
        .run(&["check", "jdk", "--root", "root", "--phase", "later"])
        .assert_fails(2, &["build"]);
}
