//! Owns reading git: the commit a catalog lies in, whether its work tree differs, and the catalog as it was.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, StatusOptions};

use super::assets;
use crate::catalog::{Files, Lookup};
use crate::model::Commit;
use crate::ports::Vcs;

/// A directory that may lie in a git work tree.
#[derive(Debug)]
pub struct Git {
    root: PathBuf,
}

impl Git {
    /// Looks at `root` and the directories above it.
    #[must_use]
    pub fn at(root: &Path) -> Self {
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

/// The files of a catalog at one revision; shipped files stand behind it as they stand behind the work tree.
pub struct Tree {
    repository: Repository,
    blobs: std::collections::BTreeMap<String, (Oid, i32)>,
}

/// The file mode of a symbolic link in a git tree.
const LINK: i32 = 0o120_000;

impl Tree {
    /// Reads the names; contents are read when they are asked for.
    ///
    /// # Errors
    /// There is no repository, no such revision, or no such folder in it.
    pub fn at(root: &Path, revision: &str) -> Result<Self, git2::Error> {
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

    fn blob(&self, id: Oid) -> Lookup {
        match self.repository.find_blob(id) {
            Ok(blob) => Lookup::Found(blob.content().to_vec()),
            Err(error) => Lookup::Unreadable(error.to_string()),
        }
    }

    /// Follows links between files of the tree; a link that leads elsewhere can't be compared.
    fn look(&self, path: &str, hops: u8) -> Lookup {
        let Some((id, mode)) = self.blobs.get(path) else {
            let below = format!("{path}/");
            let folder = self
                .blobs
                .range(below.clone()..)
                .next()
                .is_some_and(|(p, _)| p.starts_with(&below));
            return if folder {
                Lookup::NotAFile
            } else {
                Lookup::Missing
            };
        };
        let Lookup::Found(target) = self.blob(*id) else {
            return self.blob(*id);
        };
        if *mode != LINK {
            return Lookup::Found(target);
        }
        let to = String::from_utf8_lossy(&target).into_owned();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match resolved(folder, &to).filter(|_| hops > 0) {
            Some(next) => self.look(&next, hops - 1),
            None => Lookup::Escapes(to),
        }
    }
}

/// A link's target as a path of the tree; none when it leads out of it.
fn resolved(folder: &str, to: &str) -> Option<String> {
    if to.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

impl Files for Tree {
    fn get(&self, path: &str) -> Lookup {
        match self.look(path, 8) {
            Lookup::Missing => assets::shipped(path)
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
}
