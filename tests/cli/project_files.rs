//! Tests that the files of the project that no program reads during tests agree with each other.

#![expect(clippy::disallowed_methods, reason = "the tests read the project")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn pipeline_checks_the_declared_rust_version() {
    let manifest = read("Cargo.toml");
    let (_, version) = manifest
        .split_once("\nrust-version = \"")
        .expect("a version");
    let (version, _) = version.split_once('"').expect("its end");
    let image = format!("image: rust:{version}-bookworm");
    let pipeline = read(".gitlab-ci.yml");
    let (_, job) = pipeline.split_once("\nmsrv:\n").expect("a job");
    let (job, _) = job.split_once("\n\n").expect("its end");
    assert!(job.contains(&image), "{job}");
    assert!(
        job.contains("cargo check --locked --no-default-features"),
        "{job}"
    );
}

#[test]
fn paths_with_owners_exist() {
    let owners = read(".gitlab/CODEOWNERS");
    let paths = owners
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.strip_prefix('/'));
    let paths: Vec<&str> = paths.collect();
    assert!(paths.len() > 5, "{owners}");
    for path in paths {
        assert!(
            root().join(path).exists(),
            "/{path} of CODEOWNERS does not exist"
        );
    }
}

/// Folders without shell scripts of the project.
const SKIPPED: [&str; 3] = ["target", "node_modules", ".venv"];

fn collect_scripts(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_hidden = name.starts_with('.') && name != ".ci";
        if path.is_symlink() || is_hidden || SKIPPED.contains(&name.as_ref()) {
            continue;
        }
        if path.is_dir() {
            collect_scripts(&path, out);
        } else if is_shell(&path) {
            out.push(path);
        }
    }
}

fn is_shell(path: &Path) -> bool {
    let start = fs::read(path).unwrap_or_default();
    let first = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    path.extension().is_some_and(|end| end == "sh")
        || first.starts_with("#!") && (first.ends_with("/sh") || first.ends_with("bash"))
}

#[test]
fn every_shell_script_is_linted() {
    let lint = read("scripts/shellcheck.sh");
    let mut scripts = Vec::new();
    collect_scripts(root(), &mut scripts);
    assert!(scripts.len() > 60, "{scripts:?}");
    for script in scripts {
        let path = script.strip_prefix(root()).expect("a path of the project");
        let path = path.to_str().expect("UTF-8");
        let folder = path.split('/').next().unwrap_or_default();
        let is_named = lint.contains(&format!(" {path} "))
            || path.ends_with(".sh") && lint.contains(&format!("'{folder}/*.sh'"));
        assert!(is_named, "scripts/shellcheck.sh does not check {path}");
    }
}

#[test]
fn documents_name_artifacts_of_this_version() {
    let name = regex::Regex::new(r"bakeline[-_:](\d+\.\d+\.\d+)").expect("a valid pattern");
    for path in ["README.md", "docs/install.md"] {
        let text = read(path);
        let versions: Vec<&str> = name
            .captures_iter(&text)
            .map(|found| found.get(1).expect("a version").as_str())
            .collect();
        assert!(!versions.is_empty(), "{path}");
        for version in versions {
            assert_eq!(version, env!("CARGO_PKG_VERSION"), "{path}");
        }
    }
}
