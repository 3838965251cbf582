//! Tests that the rules of the architecture detect violations in small sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::rules::{FILE, FUNCTION, cycle, differences, forbidden, imports, shape, table};
use super::source::read;
use super::{Found, cycles};

#[test]
fn cycles_are_found_through_any_path() {
    let file = |module: &[&str], text: &str| {
        let module: Vec<String> = module.iter().map(|m| (*m).to_owned()).collect();
        let source = read(text, &module);
        let path = PathBuf::from(module.join("/"));
        Found {
            path,
            module,
            tests: false,
            source,
        }
    };
    let found = |texts: [&str; 3]| -> Vec<usize> {
        let files = [
            file(&["a"], texts[0]),
            file(&["a", "b"], texts[1]),
            file(&["c"], texts[2]),
        ];
        cycles::cycles(&files).iter().map(Vec::len).collect()
    };
    assert_eq!(found(["mod b;", "use super::X;", ""]), Vec::<usize>::new());
    assert_eq!(found(["mod b; pub use b::Y;", "use super::X;", ""]), [2]);
    assert_eq!(
        found(["", "fn f() { crate::c::g() }", "use crate::a::b::h;"]),
        [2]
    );
    assert_eq!(
        found(["use crate::c::X;", "use super::X;", "use crate::a::b;"]),
        [3]
    );
    assert_eq!(
        found([
            "",
            "use crate::c::X;",
            "#[cfg(test)] mod tests { use crate::a::b::h; }"
        ]),
        Vec::<usize>::new()
    );
}

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
