//! Tests `bakeline init` and `bakeline new`.

use std::fs;

use super::{CommandResult, TestCatalog};

const CHOICES: [&str; 10] = [
    "init",
    "acme",
    "--region",
    "eu-central-1",
    "--region",
    "eu-west-1",
    "--account",
    "111111111111",
    "--prod-account",
    "222222222222",
];

/// Runs `init` with these arguments and more ones.
fn init(catalog: &TestCatalog, more: &[&str]) -> CommandResult {
    catalog.run(&[&CHOICES[..], more].concat())
}

#[test]
fn new_catalog_is_valid_and_has_the_choices() {
    let catalog = TestCatalog::new();
    let systems = ["debian-12", "ubuntu-24-04", "amazon-linux-2023", "rhel-9"];
    let flags: Vec<&str> = systems.iter().flat_map(|name| ["--os", name]).collect();
    let done = init(&catalog, &flags);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (0, ""),
        "{}",
        done.stderr
    );
    for command in [
        "cd acme",
        "bakeline validate",
        "bakeline plan",
        "bakeline release",
    ] {
        assert!(done.stderr.contains(command), "{command}: {}", done.stderr);
    }
    let valid = catalog.run(&["-C", "acme", "validate"]);
    assert_eq!(valid.stderr, "acme: 5 images, all valid\n");
    let settings = fs::read_to_string(catalog.path().join("acme/bakeline.yaml")).expect("settings");
    for value in [
        "eu-central-1, eu-west-1",
        "\"111111111111\"",
        "\"222222222222\"",
        "role/bakeline",
    ] {
        assert!(settings.contains(value), "{settings}");
    }
    // The comments show keys that exist.
    let uncommented = settings.replace("# notifiers:\n#   -", "notifiers:\n  -");
    let uncommented = uncommented
        .replace("# gates:", "gates:")
        .replace("# store:", "store:");
    let uncommented = uncommented.replace("bucket: NAME", "bucket: acme-store");
    assert_ne!(uncommented, settings);
    catalog.write("acme/bakeline.yaml", &uncommented);
    assert_eq!(
        catalog.run(&["-C", "acme", "validate"]).code,
        0,
        "{uncommented}"
    );
    assert_eq!(catalog.run(&["-C", "acme", "schema", "--check"]).code, 0);
}

#[test]
fn roles_are_in_the_partition_of_the_region() {
    let catalog = TestCatalog::new();
    let words = ["init", "acme", "--region", "cn-north-1", "--gitlab"];
    let more = ["--prod-account", "222222222222"];
    assert_eq!(catalog.run(&[&words[..], &more].concat()).code, 0);
    for path in ["acme/bakeline.yaml", "acme/.gitlab-ci.yml"] {
        let text = fs::read_to_string(catalog.path().join(path)).expect("file");
        assert!(
            text.contains("arn:aws-cn:iam::") && !text.contains("arn:aws:"),
            "{text}"
        );
    }
}

#[test]
fn pipeline_includes_the_component_with_the_roles() {
    let catalog = TestCatalog::new();
    init(&catalog, &[]);
    assert!(!catalog.path().join("acme/.gitlab-ci.yml").exists());
    fs::remove_dir_all(catalog.path().join("acme")).expect("removed");
    assert_eq!(init(&catalog, &["--gitlab"]).code, 0);
    let read = |path: &str| fs::read_to_string(catalog.path().join(path)).expect("file");
    let pipeline = read("acme/.gitlab-ci.yml");
    for role in ["read", "build", "promote", "prune"] {
        let arn = format!("arn:aws:iam::111111111111:role/bakeline-acme-{role}\n");
        assert!(pipeline.contains(&arn), "{pipeline}");
    }
    assert!(
        pipeline.contains("local: .gitlab/bakeline.yml"),
        "{pipeline}"
    );
    assert!(read("acme/.gitlab/bakeline.yml").contains("read_role:"));
}

#[test]
fn new_image_and_profile_are_valid() {
    let catalog = TestCatalog::new();
    let image = catalog.run(&["new", "image", "web", "--parent", "jdk"]);
    assert!(
        image.stderr.starts_with("wrote images/web.yaml\n")
            && image.stderr.contains("bakeline plan web"),
        "{}",
        image.stderr
    );
    let profile = catalog.run(&["new", "profile", "company"]);
    assert!(
        profile.stderr.contains("--profile company local"),
        "{}",
        profile.stderr
    );
    let more = "description: x\nparent: web\nprofiles: [company]\n";
    catalog.write("images/shop.yaml", more);
    assert_eq!(
        catalog.run(&["validate"]).stderr,
        "acme: 4 images, all valid\n"
    );
    let checked = catalog.run(&["check", "--profile", "company", "local"]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    // Nothing is overwritten.
    let web = fs::read_to_string(catalog.path().join("images/web.yaml")).expect("file");
    catalog
        .run(&["new", "image", "web", "--parent", "base"])
        .assert_fails(1, &["already has an image `web`"]);
    assert_eq!(
        fs::read_to_string(catalog.path().join("images/web.yaml")).expect("file"),
        web
    );
    catalog
        .run(&["new", "profile", "company"])
        .assert_fails(1, &["profiles/company.yaml already exists"]);
}

#[test]
fn invalid_new_files_are_refused() {
    let catalog = TestCatalog::new();
    for (words, code, message) in [
        (
            vec!["image", "web", "--parent", "bse"],
            1,
            "did you mean `base`?",
        ),
        (
            vec!["image", "Web", "--parent", "base"],
            2,
            "`Web` is not a valid name of an image",
        ),
        (vec!["image", "../x", "--parent", "base"], 2, "`../x`"),
        (vec!["image", "web"], 2, "--parent"),
        (
            vec!["profile", "ssh-baseline"],
            1,
            "`extends: [ssh-baseline]`",
        ),
        (
            vec!["profile", "a/b"],
            2,
            "`a/b` is not a valid name of a profile",
        ),
    ] {
        let words = [vec!["new"], words].concat();
        catalog.run(&words).assert_fails(code, &[message]);
    }
    assert!(!catalog.path().join("images/web.yaml").exists());
    catalog.write("images/jdk.yaml", "parent: nope\n");
    catalog
        .run(&["new", "image", "web", "--parent", "base"])
        .assert_fails(1, &["`nope`", "1 error"]);
}

#[test]
fn existing_files_are_kept() {
    let catalog = TestCatalog::new();
    for path in ["acme/bakeline.yaml", "acme/images/example.yaml"] {
        catalog.write(path, "mine\n");
        init(&catalog, &[]).assert_fails(1, &["already exist", path, "nothing was written"]);
        let text = fs::read_to_string(catalog.path().join(path)).expect("file");
        assert_eq!(text, "mine\n");
        fs::remove_file(catalog.path().join(path)).expect("removed");
        assert!(!catalog.path().join("acme/images/debian-13.yaml").exists());
    }
    // Settings for editors are optional: those of the user are kept.
    catalog.write("acme/.editorconfig", "root = true\n");
    let done = init(&catalog, &[]);
    assert!(
        done.stderr.contains("kept acme/.editorconfig"),
        "{}",
        done.stderr
    );
    let read = |path: &str| fs::read_to_string(catalog.path().join(path)).expect("file");
    assert_eq!(read("acme/.editorconfig"), "root = true\n");
    assert!(read("acme/.vscode/settings.json").contains("schema/image.schema.json"));
    assert!(read("acme/.gitignore").contains("/.bakeline/"));
}

#[test]
fn link_without_target_is_kept() {
    let catalog = TestCatalog::new();
    fs::create_dir(catalog.path().join("acme")).expect("directory");
    let link = catalog.path().join("acme/.gitlab-ci.yml");
    std::os::unix::fs::symlink("../elsewhere", link).expect("link");
    init(&catalog, &["--gitlab"]).assert_fails(1, &["acme/.gitlab-ci.yml already exists"]);
    assert!(!catalog.path().join("elsewhere").exists());
}

#[test]
fn failed_write_leaves_no_files() {
    let catalog = TestCatalog::new();
    // The schemas are written last.
    catalog.write("acme/schema", "a file\n");
    init(&catalog, &[]).assert_fails(4, &["cannot write a file", "acme/schema", "are removed"]);
    let left = fs::read_dir(catalog.path().join("acme")).expect("directory");
    let left: Vec<_> = left
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(left, ["schema"]);
}

#[test]
fn invalid_choices_are_refused_together() {
    let catalog = TestCatalog::new();
    let done = catalog.run(&[
        "init",
        "x",
        "--name",
        "Acme",
        "--region",
        "eu",
        "--account",
        "12",
    ]);
    done.assert_fails(2, &["`Acme`", "`eu`", "`12`", "account ID"]);
    init(&catalog, &["--os", "debain-12"])
        .assert_fails(2, &["debain-12", "did you mean `debian-12`?"]);
    init(&catalog, &["--os", "solaris"])
        .assert_fails(2, &["known systems: amazon-linux-2023, debian-12"]);
    catalog
        .run(&["init", "x"])
        .assert_fails(2, &["--region REGION", "--account", "without a terminal"]);
    init(&catalog, &["--region", "eu-west-1"]).assert_fails(2, &["`eu-west-1` is repeated"]);
    init(&catalog, &["--os", "debian-12", "--os", "debian-12"])
        .assert_fails(2, &["`debian-12` is repeated"]);
    catalog
        .run(&["init", "My_Images", "--region", "eu-west-1"])
        .assert_fails(2, &["`My_Images`", "--name NAME"]);
    assert!(!catalog.path().join("x").exists());
}

#[test]
fn unusual_place_of_a_catalog_is_a_warning() {
    let outer = TestCatalog::new();
    fs::create_dir(outer.path().join(".git")).expect("directory");
    let region = ["--region", "eu-wset-1"];
    let made = outer.run(&[&["init", "inner"], &region[..]].concat());
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(
        made.stderr
            .contains("warning: `eu-wset-1` is not an AWS Region")
            && made.stderr.contains("is a catalog, too"),
        "{}",
        made.stderr
    );
    let alone = tempfile::TempDir::new().expect("directory");
    let made = outer.run(&[
        "init",
        alone.path().to_str().expect("a text"),
        "--name",
        "acme",
        "--region",
        "eu-west-1",
    ]);
    assert!(!made.stderr.contains("warning"), "{}", made.stderr);
    let beside = format!(
        "../{}-next",
        outer.path().file_name().expect("a name").display()
    );
    let made = outer.run(&[
        "init",
        &beside,
        "--name",
        "acme",
        "--region",
        "eusc-de-east-1",
    ]);
    fs::remove_dir_all(outer.path().join(&beside)).expect("created");
    assert!(!made.stderr.contains("warning"), "{}", made.stderr);
    outer
        .run(&["init", "--name", "acme", "--region", "eu-west-1"])
        .assert_fails(1, &["bakeline new image NAME"]);
}
