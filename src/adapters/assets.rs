//! Owns what is embedded in the program: shipped templates, profiles, schemas, and the local EC2's Python package.

use std::borrow::Cow;

use rust_embed::RustEmbed;

/// Templates; a catalog overrides them by name.
#[derive(RustEmbed)]
#[folder = "templates"]
#[prefix = "templates/"]
struct Templates;

/// Check profiles; a catalog overrides them by name.
#[derive(RustEmbed)]
#[folder = "profiles"]
#[prefix = "profiles/"]
struct Profiles;

/// The local EC2.
#[derive(RustEmbed)]
#[folder = "sandbox"]
#[include = "bakeline_sandbox/**/*.py"]
#[include = "bakeline_sandbox/*.py"]
#[include = "requirements.txt"]
struct Sandbox;

/// A shipped template or profile by its repository-relative path.
#[must_use]
pub fn shipped(path: &str) -> Option<Cow<'static, [u8]>> {
    Templates::get(path)
        .or_else(|| Profiles::get(path))
        .map(|f| f.data)
}

/// The paths of all shipped templates and profiles, sorted.
#[must_use]
pub fn shipped_paths() -> Vec<String> {
    let mut paths: Vec<String> = Templates::iter()
        .chain(Profiles::iter())
        .map(Cow::into_owned)
        .collect();
    paths.sort();
    paths
}

/// The local EC2's files: path below its folder and content, sorted.
#[must_use]
pub fn sandbox_files() -> Vec<(String, Cow<'static, [u8]>)> {
    let mut paths: Vec<String> = Sandbox::iter().map(Cow::into_owned).collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|p| Sandbox::get(&p).map(|f| (p, f.data)))
        .collect()
}
