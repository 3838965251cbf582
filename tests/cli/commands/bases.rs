//! Tests the catalog of base images in `examples/bases`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// Directory of the catalog.
const BASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bases");

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bakeline"))
        .args(["-C", BASES])
        .args(arguments)
        .output()
        .expect("output");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Returns the text of each image file by its name without `.yaml`.
fn files() -> BTreeMap<String, String> {
    let entries = fs::read_dir(Path::new(BASES).join("images")).expect("a directory");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().expect("a name").to_string_lossy();
            let text = fs::read_to_string(&path).expect("a file");
            (stem.into_owned(), text)
        })
        .collect()
}

#[test]
fn example_bases_are_valid() {
    let validate = run(&["validate"]);
    let expected = "bases: 9 images, all valid\n".to_owned();
    assert_eq!(validate, (Some(0), String::new(), expected));
}

#[test]
fn example_bases_have_platform_and_citation() {
    let expected = BTreeMap::from([
        ("amazon-linux-2023", "amazon-linux"),
        ("debian-12", "debian"),
        ("debian-13", "debian"),
        ("rhel-9", "rhel"),
        ("rocky-10", "rhel"),
        ("rocky-9", "rhel"),
        ("ubuntu-22-04", "ubuntu"),
        ("ubuntu-24-04", "ubuntu"),
        ("ubuntu-26-04", "ubuntu"),
    ]);
    let files = files();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, expected.keys().copied().collect::<Vec<_>>());
    let readme = fs::read_to_string(Path::new(BASES).join("README.md")).expect("a file");
    for (name, platform) in expected {
        let (code, stdout, stderr) = run(&["show", "image", name, "--json"]);
        assert_eq!(code, Some(0), "{stderr}");
        let shown: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!(shown["values"]["platform"]["value"], platform, "{name}");
        let source = &shown["values"]["source"]["value"];
        let owner = source["owner"].as_str().unwrap_or_default();
        let is_account = owner.len() == 12 && owner.bytes().all(|b| b.is_ascii_digit());
        let parameter = source["ssm"].as_str().unwrap_or_default();
        let is_public = parameter.starts_with("/aws/service/");
        assert!(is_account || is_public, "{name}: {source}");
        assert!(files[name].contains("# ") && files[name].contains("https://"));
        assert!(readme.contains(&format!("| `{name}.yaml` | `{platform}` |")));
    }
}

#[test]
fn copied_example_bases_are_valid_and_find_their_schema() {
    let readme = fs::read_to_string(Path::new(BASES).join("README.md")).expect("a file");
    let (_, rest) = readme.split_once("```yaml\n").expect("a bakeline.yaml");
    let (settings, _) = rest.split_once("```").expect("the end");
    let catalog = super::TestCatalog(tempfile::TempDir::new().expect("directory"));
    catalog.write("bakeline.yaml", settings);
    assert_eq!(catalog.run(&["schema"]).code, 0);
    for (name, text) in files() {
        let image = format!("images/{name}.yaml");
        catalog.write(&image, &text);
        let (_, schema) = text.split_once("$schema=").expect("a schema");
        let schema = schema.lines().next().unwrap_or_default();
        let path = catalog.path().join("images").join(schema);
        assert!(path.exists(), "{image}: {schema}");
    }
    let validate = catalog.run(&["validate"]);
    assert_eq!(
        (validate.code, validate.stderr.as_str()),
        (0, "acme: 9 images, all valid\n")
    );
}
