//! Owns the test that the sources keep the shape that ARCHITECTURE.md promises.

#![expect(clippy::disallowed_methods, reason = "tests read the sources")]

mod rules;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rules::{FILE, FUNCTION, cycle, differences, forbidden, imports, shape, table};
use source::{Source, read};

/// A file of the crate: where, as which module, and whether only tests see it.
struct Found {
    path: PathBuf,
    module: Vec<String>,
    tests: bool,
    source: Source,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Follows `mod` from a file on.
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

fn crate_files() -> Vec<Found> {
    let mut out = Vec::new();
    follow(root().join("src/lib.rs"), &[], false, &mut out);
    follow(root().join("src/main.rs"), &[], false, &mut out);
    out
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
    for file in crate_files()
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
    let mut wrong = Vec::new();
    for file in crate_files()
        .iter()
        .filter(|f| !f.tests && !f.module.is_empty())
    {
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
            .all(|m| crate_files().iter().any(|f| f.module == [*m])),
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
    let own = crate_files()
        .into_iter()
        .filter(|f| !f.tests && f.module.first().is_some_and(|m| m != "adapters"));
    let text = |path: &Path| std::fs::read_to_string(path).expect("a text");
    complain(
        &own.filter(|f| lifts(&text(&f.path)))
            .map(|f| f.path.display().to_string())
            .collect::<Vec<_>>(),
    );
}

#[test]
fn files_and_functions_are_small_and_say_what_they_own() {
    let mut files = BTreeSet::new();
    all_files(&root().join("src"), &mut files);
    all_files(&root().join("tests"), &mut files);
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
    all_files(&root().join("src"), &mut files);
    let wired: BTreeSet<PathBuf> = crate_files().into_iter().map(|f| f.path).collect();
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

/// The rules must be able to fail: each is shown something bad.
#[test]
fn paths_are_found_wherever_they_stand() {
    let found = |text: &str| {
        imports(
            &read(text, &["plan".to_owned(), "release".to_owned()]),
            "plan",
        )
    };
    let here = |names: &[&str]| {
        names
            .iter()
            .map(|n| (*n).to_owned())
            .collect::<BTreeSet<_>>()
    };
    for (text, names) in [
        ("use crate::engine::Engine;", &["engine"][..]),
        ("use crate::{model::Ami, steps};", &["model", "steps"]),
        ("use super::super::engine as e;", &["engine"]),
        ("use super::step;", &[]),
        (
            "fn f() -> crate::ui::X { crate::ports::y() }",
            &["ports", "ui"],
        ),
        ("impl crate::notify::N for X {}", &["notify"]),
        (
            "fn f() { g!(a, [crate::steps::x(\"crate::no\")]) }",
            &["steps"],
        ),
        ("#[derive(crate::cli::D)] struct X;", &["cli"]),
        (
            "mod inner { fn f() { super::super::super::error::g() } }",
            &["error"],
        ),
        (
            "pub(in crate::plan) fn f() { let crate::ui::T(_) = x; }",
            &["ui"],
        ),
        ("#[cfg(test)] mod tests { use crate::adapters::fake; }", &[]),
        ("#[cfg(test)] use crate::adapters::fake;", &[]),
    ] {
        assert_eq!(found(text), here(names), "{text}");
    }
}

#[test]
fn effects_are_found_and_adapters_may_have_them() {
    let named = |text: &str, module: &str| forbidden(&read(text, &[module.to_owned()]), module);
    for text in [
        "use std::{fs, fmt};",
        "fn f() { std::env::var(\"X\"); }",
        "use tokio::sync::Mutex;",
        "fn f() -> aws_sdk_ec2::Client {}",
        "fn f() { g!(std::net::UdpSocket::bind()) }",
        "use std::time::{Duration, SystemTime};",
        "use git2 as g;",
    ] {
        assert_eq!(named(text, "plan").len(), 1, "{text}");
        assert_eq!(named(text, "adapters").len(), 0, "{text}");
    }
    assert_eq!(
        named("use tokio::sync::Mutex; use std::fs;", "engine").len(),
        0
    );
    for text in [
        "use tokio::process::Command;",
        "use reqwest::Client;",
        "fn f() { std::process::Command::new(\"x\"); }",
        "use aws_config::X;",
    ] {
        assert_eq!(named(text, "engine").len(), 1, "{text}");
    }
    assert_eq!(
        named(
            "use std::fmt; use std::time::Duration; use filesystem::x;",
            "plan"
        )
        .len(),
        0
    );
}

#[test]
fn the_table_is_read_compared_and_searched_for_cycles() {
    let table = table("text\n```imports\na: b c\nb: c\nc:\n```\nmore");
    assert_eq!(cycle(&table), None);
    let actual = |c: &str| {
        BTreeMap::from([("a", "b c"), ("b", "c"), ("c", c)].map(|(m, i)| {
            (
                m.to_owned(),
                i.split_whitespace().map(str::to_owned).collect(),
            )
        }))
    };
    assert_eq!(differences(&table, &actual("")), Vec::<String>::new());
    assert_eq!(differences(&table, &actual("a")).len(), 1);
    assert!(cycle(&actual("a")).is_some());
    assert_eq!(
        differences(&table, &BTreeMap::new()).len(),
        3,
        "entries that nothing uses"
    );
}

#[test]
fn large_files_large_functions_and_silent_files_are_found() {
    let good = "//! Owns one thing of these.\n\nfn f() {\n    x();\n}\n";
    assert_eq!(shape(good), Vec::<String>::new());
    assert_eq!(shape(&good.replace("//! ", "// ")).len(), 1);
    assert_eq!(shape(&format!("{good}{}", "\n".repeat(FILE))).len(), 1);
    let long = format!(
        "//! Owns one thing of these.\n    pub(super) async fn f() {{\n{}    }}\n",
        "        x();\n".repeat(FUNCTION - 1)
    );
    assert_eq!(shape(&long).len(), 1);
    assert_eq!(
        shape(&long.replacen("        x();\n", "", 1)),
        Vec::<String>::new()
    );
}
