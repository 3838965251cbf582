//! Finds import cycles between source files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Found;

/// Returns the groups of files that import each other, directly or through others; tests excluded.
pub(super) fn cycles(files: &[Found]) -> Vec<Vec<PathBuf>> {
    let files: Vec<&Found> = files.iter().filter(|f| !f.tests).collect();
    let modules: BTreeMap<&[String], usize> = files
        .iter()
        .enumerate()
        .map(|(index, file)| (file.module.as_slice(), index))
        .collect();
    let edges: Vec<BTreeSet<usize>> = files.iter().map(|file| imports(file, &modules)).collect();
    let reachable: Vec<BTreeSet<usize>> = (0..files.len()).map(|i| reach(i, &edges)).collect();
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut out = Vec::new();
    for start in 0..files.len() {
        if seen.contains(&start) || !reachable[start].contains(&start) {
            continue;
        }
        let cycle: Vec<usize> = reachable[start]
            .iter()
            .copied()
            .filter(|other| reachable[*other].contains(&start))
            .collect();
        seen.extend(&cycle);
        out.push(cycle.iter().map(|i| files[*i].path.clone()).collect());
    }
    out
}

/// Returns the files that a file imports.
fn imports(file: &Found, modules: &BTreeMap<&[String], usize>) -> BTreeSet<usize> {
    let own = modules.get(file.module.as_slice());
    let children: BTreeSet<&str> = file
        .source
        .children
        .iter()
        .map(|(name, ..)| name.as_str())
        .collect();
    let absolute = |path: &Vec<String>| match path.split_first() {
        Some((first, rest)) if first == "crate" => Some(rest.to_vec()),
        // A child module needs no `self`.
        Some((first, _)) if children.contains(first.as_str()) => {
            Some([&file.module[..], path].concat())
        }
        _ => None,
    };
    file.source
        .paths
        .iter()
        .filter_map(absolute)
        .filter_map(|path| {
            // The longest prefix that is a file; the rest names items.
            (1..=path.len())
                .rev()
                .find_map(|length| modules.get(&path[..length]).copied())
        })
        .filter(|index| own != Some(index))
        .collect()
}

/// Returns the files that a file reaches by at least one import.
fn reach(start: usize, edges: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = edges[start].iter().copied().collect();
    while let Some(next) = open.pop() {
        if seen.insert(next) {
            open.extend(&edges[next]);
        }
    }
    seen
}
