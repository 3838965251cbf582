//! Embeds the shipped templates, the check profiles and the Python package of the local EC2.

use std::borrow::Cow;

use rust_embed::RustEmbed;

/// Shipped templates. A catalog overrides them by path.
#[derive(RustEmbed)]
#[folder = "templates"]
#[prefix = "templates/"]
struct Templates;

/// Shipped check profiles. A catalog overrides them by path.
#[derive(RustEmbed)]
#[folder = "profiles"]
#[prefix = "profiles/"]
struct Profiles;

/// Base images for new catalogs.
#[derive(RustEmbed)]
#[folder = "examples/bases/images"]
struct BaseImages;

/// Python package of the local EC2.
#[derive(RustEmbed)]
#[folder = "sandbox"]
#[include = "bakeline_sandbox/**/*.py"]
#[include = "bakeline_sandbox/*.py"]
#[include = "bakeline_sandbox/*.sh"]
#[include = "requirements.txt"]
struct Sandbox;

/// Returns a shipped template or profile by its path in the repository.
#[must_use]
pub fn shipped_file(path: &str) -> Option<Cow<'static, [u8]>> {
    Templates::get(path)
        .or_else(|| Profiles::get(path))
        .map(|f| f.data)
}

/// Path of the CI/CD component of GitLab. GitLab finds components at `templates/NAME/template.yml`.
pub const GITLAB_COMPONENT: &str = "templates/gitlab/template.yml";

/// Lists the paths of all shipped templates and profiles, sorted.
#[must_use]
pub fn shipped_paths() -> Vec<String> {
    let mut paths: Vec<String> = Templates::iter()
        .chain(Profiles::iter())
        .map(Cow::into_owned)
        .collect();
    paths.sort();
    paths
}

/// Returns the base images for new catalogs: name and content of the file, sorted.
#[must_use]
pub fn base_images() -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = BaseImages::iter()
        .filter_map(|path| {
            let text = String::from_utf8(BaseImages::get(&path)?.data.into_owned()).ok()?;
            Some((path.strip_suffix(".yaml")?.to_owned(), text))
        })
        .collect();
    out.sort();
    out
}

/// Lists the files of the local EC2 as relative path and content, sorted.
#[must_use]
pub fn sandbox_files() -> Vec<(String, Cow<'static, [u8]>)> {
    let mut paths: Vec<String> = Sandbox::iter().map(Cow::into_owned).collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|p| Sandbox::get(&p).map(|f| (p, f.data)))
        .collect()
}
