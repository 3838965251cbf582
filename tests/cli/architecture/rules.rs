//! Rules for all source files. Each returns its violations.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Modules without access to runtime, clock, environment, network and files.
pub(super) const PURE: [&str; 10] = [
    "model",
    "diagnostic",
    "catalog",
    "platform",
    "checks",
    "provision",
    "render",
    "report",
    "plan",
    "lifecycle",
];
/// Names that pure modules must not use.
const EFFECTS: [&str; 14] = [
    "tokio",
    "tokio_util",
    "reqwest",
    "git2",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::time::SystemTime",
    "std::time::Instant",
];
/// Prefixes of the crates of the AWS SDK.
const SDK: [&str; 4] = ["aws_sdk_", "aws_config", "aws_smithy_", "aws_types"];
/// Names that only `adapters` may use.
const OUTSIDE: [&str; 6] = [
    "tokio::process",
    "tokio::fs",
    "reqwest",
    "git2",
    "std::time::SystemTime",
    "std::process::Command",
];
/// Lines of a file.
pub(super) const FILE: usize = 400;
/// Lines of a function.
pub(super) const FUNCTION: usize = 80;

/// The modules of this crate that a source names, and the names it takes from the crate's root itself.
pub(super) fn imports(source: &Source, own: &str) -> BTreeSet<String> {
    let inner = source.paths.iter().filter(|p| p[0] == "crate");
    inner
        .filter_map(|p| p.get(1))
        .filter(|m| *m != own)
        .cloned()
        .collect()
}

/// Paths that the module may not name.
pub(super) fn forbidden(source: &Source, module: &str) -> Vec<String> {
    let named = |list: &[&str]| -> Vec<String> {
        let paths = source.paths.iter().map(|p| p.join("::"));
        let is = |path: &str, what: &str| {
            path.strip_prefix(what)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        paths
            .filter(|p| SDK.iter().any(|s| p.starts_with(s)) || list.iter().any(|what| is(p, what)))
            .collect()
    };
    match module {
        "adapters" => Vec::new(),
        pure if PURE.contains(&pure) => named(&EFFECTS),
        _ => named(&OUTSIDE),
    }
}

/// The table of ARCHITECTURE.md's block `imports`: `module: those it may import`.
pub(super) fn table(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let block = document
        .split("```imports\n")
        .nth(1)
        .and_then(|rest| rest.split("\n```").next())
        .expect("a block ```imports");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    block
        .lines()
        .map(|line| line.split_once(':').expect("module: imports"))
        .map(|(m, i)| (m.trim().to_owned(), words(i)))
        .collect()
}

/// Imports beyond the table, and entries of the table that nothing uses.
pub(super) fn differences(
    table: &BTreeMap<String, BTreeSet<String>>,
    actual: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let none = BTreeSet::new();
    let modules: BTreeSet<&String> = table.keys().chain(actual.keys()).collect();
    let mut out = Vec::new();
    for module in modules {
        let (allowed, used) = (
            table.get(module).unwrap_or(&none),
            actual.get(module).unwrap_or(&none),
        );
        out.extend(
            used.difference(allowed)
                .map(|m| format!("{module} imports {m}, which the table does not allow")),
        );
        out.extend(
            allowed
                .difference(used)
                .map(|m| format!("{module} does not import {m}: drop it from the table")),
        );
        if !table.contains_key(module) {
            out.push(format!("{module} is not in the table"));
        }
    }
    out
}

/// A chain of imports that comes back to where it began.
pub(super) fn cycle(table: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(table: &BTreeMap<String, BTreeSet<String>>, trail: &mut Vec<String>) -> bool {
        let last = trail.last().cloned().unwrap_or_default();
        for next in table.get(&last).into_iter().flatten() {
            let seen = trail.contains(next);
            trail.push(next.clone());
            if seen || walk(table, trail) {
                return true;
            }
            trail.pop();
        }
        false
    }
    table.keys().find_map(|start| {
        let mut trail = vec![start.clone()];
        walk(table, &mut trail).then_some(trail)
    })
}

/// Returns violations of the limits for files and functions, and of the first line.
pub(super) fn shape(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > FILE {
        out.push(format!("{} lines, more than {FILE}", lines.len()));
    }
    let first = lines.first().copied().unwrap_or_default();
    if !(first.starts_with("//! ") && first.len() > 15) {
        out.push("it does not start with a `//! ` sentence".to_owned());
    }
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split_whitespace().collect();
        let is_fn = words.iter().position(|w| *w == "fn").is_some_and(|p| {
            words[..p]
                .iter()
                .all(|w| w.starts_with("pub") || *w == "async" || *w == "const")
        });
        if !is_fn {
            continue;
        }
        // As rustfmt leaves it, a function ends at the first brace that stands as far in as the function does.
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let one_line = code.ends_with('}') || code.ends_with(';');
        let length = if one_line {
            1
        } else {
            lines[at..]
                .iter()
                .position(|l| *l == end || l.trim_start().starts_with("fn ") && l.ends_with(';'))
                .map_or(1, |n| n + 1)
        };
        if length > FUNCTION {
            out.push(format!(
                "line {}: a function of {length} lines, more than {FUNCTION}",
                at + 1
            ));
        }
    }
    out
}
