//! The program as scripts and people meet it, without cloud: exit codes, stdout for data only, facts from a file.

#![expect(
    clippy::disallowed_methods,
    reason = "a test makes catalogs of its own and runs the program"
)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

mod validate;
mod verdicts;

/// A catalog of a base image and a child, in a folder of its own.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let house = Self(TempDir::new().expect("a folder"));
        house.write("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n");
        house.write(
            "images/base.yaml",
            "source: {owner: amazon, name: debian-*}\nchecks:\n  - {file: /etc/motd}\n",
        );
        house.write("images/jdk.yaml", "parent: base\npackages: [jdk]\n");
        house
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program here, with an environment that holds nothing of this machine but PATH.
    fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeline"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path());
        let out = command
            .envs(variables.iter().copied())
            .current_dir(self.path())
            .args(arguments)
            .output()
            .expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Answer {
            code: out.status.code().expect("no signal"),
            out: text(out.stdout),
            err: text(out.stderr),
        }
    }

    /// Records a inventory with these AMIs and answers its file's name.
    fn inventory(&self, images: &[Value]) -> &'static str {
        let vendor = ami("ami-vendor", "debian-12", json!({}));
        let inventory = json!({
            "schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "123456789012", "caller": "me",
            "images": images, "sources": {"base": vendor}, "references": [],
        });
        self.write("inventory.json", &inventory.to_string());
        "inventory.json"
    }
}

struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    /// Fails with this code, says these words on stderr, and prints nothing that a script would take for data.
    #[track_caller]
    fn refuses(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.err);
        assert_eq!(self.out, "", "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in:\n{}", self.err);
        }
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("{e}:\n{}\n{}", self.out, self.err))
    }
}

fn ami(id: &str, name: &str, tags: Value) -> Value {
    json!({
        "id": id, "region": "eu-west-1", "name": name, "owner": "123456789012", "arch": "x86_64",
        "created": "2026-11-01T12:00:00Z", "status": "available", "root_device": "/dev/xvda", "snapshots": [], "tags": tags,
    })
}

fn base(id: &str, version: &str, current: &str, own: &str) -> Value {
    let tags = json!({
        "bakeline:schema": "1", "bakeline:catalog": "acme", "bakeline:self": own, "bakeline:image": "base",
        "bakeline:version": version, "bakeline:arch": "x86_64", "bakeline:state": "released", "bakeline:current": current,
        "Environment": "Test",
    });
    ami(id, &format!("acme/base/x86_64/{version}-run"), tags)
}

const HERE: &str = "Test=2026-11-03T00:00:00Z";

#[test]
fn help_names_every_command_and_exit_code_and_usage_errors_are_2() {
    let house = House::new();
    let help = house.run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for word in [
        "validate", "plan", "release", "promote", "latest", "list", "prune", "check", "sandbox",
        "schema",
    ] {
        assert!(help.out.contains(word), "{word}");
        // The sandbox answers for itself, out of a virtual environment that it would first make.
        if word != "sandbox" {
            let own = house.run(&[word, "--help"]);
            assert!(own.code == 0 && own.out.contains("Usage"), "{word}");
        }
    }
    for code in [
        "0 done",
        "1 input",
        "2 usage",
        "3 checks failed",
        "4 a build",
        "5 stuck",
        "6 not found",
        "7 refused",
        "130 interrupted",
    ] {
        assert!(help.out.contains(code), "{code}");
    }
    assert_eq!(
        house.run(&["--version"]).out,
        format!("bakeline {}\n", env!("CARGO_PKG_VERSION"))
    );
    house.run(&[]).refuses(2, &["Usage"]);
    house.run(&["relase"]).refuses(2, &["release"]);
    house
        .run(&["release", "--jobs", "0"])
        .refuses(2, &["1..=64"]);
    house.run(&["prune", "--keep", "0"]).refuses(2, &["keep"]);
    house.run(&["promote", "jdk"]).refuses(2, &["--to"]);
    house
        .run(&["promote", "--to", "Prod"])
        .refuses(2, &["IMAGES"]);
}

#[test]
fn a_link_out_of_the_repository_is_refused() {
    let (house, outside) = (House::new(), TempDir::new().expect("a folder"));
    fs::write(outside.path().join("secret"), "s3cr3t").expect("a file");
    std::os::unix::fs::symlink(outside.path().join("secret"), house.path().join("motd"))
        .expect("a link");
    house.write(
        "images/jdk.yaml",
        "parent: base\nfiles:\n  - {source: motd, destination: /etc/motd}\n",
    );
    let refused = house.run(&["validate"]);
    refused.refuses(1, &["images/jdk.yaml:3:", "motd"]);
    assert!(!refused.err.contains("s3cr3t"));
}

#[test]
fn latest_needs_an_environment_and_sound_names_and_says_nothing_on_stdout() {
    let house = House::new();
    house
        .run(&["latest", "jdk"])
        .refuses(2, &["no environment is given", "--env"]);
    house.run(&["latest"]).refuses(2, &["Usage"]);
    house
        .run(&["latest", "jdk", "--env", "Tset"])
        .refuses(1, &["did you mean `Test`?"]);
    house
        .run(&["latest", "JDK", "--env", "Test"])
        .refuses(2, &["`JDK` is not an image name", "lower-case"]);
    house
        .run(&["latest", "jdk", "--env", "Test", "--arch", "sparc"])
        .refuses(2, &["x86_64 or arm64"]);
    house
        .run(&["latest", "jdk", "--catalog", "a/b", "--env", "Test"])
        .refuses(2, &["not a catalog name"]);
    house
        .run(&["latest", "jdk", "--catalog", "acme", "--env", "Test"])
        .refuses(2, &["no Region", "AWS_REGION"]);
    let nowhere = House(TempDir::new().expect("a folder"));
    nowhere
        .run(&["latest", "jdk", "--env", "Test"])
        .refuses(1, &["--catalog"]);
}

#[cfg(not(feature = "live"))]
#[test]
fn without_the_cloud_every_way_there_gives_one_clear_error() {
    let house = House::new();
    let offline = ["without the feature `live`", "--inventory"];
    house
        .run(&["latest", "jdk", "--env", "Test"])
        .refuses(2, &offline);
    house
        .run_with(&["latest", "jdk"], &[("BAKELINE_ENV", "Test")])
        .refuses(2, &offline);
    house
        .run_with(
            &["latest", "jdk", "--catalog", "x", "--env", "Test"],
            &[("AWS_REGION", "eu-west-1")],
        )
        .refuses(2, &offline);
    for arguments in [
        &["list"][..],
        &["plan"],
        &["prune"],
        &["promote", "jdk", "--to", "Prod"],
    ] {
        house.run(arguments).refuses(2, &offline);
    }
}

#[test]
fn prune_and_plan_from_a_recorded_world() {
    let house = House::new();
    let all: Vec<Value> = (1..=5)
        .map(|n| {
            let id = format!("ami-{n}");
            base(
                &id,
                &format!("2026110{n}.1"),
                if n == 3 { HERE } else { "" },
                &id,
            )
        })
        .collect();
    let copy = base("ami-copy", "20261109.1", HERE, "ami-5");
    let inventory = house.inventory(&[all.clone(), vec![copy.clone()]].concat());
    let prune = house.run(&["prune", "--keep", "1", "--inventory", inventory]);
    assert_eq!(prune.code, 0, "{}", prune.err);
    assert!(
        prune.err.contains("left alone: ami-copy") && prune.err.contains("3 would go"),
        "{}",
        prune.err
    );
    let decided = house
        .run(&["prune", "--keep", "1", "--json", "--inventory", inventory])
        .json();
    let goes: Vec<&str> = decided
        .as_array()
        .expect("a list")
        .iter()
        .filter(|d| d["retire"] == true)
        .filter_map(|d| d["ami"].as_str())
        .collect();
    assert_eq!(
        goes,
        ["ami-4", "ami-2", "ami-1"],
        "newest first; neither the current, the newest nor the copy"
    );
    assert!(
        decided
            .as_array()
            .expect("a list")
            .iter()
            .all(|d| d["answers"].as_array().is_some_and(|a| a.len() >= 7))
    );
    // The same facts in another order print the same.
    let mut shuffled = [vec![copy], all].concat();
    shuffled.reverse();
    house.inventory(&shuffled);
    assert_eq!(
        house
            .run(&["prune", "--keep", "1", "--inventory", inventory])
            .out,
        prune.out
    );

    let plan = house.run(&["plan", "--inventory", inventory]);
    assert_eq!(plan.code, 0, "{}", plan.err);
    let words = [
        "base",
        "build",
        "20261122.1",
        "jdk",
        "base 20261122.1 of this run",
        "no released version yet",
    ];
    assert!(words.iter().all(|w| plan.out.contains(w)), "{}", plan.out);
    let steps = house
        .run(&["plan", "base", "--json", "--inventory", inventory])
        .json();
    assert!(
        steps["steps"]
            .as_array()
            .is_some_and(|s| s.len() == 10 && s.iter().all(|s| s["reason"] != "")),
        "{steps:#}"
    );
    house
        .run(&["plan", "jkd", "--inventory", inventory])
        .refuses(1, &["did you mean `jdk`?"]);
    house
        .run(&["prune", "--apply", "--inventory", inventory])
        .refuses(2, &["recorded world"]);
}

#[test]
fn a_place_that_could_not_be_read_is_said_and_nothing_is_called_missing() {
    let house = House::new();
    let mut inventory = json!({
        "schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "", "caller": "", "images": [],
        "unread": [[{"account": "222222222222", "region": "us-east-1"}, "no answer"]],
    });
    house.write("w.json", &inventory.to_string());
    let prune = house.run(&["prune", "--inventory", "w.json"]);
    assert!(
        prune.code == 0
            && prune
                .err
                .contains("warning: 222222222222.us-east-1 could not be read"),
        "{}",
        prune.err
    );
    let gone = ["retire", "gone", "--inventory", "w.json"];
    house.run(&gone).refuses(
        4,
        &["no AMI of `gone`, but could not be read: 222222222222.us-east-1 (no answer)"],
    );
    inventory["unread"] = json!([]);
    house.write("w.json", &inventory.to_string());
    house.run(&gone).refuses(6, &["no AMI of `gone`"]);
}

#[test]
fn a_world_that_is_none_is_refused_with_its_place() {
    let house = House::new();
    house.write("w.json", "{\n  \"schema\": 1,\n  \"tkaen\": 1\n}\n");
    house
        .run(&["plan", "--inventory", "w.json"])
        .refuses(1, &["w.json:3:", "not a recorded world", "tkaen"]);
    let inventory = json!({"schema": 9, "taken": "2026-11-22T12:00:00Z", "account": "", "caller": "", "images": []});
    house.write("w.json", &inventory.to_string());
    house
        .run(&["plan", "--inventory", "w.json"])
        .refuses(1, &["schema 9", "--save-inventory"]);
    house
        .run(&["plan", "--inventory", "none.json"])
        .refuses(1, &["none.json"]);
    let inventory = house.inventory(&[]);
    assert_eq!(
        house
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
        serde_json::from_slice::<Value>(&fs::read(house.path().join(name)).expect("a file"))
            .expect("JSON")
    };
    assert_eq!(
        read("copy.json")["images"],
        read("inventory.json")["images"],
        "what is saved can be replayed"
    );
}

#[test]
fn a_source_that_does_not_exist_blocks_the_plan() {
    let house = House::new();
    let inventory = json!({"schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "", "caller": "", "images": []});
    house.write("w.json", &inventory.to_string());
    let plan = house.run(&["plan", "--inventory", "w.json"]);
    assert_eq!(plan.code, 1);
    assert!(
        plan.out.contains("blocked") && plan.err.contains("source not found"),
        "{}{}",
        plan.out,
        plan.err
    );
}

#[test]
fn check_judges_a_root_file_system_by_the_images_and_its_parents_controls() {
    let house = House::new();
    house.write("root/etc/hostname", "x\n");
    let failed = house.run(&["check", "jdk", "--root", "root", "--json"]);
    assert_eq!(failed.code, 3, "{}", failed.err);
    assert_eq!(
        failed.json()["profiles"][0]["controls"][0]["outcome"],
        "failed"
    );
    house.write("root/etc/motd", "hello\n");
    let passed = house.run(&["check", "jdk", "--root", "root", "--json"]);
    assert_eq!(
        (
            passed.code,
            &passed.json()["profiles"][0]["controls"][0]["outcome"]
        ),
        (0, &json!("passed")),
        "{}",
        passed.err
    );
    assert!(
        house
            .run(&["check", "jdk", "--root", "root"])
            .out
            .contains("1 passed")
    );
    house
        .run(&["check", "jdk", "--root", "nowhere"])
        .refuses(1, &["nowhere"]);
    house
        .run(&["check", "jdk", "--root", "bakeline.yaml"])
        .refuses(1, &["not a folder"]);
    house
        .run(&["check", "jkd", "--root", "root"])
        .refuses(1, &["did you mean `jdk`?"]);
    house
        .run(&["check", "jdk", "--root", "root", "--phase", "later"])
        .refuses(2, &["build"]);
}
