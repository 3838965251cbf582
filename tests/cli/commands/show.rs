//! Tests `bakeline show`: values of an image with their origins, and shipped files.

use serde_json::json;

use super::TestCatalog;

/// Catalog with values in each place that can set one.
fn layered_catalog() -> TestCatalog {
    let catalog = TestCatalog::new();
    catalog.write(
        "bakeline.yaml",
        "name: acme\nregions: [eu-west-1]\nmax_age: 30d\n\
         builder: {instance_type: m7i.large, subnet: subnet-0123456789abcdef0, tags: {Team: a}}\n",
    );
    catalog.write(
        "images/base.yaml",
        "source: {owner: amazon, name: debian-*}\nvolumes: [{device: root, size: 20}]\n\
         packages: [curl]\ntags: {Role: base}\nchecks: [{file: /etc/motd}]\n",
    );
    catalog.write(
        "images/jdk.yaml",
        "parent: base\npackages: [jdk]\nbuilder: {public_address: true}\n",
    );
    catalog
}

#[test]
fn show_prints_inherited_and_shared_values_with_origins() {
    let catalog = layered_catalog();
    let shown = catalog.run(&["show", "image", "jdk"]);
    assert_eq!(
        shown.stdout,
        "\
# jdk < base (images/jdk.yaml)
arch: x86_64  # default
builder.instance_type: m7i.large  # bakeline.yaml:4:26
builder.public_address: true  # images/jdk.yaml:3:27
builder.subnet: subnet-0123456789abcdef0  # bakeline.yaml:4:45
builder.tags:  # bakeline.yaml:4:77
  Team: a
environment: Prod  # default
login_user: admin  # default
max_age: \"30d\"  # bakeline.yaml:3:10
packages:  # images/jdk.yaml:2:11
  - jdk
parent: base  # images/jdk.yaml:1:9
platform: debian  # default
rebase_after: 10  # default
# inherited from base:
#   checks:  # images/base.yaml:5:9
#     - {\"file\":\"/etc/motd\"}
#   packages:  # images/base.yaml:3:11
#     - curl
#   volumes:  # images/base.yaml:2:10
#     - {\"device\":\"root\",\"size\":20}
",
        "{}",
        shown.stderr
    );
    let json = catalog.run(&["show", "image", "jdk", "--json"]).json();
    assert_eq!(
        json["inherited"][0]["values"]["packages"],
        json!({"value": ["curl"], "origin": "images/base.yaml:3:11"})
    );
    assert_eq!(json["inherited"][0]["image"], "base");
    let base = catalog.run(&["show", "image", "base", "--json"]).json();
    assert_eq!(base["inherited"], json!([]));
}

#[test]
fn show_prints_default_type_of_other_architecture() {
    let catalog = layered_catalog();
    let base = "source: {owner: amazon, name: debian-*}\narch: arm64\n";
    catalog.write("images/base.yaml", base);
    let line = |expected: &str| {
        let shown = catalog.run(&["show", "image", "jdk"]);
        let lines: Vec<&str> = shown.stdout.lines().collect();
        assert!(lines.contains(&expected), "{}", shown.stdout);
    };
    line("builder.instance_type: t4g.small  # default");
    catalog.write(
        "bakeline.yaml",
        "name: acme\nregions: [eu-west-1]\nbuilder: {instance_types: [m7i.large, m7g.large]}\n",
    );
    line("builder.instance_type: m7g.large  # bakeline.yaml:3:39");
}

#[test]
fn shipped_files_are_listed_and_printed() {
    let catalog = TestCatalog::new();
    let profile = "profiles/ssh-baseline.yaml";
    let shipped = include_str!("../../../profiles/ssh-baseline.yaml");
    let list = catalog.run(&["show", "files"]).stdout;
    for path in [profile, "templates/packer/amazon-ebs.pkr.json"] {
        assert!(list.contains(path), "{list}");
    }
    assert_eq!(catalog.run(&["show", "file", profile]).stdout, shipped);
    catalog.write(profile, "title: Mine\nchecks: []\n");
    let files = catalog.run(&["show", "files", "--json"]).json();
    let replaced = |one: &&serde_json::Value| one["overridden"] == json!(true);
    let found: Vec<_> = files
        .as_array()
        .expect("list")
        .iter()
        .filter(replaced)
        .collect();
    assert_eq!(found, [&json!({"path": profile, "overridden": true})]);
    let own = catalog.run(&["show", "file", profile]).stdout;
    assert!(own.starts_with("title: Mine"), "{own}");
    assert_eq!(
        catalog.run(&["show", "file", profile, "--shipped"]).stdout,
        shipped
    );
    catalog
        .run(&["show", "file", "profiles/ssh-baselin.yaml"])
        .assert_fails(6, &["did you mean `profiles/ssh-baseline.yaml`?"]);
}

#[test]
fn file_that_replaces_no_template_is_a_warning() {
    let catalog = TestCatalog::new();
    catalog.write("templates/provision/debian/harden.sh", "true\n");
    assert_eq!(
        catalog.run(&["validate"]).stderr,
        "acme: 2 images, all valid\n"
    );
    catalog.write("templates/provision/debian/hardenx.sh", "true\n");
    let done = catalog.run(&["validate"]);
    assert_eq!(done.code, 0);
    for text in [
        "CAT116",
        "hardenx.sh` replaces no",
        "`templates/provision/debian/harden.sh`?",
    ] {
        assert!(done.stderr.contains(text), "{}", done.stderr);
    }
}
