//! Checks the Ansible and Puppet entries of an image and reads their directories.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::catalog::checker::{Checker, quote_path, quote_text};
use crate::catalog::codes;
use crate::catalog::files::{
    Files, Lookup, check_folder_with_files, read_named_file, report_unusable_file,
};
use crate::catalog::image::draft::ImageContext;
use crate::catalog::raw::{RawAnsible, RawImage, RawPuppet, Text, TextMap};
use crate::catalog::syntax::{self, Syntax};
use crate::catalog::yaml::deserialize::Spanned;
use crate::provision::ansible::Ansible;
use crate::provision::puppet::Puppet;
use crate::provision::{Provision, folder_of};

/// Limits for the directories of one provisioner, in bytes and files. The directories
/// are copied for every build.
const MAX_FOLDER_BYTES: usize = 64 * 1024 * 1024;
const MAX_FOLDER_FILES: usize = 5000;
/// Length of the longest value in characters.
const MAX_VALUE_LENGTH: usize = 4096;
/// Names and suffixes of files that tools leave behind. They are not part of the recipe.
const IGNORED_NAMES: [&str; 6] = [
    ".git",
    ".svn",
    "__pycache__",
    ".DS_Store",
    ".bakeline",
    ".vagrant",
];
const IGNORED_SUFFIXES: [&str; 4] = [".pyc", ".retry", ".swp", "~"];

/// Files of a directory.
#[derive(Default)]
struct Folder {
    files: BTreeSet<String>,
    /// Links to directories, with their targets relative to the repository.
    links: BTreeMap<String, String>,
}

/// Reader of the directories of playbooks and manifests.
struct FolderReader<'f, 'n, 'a, 's, 'c> {
    files: &'f dyn Files,
    /// Contents of all files that were read, by path.
    contents: &'n mut BTreeMap<String, Vec<u8>>,
    checker: &'c mut Checker<'a, 's>,
}

/// Adds the playbooks of an image, then its manifests. Adds all files of their directories to the
/// context.
pub(crate) fn parse_configuration(
    raw: &RawImage,
    context: &mut ImageContext<'_>,
    out: &mut Vec<Provision>,
    checker: &mut Checker<'_, '_>,
) {
    let mut reader = FolderReader {
        files: context.files,
        contents: context.contents,
        checker,
    };
    let playbooks = raw.ansible.iter().filter_map(|a| reader.parse_ansible(a));
    out.extend(playbooks.map(Provision::Ansible));
    let manifests = raw.puppet.iter().filter_map(|p| reader.parse_puppet(p));
    out.extend(manifests.map(Provision::Puppet));
}

impl FolderReader<'_, '_, '_, '_, '_> {
    fn parse_ansible(&mut self, raw: &RawAnsible) -> Option<Ansible> {
        let vars = self.parse_vars(&raw.vars);
        let playbook = raw.playbook.as_ref()?;
        let folder = self.read_own_folder(playbook, "playbook", "ansible/site.yaml")?;
        self.check_folder_size(playbook, &folder.files)
            .then_some(Ansible {
                playbook: playbook.value.clone(),
                files: into_sorted_paths(folder.files),
                links: folder.links,
                vars,
            })
    }

    fn parse_puppet(&mut self, raw: &RawPuppet) -> Option<Puppet> {
        let facts = self.parse_facts(&raw.facts);
        let manifest = raw.manifest.as_ref()?;
        let mut folder = self.read_own_folder(manifest, "manifest", "puppet/site.pp")?;
        let default_modules = format!("{}/modules", folder_of(&manifest.value));
        let modules = match &raw.modules {
            Some(named) => {
                check_folder_with_files(self.checker, self.files, named).then_some(())?;
                let modules = self.read_folder(&named.value, named)?;
                folder.files.extend(modules.files);
                folder.links.extend(modules.links);
                Some(named.value.clone())
            }
            None => folder
                .files
                .iter()
                .any(|path| path.starts_with(&format!("{default_modules}/")))
                .then_some(default_modules),
        };
        let manifest_path = manifest.value.clone();
        if let Some(path) = folder.links.keys().next() {
            let message = format!("`{}` is a link to a directory", quote_path(path));
            self.checker
                .error(codes::PATH_KIND, &manifest.span, message)
                .help("Puppet gets no links to directories: remove it, or copy the directory");
            return None;
        }
        self.check_folder_size(manifest, &folder.files)
            .then(|| Puppet {
                manifest: manifest_path,
                modules,
                files: into_sorted_paths(folder.files),
                facts,
            })
    }

    /// Reads all files of the directory of `path`.
    ///
    /// The directory is part of the recipe, so it cannot be the root of the repository.
    fn read_own_folder(&mut self, path: &Text, what: &str, example: &str) -> Option<Folder> {
        let content = read_named_file(self.checker, self.files, path)?;
        let folder = folder_of(&path.value);
        if folder.is_empty() {
            let message = format!(
                "the {what} `{}` is in the root of the repository",
                quote_text(&path.value)
            );
            self.checker
                .error(codes::PATH, &path.span, message)
                .help(format!(
                    "move it to a directory of its own, such as `{example}`: \
                 all files of the directory are part of the recipe"
                ));
            return None;
        }
        let mut out = self.read_folder(folder, path)?;
        self.contents.insert(path.value.clone(), content);
        out.files.insert(path.value.clone());
        Some(out)
    }

    /// Reads all files below a directory. `at` is the position of its name in the catalog.
    fn read_folder(&mut self, folder: &str, at: &Text) -> Option<Folder> {
        let before = self.checker.diagnostics.error_count();
        let mut out = Folder::default();
        let all = self.files.list(folder);
        for path in all
            .into_iter()
            .filter(|path| !is_ignored(&path[folder.len()..]))
            .take(MAX_FOLDER_FILES + 1)
        {
            if path.chars().any(char::is_control) {
                let message = format!(
                    "the file `{}` has a control character in its name",
                    quote_text(&path)
                );
                self.checker
                    .error(codes::PATH, &at.span, message)
                    .help("rename it");
            } else if let Some(target) = self.read_entry(folder, &path, at) {
                out.links.insert(path, target);
                continue;
            }
            out.files.insert(path);
        }
        (self.checker.diagnostics.error_count() == before).then_some(out)
    }

    /// Reads a file. Returns the target if it is a link to a directory below `folder`.
    ///
    /// Links to files are replaced by their content. Roles contain links to directories, such as
    /// those of their tests to the role itself.
    fn read_entry(&mut self, folder: &str, path: &str, at: &Text) -> Option<String> {
        if self.contents.contains_key(path) {
            return None;
        }
        let other = match self.files.get(path) {
            Lookup::Found(content) => {
                self.contents.insert(path.to_owned(), content);
                return None;
            }
            other => other,
        };
        let properties = self.files.properties(path);
        let Some(link) = properties.link else {
            report_unusable_file(self.checker, &at.span, path, other);
            return None;
        };
        let root = self.files.properties(folder).resolved;
        let rest = properties.resolved.strip_prefix(&root);
        let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let (message, help) = match (other, rest) {
            (Lookup::NotAFile, Some(rest)) => return Some(format!("{folder}{rest}")),
            (Lookup::NotAFile, None) => (
                format!("which is not inside `{}`", quote_text(folder)),
                "copy the directory: a playbook can use only files of its own directory",
            ),
            (Lookup::Missing, _) => (
                "which does not exist".to_owned(),
                "remove the link, or restore its target",
            ),
            (other, _) => {
                report_unusable_file(self.checker, &at.span, path, other);
                return None;
            }
        };
        let name = quote_path(path);
        let message = format!("`{name}` is a link to `{}`, {message}", quote_text(&link));
        self.checker
            .error(codes::PATH_ESCAPES, &at.span, message)
            .help(help);
        None
    }

    fn check_folder_size(&mut self, at: &Text, files: &BTreeSet<String>) -> bool {
        let bytes: usize = files
            .iter()
            .filter_map(|path| self.contents.get(path))
            .map(Vec::len)
            .sum();
        let message = if files.len() > MAX_FOLDER_FILES {
            format!(
                "the directory of `{}` has more than {MAX_FOLDER_FILES} files",
                quote_text(&at.value)
            )
        } else if bytes > MAX_FOLDER_BYTES {
            format!(
                "the files of `{}` have {bytes} bytes; the limit is {MAX_FOLDER_BYTES}",
                quote_text(&at.value)
            )
        } else {
            return true;
        };
        self.checker
            .error(codes::PATH_KIND, &at.span, message)
            .help("keep only the required files in its directory");
        false
    }

    /// Returns variables of a playbook with valid names and values. Values keep their types.
    fn parse_vars(
        &mut self,
        map: &BTreeMap<Text, Spanned<serde_json::Value>>,
    ) -> BTreeMap<String, serde_json::Value> {
        let mut out = BTreeMap::new();
        for (name, value) in map {
            let known = self.check_value_name(name, "variable", &syntax::VARIABLE);
            if let Some(name) = known.filter(|_| self.check_texts(&value.value, &value.span)) {
                out.insert(name, value.value.clone());
            }
        }
        out
    }

    /// Checks the texts in a value, also the keys of its maps. `span` is the position of the value.
    fn check_texts(&mut self, value: &serde_json::Value, span: &Range<usize>) -> bool {
        let mut check = |text: &str| {
            let text = Text {
                value: text.to_owned(),
                span: span.clone(),
            };
            self.checker
                .check_value("a variable", &text, MAX_VALUE_LENGTH)
                .is_some()
        };
        match value {
            serde_json::Value::String(text) => check(text),
            serde_json::Value::Array(items) => {
                items.iter().all(|item| self.check_texts(item, span))
            }
            serde_json::Value::Object(map) => map.iter().all(|(key, item)| {
                self.check_texts(&key.as_str().into(), span) && self.check_texts(item, span)
            }),
            _ => true,
        }
    }

    /// Returns facts with valid names and values.
    fn parse_facts(&mut self, map: &TextMap) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for (name, value) in map {
            let known = self.check_value_name(name, "fact", &syntax::FACT);
            let value = self.checker.check_value("a fact", value, MAX_VALUE_LENGTH);
            out.extend(known.zip(value));
        }
        out
    }

    /// Returns the name of a variable or fact if it is valid and not reserved.
    fn check_value_name(&mut self, name: &Text, what: &str, syntax: &Syntax) -> Option<String> {
        let described = format!("the name of a {what}");
        let known = self
            .checker
            .check_name(codes::VARIABLE, &described, name, syntax)?;
        if known.starts_with("ansible_") {
            let message = format!(
                "the {what} `{}` is reserved for Ansible",
                quote_text(&known)
            );
            self.checker
                .error(codes::VARIABLE, &name.span, message)
                .help("use a name that does not start with `ansible_`");
            return None;
        }
        Some(known)
    }
}

fn into_sorted_paths(files: BTreeSet<String>) -> Vec<String> {
    files.into_iter().collect()
}

fn is_ignored(path: &str) -> bool {
    path.split('/').any(|part| IGNORED_NAMES.contains(&part))
        || IGNORED_SUFFIXES.iter().any(|end| path.ends_with(end))
}
