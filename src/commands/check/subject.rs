//! Owns whose controls a check by hand judges: an image's, those of profiles, or both; with or without a catalog.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::adapters::catalog_files::CatalogFiles;
use crate::catalog::{self, Catalog, Files, Lookup};
use crate::commands::context::{self, LoadedCatalog};
use crate::error::{Error, Result};
use crate::model::ImageName;

/// Settings for checking by profiles where there is no catalog.
const NO_CATALOG: &str = "name: check\nregions: [us-east-1]\n";

/// The catalog, and the image in it whose controls are judged. Where profiles are named, that is one more image that has
/// them: everything that holds for the profiles of images (inputs, `extends`, parents) then holds for these.
pub(super) struct Subject {
    pub(super) loaded: LoadedCatalog,
    pub(super) image: ImageName,
    /// What people call it.
    pub(super) shown: String,
}

/// Loads it.
///
/// # Errors
/// The catalog is wrong or missing, or has no such image or profile.
pub(super) fn load_subject(
    dir: &Path,
    image: Option<&str>,
    profiles: &[String],
) -> Result<Subject> {
    let Some(first) = profiles.first() else {
        let Some(name) = image else {
            return Err(
                Error::new(crate::error::Kind::Usage, "it is not said what to check by")
                    .hint("name an image of the catalog, or profiles by --profile"),
            );
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
    let origin = match image {
        Some(parent) => ("parent", json!(parent)),
        None => ("source", json!({ "owner": "self", "name": first })),
    };
    let text = json!({ origin.0: origin.1, "profiles": profiles }).to_string();
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
        // Said of the user's image before anything is said of ours.
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
    let loaded = context::loaded(catalog, files);
    Ok(Subject {
        loaded,
        image: ImageName(name),
        shown,
    })
}

/// The repository's files and some more.
struct OverlayFiles<'f> {
    files: &'f CatalogFiles,
    more: BTreeMap<String, Vec<u8>>,
    /// There is no catalog, so what lies in a folder called `images` is none of ours.
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
}

/// Whether the subject's catalog is the user's own, so that its settings say where instances run.
pub(super) fn require_catalog(dir: &Path) -> Result<()> {
    match context::open_files(dir)?.get(catalog::SETTINGS_FILE) {
        Lookup::Missing => Err(Error::input(
            "instances and AMIs need a catalog, which says where they run",
        )
        .hint("run bakeline in the catalog's folder, or name it with -C DIR")),
        _ => Ok(()),
    }
}

/// A catalog's image by name; for messages.
pub(super) fn image_platform(catalog: &Catalog, image: &ImageName) -> crate::platform::Platform {
    catalog
        .images
        .get(image)
        .map(|i| i.platform)
        .unwrap_or_default()
}
