//! Reads git: the current commit, changes of the work tree, and a catalog at a revision.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, StatusOptions};

use super::assets;
use crate::catalog::{FileProperties, Files, Lookup};
use crate::model::Commit;
use crate::ports::Vcs;

/// A directory that may be in a git work tree.
#[derive(Debug)]
pub struct Git {
    root: PathBuf,
}

impl Git {
    /// Creates a reader for `root` or the nearest parent directory with a repository.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }
}

impl Vcs for Git {
    fn commit(&self) -> Option<Commit> {
        let repository = Repository::discover(&self.root).ok()?;
        let id = repository
            .head()
            .ok()?
            .peel_to_commit()
            .ok()?
            .id()
            .to_string();
        let mut options = StatusOptions::new();
        options.include_untracked(true).exclude_submodules(true);
        let dirty = repository
            .statuses(Some(&mut options))
            .is_ok_and(|s| !s.is_empty());
        Some(Commit { id, dirty })
    }
}

/// Files of a catalog at one revision, with the shipped files as fallback.
pub struct GitTree {
    repository: Repository,
    blobs: std::collections::BTreeMap<String, (Oid, i32)>,
}

/// File mode of a symbolic link in a git tree.
const SYMLINK_MODE: i32 = 0o120_000;
/// File mode of an executable file in a git tree.
const EXECUTABLE_MODE: i32 = 0o100_755;
/// Largest number of symbolic links to follow.
const MAX_LINKS: u8 = 8;

impl GitTree {
    /// Lists the files of a revision. Their content is read on demand.
    ///
    /// # Errors
    /// Fails without a repository, or if it lacks the revision or the directory.
    pub fn open(root: &Path, revision: &str) -> Result<Self, git2::Error> {
        let repository = Repository::discover(root)?;
        let other = |text: &str| git2::Error::from_str(text);
        let top = repository
            .workdir()
            .ok_or_else(|| other("the repository has no work tree"))?;
        let top = std::fs::canonicalize(top).map_err(|e| other(&e.to_string()))?;
        let root = std::fs::canonicalize(root).map_err(|e| other(&e.to_string()))?;
        let below = root
            .strip_prefix(&top)
            .map_err(|e| other(&e.to_string()))?
            .to_owned();
        let mut blobs = std::collections::BTreeMap::new();
        {
            let mut tree = repository.revparse_single(revision)?.peel_to_tree()?;
            if !below.as_os_str().is_empty() {
                let entry = tree.get_path(&below)?;
                tree = entry.to_object(&repository)?.peel_to_tree()?;
            }
            tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
                if let (Some(ObjectType::Blob), Ok(name)) = (entry.kind(), entry.name()) {
                    blobs.insert(format!("{folder}{name}"), (entry.id(), entry.filemode()));
                }
                git2::TreeWalkResult::Ok
            })?;
        }
        Ok(Self { repository, blobs })
    }

    fn read_blob(&self, id: Oid) -> Lookup {
        match self.repository.find_blob(id) {
            Ok(blob) => Lookup::Found(blob.content().to_vec()),
            Err(error) => Lookup::Unreadable(error.to_string()),
        }
    }

    /// Reads a file and follows symbolic links within the tree. Other links cannot be compared.
    fn look_up(&self, path: &str, hops: u8) -> Lookup {
        let Some((id, mode)) = self.blobs.get(path) else {
            let prefix = format!("{path}/");
            let is_directory = self
                .blobs
                .range(prefix.clone()..)
                .next()
                .is_some_and(|(p, _)| p.starts_with(&prefix));
            return if is_directory {
                Lookup::NotAFile
            } else {
                Lookup::Missing
            };
        };
        let content = match self.read_blob(*id) {
            Lookup::Found(content) if *mode == SYMLINK_MODE => content,
            other => return other,
        };
        let to = String::from_utf8_lossy(&content).into_owned();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match resolve_link(folder, &to).filter(|_| hops > 0) {
            Some(next) => self.look_up(&next, hops - 1),
            None => Lookup::Escapes(to),
        }
    }
}

/// Returns the target of a link as a path of the tree, or `None` outside of the tree.
fn resolve_link(folder: &str, to: &str) -> Option<String> {
    if to.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

impl Files for GitTree {
    fn get(&self, path: &str) -> Lookup {
        match self.look_up(path, MAX_LINKS) {
            Lookup::Missing => assets::shipped_file(path)
                .map_or(Lookup::Missing, |bytes| Lookup::Found(bytes.into_owned())),
            found => found,
        }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        let mut out: std::collections::BTreeSet<String> = self
            .blobs
            .keys()
            .filter(|p| p.starts_with(&prefix))
            .cloned()
            .collect();
        out.extend(
            assets::shipped_paths()
                .into_iter()
                .filter(|p| p.starts_with(&prefix)),
        );
        out.into_iter().collect()
    }

    fn properties(&self, path: &str) -> FileProperties {
        let mut resolved = path.to_owned();
        let mut link = None;
        let mut executable = false;
        for _ in 0..=MAX_LINKS {
            let Some((id, mode)) = self.blobs.get(&resolved) else {
                break;
            };
            executable = *mode == EXECUTABLE_MODE;
            let content = match self.read_blob(*id) {
                Lookup::Found(content) if *mode == SYMLINK_MODE => content,
                _ => break,
            };
            let to = String::from_utf8_lossy(&content).into_owned();
            link.get_or_insert_with(|| to.clone());
            let folder = resolved.rsplit_once('/').map_or("", |(folder, _)| folder);
            match resolve_link(folder, &to) {
                Some(next) => resolved = next,
                None => {
                    resolved = to;
                    break;
                }
            }
        }
        FileProperties {
            resolved,
            link,
            executable,
        }
    }
}
