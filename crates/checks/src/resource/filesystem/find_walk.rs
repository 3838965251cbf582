//! Builds the find(1) calls of searches. Searches with the same start directory share one walk.

use std::collections::BTreeMap;

use crate::resource_type::{RequestedResource, ResourceRef};
use crate::text::{hex, sh_quote};

/// Returns the key of a walk that several searches share.
pub(super) fn walk_key(target: &ResourceRef) -> String {
    let shared = ["max_depth", "one_file_system", "exclude"]
        .map(|name| target.parameter(name, "").replace('\n', ":"));
    format!("{} {}", target.subject, shared.join(" "))
}

/// Returns the key of a search within its walk.
pub(super) fn search_key(target: &ResourceRef) -> String {
    let key = ["name", "type", "perm_any", "perm_all", "nouser", "nogroup"]
        .map(|name| target.parameter(name, ""))
        .join("\t");
    // Keys without this parameter are those of facts from versions that do not have it.
    match target.parameter("line_matches", "") {
        "" => key,
        pattern => format!("{key}\t{pattern}"),
    }
}

/// Searches of one walk, each with its target. True if owner, group or mode are needed.
type Searches<'a> = BTreeMap<String, (&'a ResourceRef, bool)>;

pub(super) fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let mut walks: BTreeMap<String, (&ResourceRef, Searches<'_>)> = BTreeMap::new();
    for one in asked {
        let (_, searches) = walks
            .entry(walk_key(one.target))
            .or_insert_with(|| (one.target, BTreeMap::new()));
        let (_, states) = searches
            .entry(search_key(one.target))
            .or_insert((one.target, false));
        *states |= one.properties.iter().any(|p| p != "paths");
    }
    walks
        .iter()
        .map(|(key, (first, searches))| walk_call(key, first, searches))
        .collect()
}

/// Builds the collector call of one walk.
///
/// Options of find beyond POSIX (`-mindepth`, `-maxdepth`, `-H` with `.`) exist in GNU findutils
/// and busybox. `printf` writes the number of the search, the path, and NUL.
fn walk_call(
    key: &str,
    first: &ResourceRef,
    searches: &BTreeMap<String, (&ResourceRef, bool)>,
) -> String {
    let header = searches
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n")
        + "\0";
    let mut words: Vec<String> = vec!["-mindepth".into(), "1".into()];
    let mut add = |new: &[&str]| words.extend(new.iter().map(|w| (*w).to_owned()));
    if let depth @ 1.. = first.parameter("max_depth", "0").parse().unwrap_or(0_u32) {
        add(&["-maxdepth", &depth.to_string()]);
    }
    if first.parameter("one_file_system", "true") == "true" {
        add(&["-xdev"]);
    }
    let pruned = excluded_patterns(first);
    if !pruned.is_empty() {
        add(&["("]);
        for (i, path) in pruned.iter().enumerate() {
            add(if i == 0 { &[] } else { &["-o"] });
            add(&["-path", path]);
        }
        add(&[")", "-prune", "-o"]);
    }
    for (i, (target, states)) in searches.values().enumerate() {
        add(&["("]);
        find_tests(target).iter().for_each(|word| add(&[word]));
        add(&["-exec", "printf", &format!("{i}%s\\000"), "{}", "+"]);
        if *states {
            add(&["-exec", "stat", "-c", &format!("{i} %f %u %g"), "{}", "+"]);
        }
        // The expression is always true, so find also runs the next search.
        add(&["-o", "-type", "f", "-o", "!", "-type", "f", ")"]);
    }
    let words: Vec<String> = words.iter().map(|word| sh_quote(word)).collect();
    format!(
        "walk {} {} {} {}",
        hex(key.as_bytes()),
        sh_quote(&first.subject),
        hex(header.as_bytes()),
        words.join(" ")
    )
}

/// Returns the excluded paths as patterns below `.`.
fn excluded_patterns(target: &ResourceRef) -> Vec<String> {
    let start = target.subject.trim_end_matches('/');
    let mut out: Vec<String> = Vec::new();
    if start.is_empty() {
        out.extend(["./proc", "./sys", "./dev", "./run"].map(str::to_owned));
    }
    for path in target.parameter("exclude", "").lines() {
        if let Some(below) = path
            .strip_prefix(start)
            .filter(|below| below.starts_with('/') && below.len() > 1)
        {
            let plain = |c: char| {
                if "*?[]\\".contains(c) {
                    format!("\\{c}")
                } else {
                    c.to_string()
                }
            };
            out.push(format!(".{}", below.chars().map(plain).collect::<String>()));
        }
    }
    out
}

/// Returns the find tests of a search. `-perm /bits` is not in POSIX, so each bit has its own test.
fn find_tests(target: &ResourceRef) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |words: &[&str]| out.extend(words.iter().map(|w| (*w).to_owned()));
    let parameter = |name: &str| target.parameters.get(name).map(String::as_str);
    if let Some(kind) = parameter("type") {
        let letter = match kind {
            "pipe" => "p",
            other => &other[..1],
        };
        add(&["-type", letter]);
    } else if parameter("perm_any").or(parameter("perm_all")).is_some() {
        add(&["!", "-type", "l"]);
    }
    if let Some(pattern) = parameter("name") {
        add(&["-name", pattern]);
    }
    if let Some(bits) = parameter("perm_all") {
        add(&["-perm", &format!("-{bits}")]);
    }
    if let Some(bits) = parameter("perm_any").and_then(|bits| u32::from_str_radix(bits, 8).ok()) {
        let set: Vec<String> = (0..12)
            .map(|i| 1_u32 << i)
            .filter(|bit| bits & bit != 0)
            .map(|bit| format!("-{bit:04o}"))
            .collect();
        add(&["("]);
        for (i, bit) in set.iter().enumerate() {
            add(if i == 0 { &[] } else { &["-o"] });
            add(&["-perm", bit]);
        }
        add(&[")"]);
    }
    for (name, word) in [("nouser", "-nouser"), ("nogroup", "-nogroup")] {
        match parameter(name) {
            Some("true") => add(&[word]),
            Some(_) => add(&["!", word]),
            None => {}
        }
    }
    // The last test, because it starts a process for each file.
    if let Some(pattern) = parameter("line_matches") {
        add(&[
            "-type", "f", "-exec", "grep", "-qE", "-e", pattern, "{}", ";",
        ]);
    }
    out
}
