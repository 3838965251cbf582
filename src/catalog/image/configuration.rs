//! Owns what an image says about Ansible and Puppet, and reading the folders that they take whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::checker::{Checker, shown};
use crate::catalog::codes;
use crate::catalog::files::{Files, Lookup, folder, misplaced, read_named};
use crate::catalog::raw::{RawAnsible, RawImage, RawPuppet, Text, TextMap};
use crate::catalog::syntax::{self, Syntax};
use crate::provision::ansible::Ansible;
use crate::provision::puppet::Puppet;
use crate::provision::{Provision, folder_of};

/// The most that one provisioner's folders may hold, in bytes and in files: it is copied for every build.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const MOST_FILES: usize = 5000;
/// The longest value, in characters.
const LONGEST: usize = 4096;
/// What tools leave in such folders; it must not move a recipe.
const LITTER: [&str; 6] = [
    ".git",
    ".svn",
    "__pycache__",
    ".DS_Store",
    ".bakeline",
    ".vagrant",
];
const LITTER_ENDS: [&str; 4] = [".pyc", ".retry", ".swp", "~"];

/// Everything that a check of this needs beside the image's own text.
struct FolderReader<'f, 'n, 'a, 's, 'c> {
    files: &'f dyn Files,
    named: &'n mut BTreeMap<String, Vec<u8>>,
    c: &'c mut Checker<'a, 's>,
}

/// Adds an image's playbooks, then its manifests; every file they take is put into `named`.
pub(crate) fn put(
    raw: &RawImage,
    files: &dyn Files,
    named: &mut BTreeMap<String, Vec<u8>>,
    out: &mut Vec<Provision>,
    c: &mut Checker<'_, '_>,
) {
    let mut reader = FolderReader { files, named, c };
    out.extend(
        raw.ansible
            .iter()
            .filter_map(|one| reader.ansible(one))
            .map(Provision::Ansible),
    );
    out.extend(
        raw.puppet
            .iter()
            .filter_map(|one| reader.puppet(one))
            .map(Provision::Puppet),
    );
}

impl FolderReader<'_, '_, '_, '_, '_> {
    fn ansible(&mut self, raw: &RawAnsible) -> Option<Ansible> {
        let vars = self.values(&raw.vars, "variable", &syntax::VARIABLE);
        let files = self.beside(raw.playbook.as_ref()?, "playbook", "ansible/site.yaml")?;
        let playbook = raw.playbook.as_ref()?.value.clone();
        self.small(raw.playbook.as_ref()?, &files)
            .then_some(Ansible {
                playbook,
                files: sorted(files),
                vars,
            })
    }

    fn puppet(&mut self, raw: &RawPuppet) -> Option<Puppet> {
        let facts = self.values(&raw.facts, "fact", &syntax::FACT);
        let manifest = raw.manifest.as_ref()?;
        let mut files = self.beside(manifest, "manifest", "puppet/site.pp")?;
        let beside = format!("{}/modules", folder_of(&manifest.value));
        let modules = match &raw.modules {
            Some(named) => {
                folder(self.c, self.files, named).then_some(())?;
                files.extend(self.below(&named.value, named)?);
                Some(named.value.clone())
            }
            None => files
                .iter()
                .any(|path| path.starts_with(&format!("{beside}/")))
                .then_some(beside),
        };
        let manifest_path = manifest.value.clone();
        self.small(manifest, &files).then(|| Puppet {
            manifest: manifest_path,
            modules,
            files: sorted(files),
            facts,
        })
    }

    /// Every file of the folder that `path` lies in; the folder is part of the recipe, so it can't be the whole repository.
    fn beside(&mut self, path: &Text, what: &str, such: &str) -> Option<BTreeSet<String>> {
        let content = read_named(self.c, self.files, path)?;
        let beside = folder_of(&path.value);
        if beside.is_empty() {
            let message = format!(
                "the {what} `{}` is in the repository's root",
                shown(&path.value)
            );
            self.c.error(codes::PATH, &path.span, message).help(format!(
                "move it to a folder of its own, such as `{such}`: every file there belongs to the recipe"
            ));
            return None;
        }
        let mut files = self.below(beside, path)?;
        self.named.insert(path.value.clone(), content);
        files.insert(path.value.clone());
        Some(files)
    }

    /// Reads every file below a folder; `at` is where the user named it.
    fn below(&mut self, folder: &str, at: &Text) -> Option<BTreeSet<String>> {
        let before = self.c.diagnostics.error_count();
        let mut out = BTreeSet::new();
        let all = self.files.list(folder);
        for path in all
            .into_iter()
            .filter(|path| !litter(&path[folder.len()..]))
            .take(MOST_FILES + 1)
        {
            if path.chars().any(char::is_control) {
                let message = format!(
                    "the file `{}` has a control character in its name",
                    shown(&path)
                );
                self.c
                    .error(codes::PATH, &at.span, message)
                    .help("rename it");
            } else if !self.named.contains_key(&path) {
                match self.files.get(&path) {
                    Lookup::Found(content) => drop(self.named.insert(path.clone(), content)),
                    other => misplaced(self.c, &at.span, &path, other),
                }
            }
            out.insert(path);
        }
        (self.c.diagnostics.error_count() == before).then_some(out)
    }

    fn small(&mut self, at: &Text, files: &BTreeSet<String>) -> bool {
        let bytes: usize = files
            .iter()
            .filter_map(|path| self.named.get(path))
            .map(Vec::len)
            .sum();
        let told = if files.len() > MOST_FILES {
            format!(
                "the folder of `{}` has more than {MOST_FILES} files",
                shown(&at.value)
            )
        } else if bytes > MOST_BYTES {
            format!(
                "the files of `{}` have {bytes} bytes, more than {MOST_BYTES}",
                shown(&at.value)
            )
        } else {
            return true;
        };
        self.c
            .error(codes::PATH_KIND, &at.span, told)
            .help("keep in its folder only what it needs");
        false
    }

    /// Names and texts that can't become code on their way.
    fn values(&mut self, map: &TextMap, what: &str, names: &Syntax) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for (name, value) in map {
            let known = self
                .c
                .name(codes::VARIABLE, &format!("a {what}'s name"), name, names);
            if known.as_ref().is_some_and(|n| n.starts_with("ansible_")) {
                self.c
                    .error(
                        codes::VARIABLE,
                        &name.span,
                        format!("the {what} `{}` is Ansible's own", shown(&name.value)),
                    )
                    .help("choose a name that does not begin with `ansible_`");
            } else if let (Some(name), Some(value)) =
                (known, self.c.value(&format!("a {what}"), value, LONGEST))
            {
                out.insert(name, value);
            }
        }
        out
    }
}

fn sorted(files: BTreeSet<String>) -> Vec<String> {
    files.into_iter().collect()
}

fn litter(path: &str) -> bool {
    path.split('/').any(|part| LITTER.contains(&part))
        || LITTER_ENDS.iter().any(|end| path.ends_with(end))
}
