//! Owns reading the catalog's repository: links resolved, nothing outside it read, shipped files where it has none.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::assets;
use crate::catalog::{Files, Lookup};

/// A file larger than this is no template, script or configuration.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The folder of `bakeline.yaml`, with the shipped templates and profiles behind it.
#[derive(Debug)]
pub struct CatalogFiles {
    root: PathBuf,
}

impl CatalogFiles {
    /// Opens a folder.
    ///
    /// # Errors
    /// It does not exist or is no folder.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = std::fs::canonicalize(root)?;
        if !root.is_dir() {
            return Err(io::Error::other("it is not a folder"));
        }
        Ok(Self { root })
    }

    /// The folder with all links resolved.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn look(&self, path: &str) -> io::Result<Lookup> {
        let real = match std::fs::canonicalize(self.root.join(path)) {
            Ok(real) => real,
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Lookup::Missing);
            }
            Err(e) => return Err(e),
        };
        if !real.starts_with(&self.root) {
            return Ok(Lookup::Escapes(real.display().to_string()));
        }
        let about = std::fs::metadata(&real)?;
        if !about.is_file() {
            return Ok(Lookup::NotAFile);
        }
        if about.len() > LARGEST {
            return Ok(Lookup::TooLarge(about.len()));
        }
        std::fs::read(&real).map(Lookup::Found)
    }

    fn walk(&self, folder: &Path, below: &str, depth: usize, out: &mut BTreeSet<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            let path = format!("{below}/{name}");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < 16 => {
                    self.walk(&entry.path(), &path, depth + 1, out)
                }
                Ok(kind) if kind.is_dir() => {}
                _ => drop(out.insert(path)),
            }
        }
    }
}

impl Files for CatalogFiles {
    fn get(&self, path: &str) -> Lookup {
        match self.look(path) {
            Ok(Lookup::Missing) => assets::shipped(path)
                .map_or(Lookup::Missing, |bytes| Lookup::Found(bytes.into_owned())),
            Ok(found) => found,
            Err(error) => Lookup::Unreadable(error.to_string()),
        }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let mut out = BTreeSet::new();
        self.walk(&self.root.join(folder), folder, 0, &mut out);
        let prefix = format!("{folder}/");
        out.extend(
            assets::shipped_paths()
                .into_iter()
                .filter(|p| p.starts_with(&prefix)),
        );
        out.into_iter().collect()
    }
}
