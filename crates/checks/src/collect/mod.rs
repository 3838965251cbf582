//! Generates the collector: one POSIX shell script for all controls of a phase.
//!
//! The script is sent to the standard input of `sh -s`.

pub(crate) mod frames;
pub(crate) mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::language::control::Control;
use crate::language::{grammar, interpolate};
use crate::phase::Phase;
use crate::registry::{self, BASE, BASE_SHELL};
use crate::resource_type::{RequestedResource, ResourceRef, ResourceType};
use crate::text::sh_quote;

/// Shell functions that the calls use.
const FUNCTIONS: &str = include_str!("collector.sh");

/// Maximum number of collected bytes of a file or output; longer content cannot be judged.
pub(crate) const CAP: usize = 256 * 1024;

/// Options of the collector.
#[derive(Debug, Clone, Copy)]
pub struct CollectOptions<'a> {
    /// Random word of letters and digits that marks the lines of this run.
    pub nonce: &'a str,
    /// Unpacked root file system to inspect instead of the running system.
    pub root: Option<&'a str>,
    /// Phase of the controls.
    pub phase: Phase,
    /// True to collect the digests that [`crate::leftover_identity`] compares.
    pub seal: bool,
}

/// Returns the script that collects the facts for the controls of a phase, each fact once.
///
/// The script is one `{ …; }` group, so that a shell reads all of it before it runs it. Otherwise
/// dash can stop after its first buffer with status 0. Send the script on standard input: as an
/// argument it can exceed the limit of the kernel.
#[must_use]
pub fn collector(controls: &[&Control], options: CollectOptions<'_>) -> String {
    let active: Vec<&Control> = controls
        .iter()
        .copied()
        .filter(|c| c.disabled.is_none() && c.phases.contains(&options.phase))
        .collect();
    let requested = requested_properties(&active);
    let mut out = String::from("{\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "N={}\nR={}\nCAP={CAP}",
        sh_quote(options.nonce),
        sh_quote(&path_prefix(options.root))
    );
    out.push_str(FUNCTIONS);
    let mut functions: Vec<&str> = BASE_SHELL.to_vec();
    let mut lines = Vec::new();
    for kind in registry::RESOURCE_TYPES {
        let asked: Vec<RequestedResource<'_>> = requested
            .iter()
            .filter(|(target, _)| target.kind == kind.name)
            .map(|(target, properties)| RequestedResource {
                target,
                properties: properties.clone(),
            })
            .collect();
        if asked.is_empty() || (options.root.is_some() && kind.not_in_directory.is_some()) {
            continue;
        }
        // Several kinds can use the same functions.
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

/// Returns the targets and properties of controls and conditions, for all values of inputs.
fn requested_properties(controls: &[&Control]) -> BTreeMap<ResourceRef, BTreeSet<String>> {
    let mut out: BTreeMap<ResourceRef, BTreeSet<String>> = BTreeMap::new();
    let mut add = |target: ResourceRef, property: &str| {
        out.entry(target).or_default().insert(property.to_owned());
    };
    for control in controls {
        for expectation in control.expectations() {
            let presence = registry::resource_type_of(&expectation.target)
                .and_then(|kind: &ResourceType| kind.presence);
            for target in interpolate::possible_targets(
                &expectation.target,
                &control.for_each,
                &control.inputs,
            ) {
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
            condition.collect_properties(&mut facts);
            facts
                .into_iter()
                .for_each(|(target, property)| add(target.clone(), property));
        }
    }
    out
}

/// Returns a prefix for paths in the directory; no command can interpret it as an option.
fn path_prefix(root: Option<&str>) -> String {
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
    fn shell_functions_have_unique_names() {
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        let shells = registry::RESOURCE_TYPES
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
                        "{name} is defined twice"
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
    fn root_is_never_an_option_or_the_running_system() {
        for (root, shown) in [
            (None, ""),
            (Some("/"), "/."),
            (Some("/x/"), "/x"),
            (Some("-x"), "./-x"),
            (Some(""), "/."),
            (Some("."), "./."),
        ] {
            assert_eq!(path_prefix(root), shown, "{root:?}");
        }
    }
}
