//! Tests that the sources have the structure that ARCHITECTURE.md describes.

#![expect(clippy::disallowed_methods, reason = "tests read the sources")]

mod cycles;
mod detection;
mod invariants;
mod permissions;
mod rules;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rules::{cycle, differences, forbidden, imports, shape, table};
use source::{Source, read};

/// A source file with its module. The module of a file in `crates/checks` starts with `checks`.
struct Found {
    path: PathBuf,
    module: Vec<String>,
    tests: bool,
    source: Source,
}

/// Packages of the workspace that the import table lists as modules.
const CRATES: [&str; 3] = ["checks", "diagnostic", "platform"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Follows the `mod` declarations, starting from a file.
fn follow(path: PathBuf, module: &[String], tests: bool, out: &mut Vec<Found>) {
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let source = read(&text, module);
    let folder = match path.file_stem().and_then(|s| s.to_str()) {
        Some("lib" | "main" | "mod") => path.parent().expect("a folder").to_owned(),
        _ => path.with_extension(""),
    };
    for (name, named, for_tests) in &source.children {
        let below = [module, std::slice::from_ref(name)].concat();
        let beside = path.parent().expect("a folder");
        let candidates = match named {
            Some(file) => vec![beside.join(file)],
            None => vec![
                folder.join(format!("{name}.rs")),
                folder.join(name).join("mod.rs"),
            ],
        };
        let file = candidates
            .into_iter()
            .find(|p| p.is_file())
            .unwrap_or_else(|| panic!("no file for {below:?}"));
        follow(file, &below, tests || *for_tests, out);
    }
    out.push(Found {
        path,
        module: module.to_vec(),
        tests,
        source,
    });
}

/// Files of all packages, with paths as if each package were a module of bakeline.
static CRATE_FILES: LazyLock<Vec<Found>> = LazyLock::new(|| {
    let mut out = Vec::new();
    follow(root().join("src/lib.rs"), &[], false, &mut out);
    follow(root().join("src/main.rs"), &[], false, &mut out);
    for name in CRATES {
        let mut files = Vec::new();
        let lib = root().join("crates").join(name).join("src/lib.rs");
        follow(lib, &[], false, &mut files);
        out.extend(files.into_iter().map(|file| as_module(file, name)));
    }
    for file in &mut out {
        file.source.resolve_packages(&CRATES);
    }
    out
});

/// Moves a file of a package below the module `name`.
fn as_module(mut file: Found, name: &str) -> Found {
    file.module.insert(0, name.to_owned());
    file.source.nest(name);
    file
}

/// Returns the folders with the sources of all packages.
fn source_folders() -> Vec<PathBuf> {
    let crates = CRATES.map(|name| root().join("crates").join(name).join("src"));
    std::iter::once(root().join("src")).chain(crates).collect()
}

fn all_files(folder: &Path, out: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.insert(path);
        }
    }
}

fn complain(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_import_what_the_table_allows_and_nothing_else() {
    let document =
        std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut actual: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in CRATE_FILES
        .iter()
        .filter(|f| !f.tests && !f.module.is_empty())
    {
        actual
            .entry(file.module[0].clone())
            .or_default()
            .extend(imports(&file.source, &file.module[0]));
    }
    let table = table(&document);
    complain(&differences(&table, &actual));
    assert_eq!(cycle(&table), None);
}

#[test]
fn pure_modules_name_nothing_that_acts_and_only_adapters_name_the_outside() {
    let files = &*CRATE_FILES;
    let mut wrong = Vec::new();
    for file in files.iter().filter(|f| !f.tests && !f.module.is_empty()) {
        wrong.extend(
            forbidden(&file.source, &file.module[0])
                .iter()
                .map(|p| format!("{} names {p}", file.path.display())),
        );
    }
    complain(&wrong);
    assert!(
        rules::PURE
            .iter()
            .all(|m| files.iter().any(|f| f.module == [*m])),
        "every pure module exists"
    );
}

/// clippy bans clock, environment, files and processes; the ban may be lifted in adapters (and in tests) only.
#[test]
fn only_adapters_lift_the_ban_on_effects() {
    let lifts = |text: &str| {
        text.lines()
            .any(|l| l.trim_start().starts_with("#") && l.contains("disallowed_methods"))
    };
    assert!(lifts("#[expect(clippy::disallowed_methods)]") && !lifts("// disallowed_methods"));
    let own = CRATE_FILES
        .iter()
        .filter(|f| !f.tests && f.module.first().is_some_and(|m| m != "adapters"));
    let text = |path: &Path| std::fs::read_to_string(path).expect("a text");
    complain(
        &own.filter(|f| lifts(&text(&f.path)))
            .map(|f| f.path.display().to_string())
            .collect::<Vec<_>>(),
    );
}

/// Largest import cycle, in files.
const LARGEST_CYCLE: usize = 3;

#[test]
fn import_cycles_stay_small() {
    let mut wrong = Vec::new();
    for cycle in cycles::cycles(&CRATE_FILES) {
        let names: Vec<&Path> = cycle
            .iter()
            .map(|path| path.strip_prefix(root()).unwrap_or(path))
            .collect();
        if names.len() > LARGEST_CYCLE {
            wrong.push(format!(
                "{} files import each other, more than {LARGEST_CYCLE}: {names:?}",
                names.len(),
            ));
        }
    }
    complain(&wrong);
}

#[test]
fn files_and_functions_are_small_and_say_what_they_own() {
    let mut files = BTreeSet::new();
    for folder in source_folders().iter().chain([&root().join("tests")]) {
        all_files(folder, &mut files);
    }
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a text");
        wrong.extend(
            shape(&text)
                .into_iter()
                .map(|w| format!("{}: {w}", path.display())),
        );
    }
    complain(&wrong);
}

#[test]
fn every_file_is_wired() {
    let mut files = BTreeSet::new();
    for folder in source_folders() {
        all_files(&folder, &mut files);
    }
    let wired: BTreeSet<PathBuf> = CRATE_FILES.iter().map(|f| f.path.clone()).collect();
    complain(
        &files
            .difference(&wired)
            .map(|p| format!("{} is in no module", p.display()))
            .collect::<Vec<_>>(),
    );
    let mut out = Vec::new();
    follow(root().join("tests/cli/main.rs"), &[], true, &mut out);
    let wired: BTreeSet<PathBuf> = out.into_iter().map(|f| f.path).collect();
    let mut files = BTreeSet::new();
    all_files(&root().join("tests/cli"), &mut files);
    complain(
        &files
            .difference(&wired)
            .map(|p| format!("{} is in no module", p.display()))
            .collect::<Vec<_>>(),
    );
}
