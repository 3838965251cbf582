//! Tests `bakeline validate`: diagnostics, templates and expired waivers.

use std::fs;

use serde_json::json;

use super::TestCatalog;

#[test]
fn validate_reports_all_diagnostics() {
    let catalog = TestCatalog::new();
    let good = catalog.run(&["validate"]);
    assert_eq!(
        (good.code, good.stdout.as_str(), good.stderr.as_str()),
        (0, "", "acme: 2 images, all valid\n")
    );
    assert_eq!(catalog.run(&["validate", "--json"]).json(), json!([]));
    catalog.write("images/jdk.yaml", "parent: bse\npackges: [jdk]\n");
    let bad = catalog.run(&["validate", "--json"]);
    assert_eq!(bad.code, 1);
    let found = bad.json();
    let position = |i: usize| {
        (
            found[i]["place"]["file"].clone(),
            found[i]["place"]["line"].clone(),
        )
    };
    assert_eq!(
        (position(0), position(1)),
        (
            (json!("images/jdk.yaml"), json!(1)),
            (json!("images/jdk.yaml"), json!(2))
        ),
        "{found:#}"
    );
    catalog.run(&["validate"]).assert_fails(
        1,
        &["images/jdk.yaml:1:", "`base`", "`packages`", "2 errors"],
    );
    catalog
        .run(&["-C", "images", "validate"])
        .assert_fails(1, &["bakeline.yaml"]);
    catalog
        .run(&["-C", "nowhere", "validate"])
        .assert_fails(1, &["nowhere"]);
}

#[test]
fn validate_warns_about_misplaced_files() {
    let catalog = TestCatalog::new();
    for (path, text, place) in [
        ("web.yaml", "parent: base\n", "images/web.yaml"),
        ("image/web.yaml", "parent: base\n", "images/web.yaml"),
        ("profile/own.yaml", "checks: []\n", "profiles/own.yaml"),
        ("profiles/own.yml", "checks: []\n", "profiles/own.yaml"),
        (
            "template/provision/debian/harden.sh",
            "true\n",
            "templates/provision/debian/harden.sh",
        ),
    ] {
        catalog.write(path, text);
        let result = catalog.run(&["validate"]);
        let expected = [
            format!("warning[CAT117]: `{path}`"),
            format!("move it to {place}"),
        ];
        assert!(
            result.code == 0 && expected.iter().all(|text| result.stderr.contains(text)),
            "{path}: {}",
            result.stderr
        );
        fs::remove_file(catalog.path().join(path)).expect("the file");
    }
    // Files of other catalogs and tools.
    catalog.write("examples/web/bakeline.yaml", "name: other\n");
    catalog.write("examples/web/web.yaml", "parent: base\n");
    catalog.write(".github/web.yaml", "parent: base\n");
    catalog.write("compose.yaml", "services: {}\n");
    assert_eq!(
        catalog.run(&["validate"]).stderr,
        "acme: 2 images, all valid\n"
    );
}

#[test]
fn plan_warns_about_unset_webhook() {
    let catalog = TestCatalog::new();
    catalog.write(
        "bakeline.yaml",
        "name: acme\nregions: [eu-west-1]\nnotifiers: [{slack: {webhook_env: TEAM_HOOK}}]\n",
    );
    let words = ["plan", "--inventory", catalog.write_inventory(&[])];
    let unset = catalog.run(&words);
    assert!(
        unset.code == 0
            && unset.stderr.contains("warning: TEAM_HOOK is not set")
            && !unset.stderr.contains('\u{1b}'),
        "{}",
        unset.stderr
    );
    let set = catalog.run_with_env(&words, &[("TEAM_HOOK", "https://hooks.example/x")]);
    assert!(
        set.code == 0 && !set.stderr.contains("TEAM_HOOK"),
        "{}",
        set.stderr
    );
}

#[test]
fn validate_warns_about_expired_waiver() {
    let catalog = TestCatalog::new();
    let waiver = |expires: &str| {
        format!(
            "waivers:\n- {{control: \"file:/a\", justification: repaired soon, owner: web team, expires: {expires}}}\n"
        )
    };
    let image = |expires: &str| {
        format!(
            "source: {{ssm: /a}}\nchecks: [{{file: /a}}]\n{}",
            waiver(expires)
        )
    };
    catalog.write("images/web.yaml", &image("2021-02-28"));
    let result = catalog.run(&["validate"]);
    assert_eq!(result.code, 0, "{}", result.stderr);
    for word in [
        "CAT104",
        "images/web.yaml:4:",
        "expired on 2021-02-28",
        "web team",
    ] {
        assert!(result.stderr.contains(word), "{word}: {}", result.stderr);
    }
    catalog.write("images/web.yaml", &image("9021-02-28"));
    assert!(!catalog.run(&["validate"]).stderr.contains("CAT104"));
}

#[test]
fn validate_and_plan_report_template_errors() {
    let catalog = TestCatalog::new();
    catalog.write(
        "templates/provision/common/cleanup.sh",
        "echo @{ imgae }@\n",
    );
    catalog.run(&["validate"]).assert_fails(
        1,
        &[
            "TPL001",
            "templates/provision/common/cleanup.sh",
            "did you mean `image`?",
        ],
    );
    let inventory = catalog.write_inventory(&[]);
    catalog
        .run(&["plan", "--inventory", inventory])
        .assert_fails(1, &["imgae"]);
}

#[test]
fn typo_in_file_template_replaces_unused_variable() {
    let catalog = TestCatalog::new();
    let image = |variables: &str| {
        format!(
            "parent: base\nvariables: {{{variables}}}\n\
             files: [{{source: motd, destination: /etc/motd, template: true}}]\n"
        )
    };
    catalog.write("motd", "{{ greting }}\n");
    catalog.write("images/jdk.yaml", &image("greeting: Hello"));
    let inventory = catalog.write_inventory(&[]);
    for command in [&["validate"][..], &["plan", "--inventory", inventory]] {
        let result = catalog.run(command);
        let expected = ["TPL001", "motd:1:4", "did you mean `greeting`?", "1 error"];
        result.assert_fails(1, &expected);
        assert!(!result.stderr.contains("CAT112"), "{}", result.stderr);
    }
    catalog.write("motd", "{{ greeting }}\n");
    assert_eq!(catalog.run(&["validate"]).code, 0);
    catalog.write("images/jdk.yaml", &image("greeting: Hello, other: x"));
    for command in [&["validate"][..], &["plan", "--inventory", inventory]] {
        let expected = ["CAT112", "images/jdk.yaml:2:30", "1 error"];
        catalog.run(command).assert_fails(1, &expected);
    }
}

#[test]
fn help_for_file_template_names_the_readme() {
    let catalog = TestCatalog::new();
    catalog.write("motd", "{{ nothing }}\n");
    let files = "files: [{source: motd, destination: /etc/motd, template: true}]\n";
    catalog.write("images/jdk.yaml", &format!("parent: base\n{files}"));
    let result = catalog.run(&["validate"]);
    result.assert_fails(1, &["the page Variables and matrices of the documentation"]);
    assert!(!result.stderr.contains("CONTRIBUTING"), "{}", result.stderr);
}

#[test]
fn validate_warns_about_catalog_without_images() {
    let catalog = TestCatalog::new();
    std::fs::remove_dir_all(catalog.path().join("images")).expect("directory");
    let result = catalog.run(&["validate"]);
    assert_eq!((result.code, result.stdout.as_str()), (0, ""));
    for word in ["warning[CAT035]", "has no images", "images/NAME.yaml"] {
        assert!(result.stderr.contains(word), "{word}: {}", result.stderr);
    }
    assert!(!result.stderr.contains("valid"), "{}", result.stderr);
    let found = catalog.run(&["validate", "--json"]).json();
    assert_eq!(found[0]["code"], "CAT035", "{found:#}");
}

/// Path, line, severity and check of each entry of a code quality report.
fn findings(report: &serde_json::Value) -> Vec<(String, u64, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let entries = report.as_array().expect("list").iter();
    let entries = entries.map(|entry| {
        let place = &entry["location"];
        let line = place["lines"]["begin"].as_u64().expect("line");
        let (severity, check) = (text(&entry["severity"]), text(&entry["check_name"]));
        (text(&place["path"]), line, severity, check)
    });
    entries.collect()
}

#[test]
fn code_quality_report_names_file_and_line_in_repository() {
    let catalog = TestCatalog::new();
    let good = catalog.run(&["validate", "--format", "codequality"]);
    assert_eq!((good.code, good.json()), (0, json!([])));
    catalog.write("images/jdk.yaml", "# image\nparent: bse\npackges: [jdk]\n");
    let bad = catalog.run(&["validate", "--format", "codequality"]);
    assert_eq!(bad.code, 1);
    for word in ["images/jdk.yaml:2:", "did you mean `base`", "2 errors"] {
        assert!(bad.stderr.contains(word), "{word}: {}", bad.stderr);
    }
    let found = findings(&bad.json());
    assert_eq!(found.len(), 2, "{found:?}");
    for (line, (path, begin, severity, check)) in (2..).zip(&found) {
        assert_eq!((path.as_str(), *begin), ("images/jdk.yaml", line));
        assert!(
            severity == "critical" && check.starts_with("CAT"),
            "{found:?}"
        );
    }
    // In a folder of a repository, paths start at the top of the repository.
    for file in ["bakeline.yaml", "images/base.yaml", "images/jdk.yaml"] {
        let text = std::fs::read_to_string(catalog.path().join(file)).expect("file");
        catalog.write(&format!("teams/web/{file}"), &text);
    }
    catalog.write(".git/HEAD", "ref: refs/heads/main\n");
    let nested = catalog.run(&["-C", "teams/web", "validate", "--format", "codequality"]);
    assert_eq!(findings(&nested.json())[0].0, "teams/web/images/jdk.yaml");
}

#[test]
fn plan_is_a_code_quality_report() {
    let catalog = TestCatalog::new();
    let inventory = catalog.write_inventory(&[]);
    let plan = catalog.run(&["plan", "--inventory", inventory, "--format", "codequality"]);
    let found = findings(&plan.json());
    let expected = |file: &str| {
        let (severity, check) = ("info".to_owned(), "plan: build".to_owned());
        (file.to_owned(), 1, severity, check)
    };
    assert_eq!(
        found,
        [expected("images/base.yaml"), expected("images/jdk.yaml")]
    );
}

#[test]
fn fingerprints_are_unique_and_independent_of_lines() {
    let fingerprints = |text: &str| -> Vec<String> {
        let catalog = TestCatalog::new();
        catalog.write("images/jdk.yaml", text);
        let report = catalog.run(&["validate", "--format", "codequality"]).json();
        let entries = report.as_array().expect("list").iter();
        entries
            .map(|entry| entry["fingerprint"].as_str().expect("text").to_owned())
            .collect()
    };
    let repeated = "parent: base\nfiles:\n- {sorce: a}\n- {sorce: a}\n";
    let first = fingerprints(repeated);
    let unique: std::collections::BTreeSet<&String> = first.iter().collect();
    assert!(first.len() >= 2 && unique.len() == first.len(), "{first:?}");
    assert_eq!(fingerprints(&format!("# moved\n{repeated}")), first);
}
