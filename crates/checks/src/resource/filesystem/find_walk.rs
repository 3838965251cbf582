//! Owns the calls of find(1) for searches: those that begin at the same place are one walk.

use std::collections::BTreeMap;

use crate::kind::{Asked, Target};
use crate::text::{hex, sh_quote};

/// What several searches of one walk have in common.
pub(super) fn walk(target: &Target) -> String {
    let shared = ["max_depth", "one_file_system", "exclude"]
        .map(|name| target.parameter(name, "").replace('\n', ":"));
    format!("{} {}", target.subject, shared.join(" "))
}

/// What one of them looks for.
pub(super) fn search(target: &Target) -> String {
    ["name", "type", "perm_any", "perm_all", "nouser", "nogroup"]
        .map(|name| target.parameter(name, ""))
        .join("\t")
}

/// The searches of one walk, each with the target that asks for it and whether states are wanted, too.
type Searches<'a> = BTreeMap<String, (&'a Target, bool)>;

pub(super) fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let mut walks: BTreeMap<String, (&Target, Searches<'_>)> = BTreeMap::new();
    for one in asked {
        let (_, searches) = walks
            .entry(walk(one.target))
            .or_insert_with(|| (one.target, BTreeMap::new()));
        let (_, states) = searches
            .entry(search(one.target))
            .or_insert((one.target, false));
        *states |= one.properties.iter().any(|p| p != "paths");
    }
    walks
        .iter()
        .map(|(key, (first, searches))| request(key, first, searches))
        .collect()
}

/// One call for one walk: the words of find(1), of which those beyond POSIX (`-mindepth`, `-maxdepth`, `-H` with `.`) are in
/// GNU findutils and busybox. `printf` writes each path behind the number of the search that found it, ended by NUL.
fn request(key: &str, first: &Target, searches: &BTreeMap<String, (&Target, bool)>) -> String {
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
    let pruned = pruned(first);
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
        tests(target).iter().for_each(|word| add(&[word]));
        add(&["-exec", "printf", &format!("{i}%s\\000"), "{}", "+"]);
        if *states {
            add(&["-exec", "stat", "-c", &format!("{i} %f %u %g"), "{}", "+"]);
        }
        // What comes after it is tried in any case.
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

/// What is left out, as patterns for paths below `.`.
fn pruned(target: &Target) -> Vec<String> {
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

/// The tests of find for one search. `-perm /bits` is no POSIX, so that each bit is asked for.
fn tests(target: &Target) -> Vec<String> {
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
    out
}
