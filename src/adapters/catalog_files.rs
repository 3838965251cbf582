//! Reads the files of a catalog. Resolves symbolic links, refuses paths outside of the catalog, and
//! falls back to shipped files.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::assets;
use crate::catalog::{FileProperties, Files, Lookup, SETTINGS_FILE, is_yaml};

/// Largest size of a template, script or configuration file in bytes.
const MAX_FILE_SIZE: u64 = 16 * 1024 * 1024;
/// Largest number of nested directories. Deeper files are not found.
const MAX_DEPTH: usize = 64;

/// Finds the nearest directory with bakeline.yaml: `start` or one above it, up to the root of the Git
/// repository. Outside of a repository, only `start` counts, because directories above it can belong
/// to other users.
#[must_use]
pub fn find_catalog_directory(start: &Path) -> Option<PathBuf> {
    let mut repository = start
        .ancestors()
        .skip_while(|dir| !dir.join(".git").exists());
    let root = repository.next().unwrap_or(start);
    let candidates = start.ancestors().take_while(|dir| dir.starts_with(root));
    let mut found = candidates.filter(|dir| dir.join(SETTINGS_FILE).exists());
    found.next().map(Path::to_owned)
}

/// Largest depth of the directories in which bakeline looks for misplaced files of the catalog.
const MAX_YAML_DEPTH: usize = 2;
/// Largest number of YAML files that the search for misplaced files considers.
const MAX_YAML_FILES: usize = 1000;
/// Directories that the search skips, because other code reads or reports their files.
const READ_ELSEWHERE: [&str; 3] = ["images", "templates", "schema"];
/// Directories of other tools that can be large.
const SKIPPED: [&str; 3] = ["node_modules", "target", "vendor"];

/// Directory of `bakeline.yaml`, with the shipped templates and profiles as fallback.
#[derive(Debug)]
pub struct CatalogFiles {
    root: PathBuf,
}

impl CatalogFiles {
    /// Opens a directory.
    ///
    /// # Errors
    /// Fails if `root` does not exist or is not a directory.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = std::fs::canonicalize(root)?;
        if !root.is_dir() {
            return Err(io::Error::other("not a directory"));
        }
        Ok(Self { root })
    }

    /// Returns the directory with all symbolic links resolved.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the directory relative to its Git repository, with `/` as separator.
    /// Returns an empty path for the top of the repository, and outside of a repository.
    #[must_use]
    pub fn folder_in_repository(&self) -> String {
        let top = self.root.ancestors().find(|at| at.join(".git").exists());
        let folder = top.and_then(|top| self.root.strip_prefix(top).ok());
        folder.map_or_else(String::new, |folder| folder.display().to_string())
    }

    fn look_up(&self, path: &str) -> io::Result<Lookup> {
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
        let metadata = std::fs::metadata(&real)?;
        if !metadata.is_file() {
            return Ok(Lookup::NotAFile);
        }
        if metadata.len() > MAX_FILE_SIZE {
            return Ok(Lookup::TooLarge(metadata.len()));
        }
        std::fs::read(&real).map(Lookup::Found)
    }

    fn collect_paths(&self, dir: &Path, prefix: &str, depth: usize, out: &mut BTreeSet<String>) {
        let Ok(entries) = std::fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => {
                    self.collect_paths(&entry.path(), &path, depth + 1, out);
                }
                Ok(kind) if kind.is_dir() => {}
                _ => {
                    out.insert(path);
                }
            }
        }
    }
}

impl CatalogFiles {
    /// Collects YAML files near the top. Hidden folders and folders with a catalog of their own are
    /// skipped.
    fn collect_yaml(&self, dir: &Path, prefix: &str, depth: usize, out: &mut BTreeSet<String>) {
        let Ok(entries) = std::fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let is_read = depth == 0 && READ_ELSEWHERE.contains(&name.as_str());
            if name.starts_with('.') || SKIPPED.contains(&name.as_str()) || is_read {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    let is_catalog = entry.path().join(SETTINGS_FILE).exists();
                    if depth < MAX_YAML_DEPTH && !is_catalog {
                        self.collect_yaml(&entry.path(), &format!("{path}/"), depth + 1, out);
                    }
                }
                Ok(kind) if kind.is_file() && is_yaml(&name) && out.len() < MAX_YAML_FILES => {
                    out.insert(path);
                }
                _ => {}
            }
        }
    }
}

impl Files for CatalogFiles {
    fn get(&self, path: &str) -> Lookup {
        match self.look_up(path) {
            Ok(Lookup::Missing) => assets::shipped_file(path)
                .map_or(Lookup::Missing, |bytes| Lookup::Found(bytes.into_owned())),
            Ok(found) => found,
            Err(error) => Lookup::Unreadable(error.to_string()),
        }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let mut out = BTreeSet::new();
        self.collect_paths(&self.root.join(folder), folder, 0, &mut out);
        let prefix = format!("{folder}/");
        out.extend(
            assets::shipped_paths()
                .into_iter()
                .filter(|p| p.starts_with(&prefix)),
        );
        out.into_iter().collect()
    }

    fn yaml_files(&self) -> Vec<String> {
        let mut out = BTreeSet::new();
        self.collect_yaml(&self.root, "", 0, &mut out);
        out.into_iter().collect()
    }

    fn properties(&self, path: &str) -> FileProperties {
        let at = self.root.join(path);
        let resolved = std::fs::canonicalize(&at).ok();
        let executable =
            std::fs::metadata(&at).is_ok_and(|metadata| metadata.permissions().mode() & 0o100 != 0);
        FileProperties {
            resolved: resolved.map_or_else(String::new, |real| {
                let inside = real.strip_prefix(&self.root).unwrap_or(&real);
                inside.display().to_string()
            }),
            link: std::fs::read_link(&at)
                .ok()
                .map(|target| target.display().to_string()),
            executable,
        }
    }
}
