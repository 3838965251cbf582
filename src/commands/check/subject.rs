//! Loads the controls for `bakeline check`: those of an image, of profiles, or both. Profiles do
//! not need a catalog.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::adapters::catalog_files::CatalogFiles;
use crate::catalog::{self, FileProperties, Files, Lookup};
use crate::commands::support::context::{self, LoadedCatalog};
use crate::error::{Error, Result};
use crate::model::{ImageName, published_name};

/// Settings for profiles without a catalog.
const NO_CATALOG: &str = "name: check\nregions: [us-east-1]\n";

/// Catalog and the image whose controls are run. For `--profile`, this is an additional image with
/// these profiles, so that inputs, `extends` and parents work as usual.
pub(super) struct Subject {
    pub(super) loaded: LoadedCatalog,
    pub(super) image: ImageName,
    /// Name for messages.
    pub(super) shown: String,
}

/// Loads the catalog and selects the image.
///
/// # Errors
/// The catalog is invalid or missing, or has no such image or profile.
pub(super) fn load_subject(
    dir: &Path,
    image: Option<&str>,
    profiles: &[String],
) -> Result<Subject> {
    let Some(first) = profiles.first() else {
        let Some(name) = image else {
            return Err(Error::new(
                crate::error::ErrorKind::Usage,
                "the image or profile to check is missing",
            )
            .hint("name an image of the catalog, or use --profile"));
        };
        let loaded = context::load_catalog(dir)?;
        let image = context::find_image(&loaded.catalog, name)?;
        return Ok(Subject {
            loaded,
            shown: image.to_string(),
            image,
        });
    };
    let files = context::open_files(dir)?;
    let bare = image.is_none() && matches!(files.get(catalog::SETTINGS_FILE), Lookup::Missing);
    let known: Vec<String> = files.list("profiles");
    let known: Vec<&str> = known
        .iter()
        .filter_map(|p| p.strip_prefix("profiles/")?.strip_suffix(".yaml"))
        .collect();
    if let Some(missing) = profiles.iter().find(|p| !known.contains(&p.as_str())) {
        return Err(context::unknown_name("profile", missing, &known));
    }
    let taken = if bare {
        Vec::new()
    } else {
        files.list("images")
    };
    let free = |name: &String| !taken.contains(&format!("images/{name}.yaml"));
    let name = std::iter::once("check".to_owned())
        .chain((1..).map(|n| format!("check-{n}")))
        .find(free);
    let name = name.unwrap_or_else(|| "check".to_owned());
    let text = describe_additional_image(image, first, profiles);
    let mut more = BTreeMap::from([(format!("images/{name}.yaml"), text.into_bytes())]);
    if bare {
        more.insert(
            catalog::SETTINGS_FILE.to_owned(),
            NO_CATALOG.as_bytes().to_vec(),
        );
    }
    let with = OverlayFiles {
        files: &files,
        more,
        bare,
    };
    if let Some(parent) = image {
        // Report a missing parent before problems of the additional image.
        let path = format!("images/{parent}.yaml");
        if !bare && matches!(with.get(&path), Lookup::Missing) {
            context::find_image(&context::load_catalog(dir)?.catalog, parent)?;
        }
    }
    let catalog = context::load_or_report(&with, &files)?;
    let shown = image
        .into_iter()
        .map(str::to_owned)
        .chain(profiles.iter().cloned())
        .collect::<Vec<_>>()
        .join(" + ");
    if let Some(parent) = image {
        context::require_one_architecture(&catalog, parent)?;
    }
    let loaded = LoadedCatalog::new(catalog, files);
    Ok(Subject {
        loaded,
        image: ImageName(name),
        shown,
    })
}

/// Returns the file of the additional image: a child of `image`, or a base image without a parent.
fn describe_additional_image(image: Option<&str>, first: &str, profiles: &[String]) -> String {
    let origin = match image {
        Some(parent) => ("parent", json!(published_name(parent))),
        None => ("source", json!({ "owner": "self", "name": first })),
    };
    let mut file = json!({ origin.0: origin.1, "profiles": profiles });
    if let Some(arch) = image.and_then(|parent| ImageName::from(parent).arch()) {
        file["arch"] = json!(arch);
    }
    file.to_string()
}

/// Files of the repository, plus additional ones.
struct OverlayFiles<'f> {
    files: &'f CatalogFiles,
    more: BTreeMap<String, Vec<u8>>,
    /// Hides the directory `images`, because no catalog is used.
    bare: bool,
}

impl Files for OverlayFiles<'_> {
    fn get(&self, path: &str) -> Lookup {
        match self.more.get(path) {
            Some(bytes) => Lookup::Found(bytes.clone()),
            None => self.files.get(path),
        }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let mut out = if self.bare && folder == "images" {
            Vec::new()
        } else {
            self.files.list(folder)
        };
        out.extend(Files::list(&self.more, folder));
        out.sort();
        out.dedup();
        out
    }

    fn properties(&self, path: &str) -> FileProperties {
        self.files.properties(path)
    }
}

/// Checks that there is a catalog. Instances and AMIs need its settings.
pub(super) fn require_catalog(dir: &Path) -> Result<()> {
    match context::open_files(dir)?.get(catalog::SETTINGS_FILE) {
        Lookup::Missing => Err(Error::input(
            "checks of instances and AMIs need the settings of a catalog",
        )
        .hint("run bakeline in the directory of the catalog, or use -C DIR")),
        _ => Ok(()),
    }
}
