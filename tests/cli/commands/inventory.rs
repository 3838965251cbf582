//! Tests commands that read a recorded inventory instead of the cloud.

use std::fs;

use serde_json::{Value, json};

use super::{TestCatalog, ami_json};

fn base_ami(id: &str, version: &str, current: &str, own: &str) -> Value {
    let tags = json!({
        "bakeline:schema": "1", "bakeline:catalog": "acme", "bakeline:self": own, "bakeline:image": "base",
        "bakeline:version": version, "bakeline:arch": "x86_64", "bakeline:state": "released", "bakeline:current": current,
        "Environment": "Test",
    });
    ami_json(id, &format!("acme/base/x86_64/{version}-run"), tags)
}

const CURRENT_IN_TEST: &str = "Test=2026-11-03T00:00:00Z";

/// Returns five AMIs of `base`. The third is current.
fn base_amis() -> Vec<Value> {
    (1..=5)
        .map(|n| {
            let id = format!("ami-{n}");
            let current = if n == 3 { CURRENT_IN_TEST } else { "" };
            base_ami(&id, &format!("2026110{n}.1"), current, &id)
        })
        .collect()
}

/// Returns a copy of the newest AMI of [`base_amis`].
fn base_ami_copy() -> Value {
    base_ami("ami-copy", "20261109.1", CURRENT_IN_TEST, "ami-5")
}

#[test]
fn prune_reads_recorded_inventory() {
    let catalog = TestCatalog::new();
    let (all, copy) = (base_amis(), base_ami_copy());
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
    catalog
        .run(&["prune", "--apply", "--inventory", inventory])
        .assert_fails(2, &["recorded facts"]);
}

#[test]
fn plan_reads_recorded_inventory() {
    let catalog = TestCatalog::new();
    let inventory = catalog.write_inventory(&[base_amis(), vec![base_ami_copy()]].concat());
    let plan = catalog.run(&["plan", "--inventory", inventory]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let texts = [
        "base",
        "build",
        "20261122.1",
        "jdk",
        "base 20261122.1 of this run",
        "no earlier released version",
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
    let inventory = json!({"schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "", "caller": "", "images": [], "sources": {"base": null}});
    catalog.write("w.json", &inventory.to_string());
    let plan = catalog.run(&["plan", "--inventory", "w.json"]);
    assert_eq!(plan.code, 1);
    assert!(
        plan.stdout.contains("source not found")
            && plan
                .stderr
                .contains("cannot build `base`: source not found"),
        "{}{}",
        plan.stdout,
        plan.stderr
    );
}

#[test]
fn plan_reports_source_that_the_inventory_lacks() {
    let catalog = TestCatalog::new();
    let inventory = catalog.write_inventory(&[]);
    catalog.write(
        "images/new.yaml",
        "source: {owner: amazon, name: debian-*}\n",
    );
    let plan = catalog.run(&["plan", "--inventory", inventory]);
    assert_eq!(plan.code, 1, "{}", plan.stderr);
    // The table is wrapped.
    let words: Vec<&str> = plan.stdout.split_whitespace().collect();
    let row = words.join(" ");
    let expected = "the inventory has no vendor AMI for `new`; record a new one with \
                    `bakeline plan --save-inventory FILE`";
    assert!(
        row.contains("new blocked - ") && row.contains(expected),
        "{row}"
    );
}
