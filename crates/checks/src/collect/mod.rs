//! Owns the collector: one POSIX-sh script for all controls of a phase, sent on the standard input of `sh -s`.

pub(crate) mod frames;
pub(crate) mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::kind::{Asked, Kind, Target};
use crate::language::control::Control;
use crate::language::{grammar, open};
use crate::phase::Phase;
use crate::registry::{self, BASE, BASE_SHELL};
use crate::text::sh_quote;

/// The functions that the requests call.
const FUNCTIONS: &str = include_str!("collector.sh");

/// The most bytes of one file or one output that are brought back; what is longer can't be judged.
pub(crate) const CAP: usize = 256 * 1024;

/// How a collector is made.
#[derive(Debug, Clone, Copy)]
pub struct CollectOptions<'a> {
    /// A random word that marks this run's lines: letters and digits.
    pub nonce: &'a str,
    /// Looks at this unpacked root file system and at nothing else, instead of at the running system.
    pub root: Option<&'a str>,
    /// Whose controls are collected for.
    pub phase: Phase,
    /// Also collects what [`crate::unsealed`] compares.
    pub seal: bool,
}

/// The script that collects what the phase's controls need; each fact once, however many controls ask for it.
///
/// It is one `{ …; }` group, so that a shell reads it whole before it runs any of it: without that, dash was seen to stop
/// after its first buffer with status 0. It must arrive on standard input; as an argument it can be too long for the kernel.
#[must_use]
pub fn collector(controls: &[&Control], options: CollectOptions<'_>) -> String {
    let due: Vec<&Control> = controls
        .iter()
        .copied()
        .filter(|c| c.disabled.is_none() && c.phases.contains(&options.phase))
        .collect();
    let wanted = wanted(&due);
    let mut out = String::from("{\n");
    // Writing to a String can't fail.
    let _ = writeln!(
        out,
        "N={}\nR={}\nCAP={CAP}",
        sh_quote(options.nonce),
        sh_quote(&directory(options.root))
    );
    out.push_str(FUNCTIONS);
    let mut functions: Vec<&str> = BASE_SHELL.to_vec();
    let mut lines = Vec::new();
    for kind in registry::KINDS {
        let asked: Vec<Asked<'_>> = wanted
            .iter()
            .filter(|(target, _)| target.kind == kind.name)
            .map(|(target, properties)| Asked {
                target,
                properties: properties.clone(),
            })
            .collect();
        if asked.is_empty() || (options.root.is_some() && kind.not_in_directory.is_some()) {
            continue;
        }
        // Kinds that collect alike have the same functions.
        if !functions.contains(&kind.shell) {
            functions.push(kind.shell);
        }
        for line in (kind.requests)(&asked) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if options.seal && options.root.is_none() {
        functions.push(seal::SHELL);
        lines.push(seal::CALL.to_owned());
    }
    out.extend(functions);
    for line in BASE.iter().map(|line| (*line).to_owned()).chain(lines) {
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str("finish\nexit 0\n} </dev/null\n");
    out
}

/// Every target that controls and their conditions look at, with the properties: whatever the inputs turn out to be.
fn wanted(due: &[&Control]) -> BTreeMap<Target, BTreeSet<String>> {
    let mut out: BTreeMap<Target, BTreeSet<String>> = BTreeMap::new();
    let mut add = |target: Target, property: &str| {
        out.entry(target).or_default().insert(property.to_owned());
    };
    for control in due {
        for expectation in control.expectations() {
            let presence =
                registry::kind_of(&expectation.target).and_then(|kind: &Kind| kind.presence);
            for target in open::targets(&expectation.target, &control.for_each, &control.inputs) {
                let names = expectation
                    .expect
                    .keys()
                    .map(String::as_str)
                    .chain(presence);
                names.for_each(|name| add(target.clone(), name));
            }
        }
        let choices = control
            .inputs
            .values()
            .flat_map(|i| &i.choices)
            .filter_map(|(condition, _)| condition.as_deref());
        for text in control.when.as_deref().into_iter().chain(choices) {
            let Ok(condition) = grammar::parse(text) else {
                continue;
            };
            let mut facts = Vec::new();
            condition.facts(&mut facts);
            facts
                .into_iter()
                .for_each(|(target, property)| add(target.clone(), property));
        }
    }
    out
}

/// A directory that no command takes for an option and to which `/path` can be appended.
fn directory(root: Option<&str>) -> String {
    match root.map(|r| (r, r.trim_end_matches('/'))) {
        None => String::new(),
        Some((_, "")) => "/.".to_owned(),
        Some((_, trimmed)) if trimmed.starts_with('/') => trimmed.to_owned(),
        Some((_, trimmed)) => format!("./{trimmed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_of_the_shell_takes_the_place_of_another() {
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        let shells = registry::KINDS
            .iter()
            .map(|kind| kind.shell)
            .chain(BASE_SHELL.iter().copied());
        for shell in shells.chain([FUNCTIONS]) {
            for (start, line) in shell
                .match_indices('\n')
                .map(|(i, _)| (i + 1, shell[i + 1..].lines().next()))
            {
                let Some((name, rest)) = line.and_then(|line| line.split_once("() ")) else {
                    continue;
                };
                if name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    let end = if rest.ends_with('}') {
                        shell[start..].find('\n')
                    } else {
                        shell[start..].find("\n}")
                    };
                    let body = &shell[start..start + end.unwrap_or_default()];
                    assert_eq!(
                        *known.entry(name).or_insert(body),
                        body,
                        "{name} is there twice"
                    );
                }
            }
        }
        assert!(
            known.len() > 30 && known["put"].contains("emit"),
            "{known:?}"
        );
    }

    #[test]
    fn a_root_is_never_an_option_nor_the_running_system() {
        for (root, shown) in [
            (None, ""),
            (Some("/"), "/."),
            (Some("/x/"), "/x"),
            (Some("-x"), "./-x"),
            (Some(""), "/."),
            (Some("."), "./."),
        ] {
            assert_eq!(directory(root), shown, "{root:?}");
        }
    }
}
