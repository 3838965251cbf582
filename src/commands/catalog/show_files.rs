//! Implements `bakeline show files` and `bakeline show file`: the shipped templates and profiles, and the
//! files of the catalog that replace them.

use std::path::Path;

use serde::Serialize;

use crate::adapters::assets;
use crate::adapters::catalog_files::CatalogFiles;
use crate::catalog::{Files as _, Lookup};
use crate::cli::{ShowFile, ShowFiles};
use crate::commands::support::context;
use crate::diagnostic::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::ui;
use crate::ui::table::Table;

/// A shipped file.
#[derive(Serialize)]
struct ShippedFile {
    path: String,
    /// True if the catalog has a file with this path, which is used instead.
    overridden: bool,
}

pub(crate) fn list(dir: &Path, args: &ShowFiles) -> Result<u8> {
    let opened = context::open_files(dir)?;
    let files: Vec<ShippedFile> = assets::shipped_paths()
        .into_iter()
        .filter(|path| path != assets::GITLAB_COMPONENT)
        .map(|path| ShippedFile {
            overridden: overrides(&opened, &path),
            path,
        })
        .collect();
    if args.json {
        ui::json(&files);
        return Ok(0);
    }
    let mut table = Table::new(&["PATH", "USED"]);
    for file in files {
        let used = if file.overridden {
            "catalog"
        } else {
            "shipped"
        };
        table.push(vec![file.path, used.to_owned()]);
    }
    ui::table(&table);
    Ok(0)
}

pub(crate) fn print(dir: &Path, args: &ShowFile) -> Result<u8> {
    let opened = context::open_files(dir)?;
    let shipped = assets::shipped_file(&args.path).ok_or_else(|| unknown_file(&args.path))?;
    let bytes = match opened.get(&args.path) {
        Lookup::Found(own) if !args.shipped => own,
        _ => shipped.into_owned(),
    };
    ui::data(&String::from_utf8_lossy(&bytes));
    Ok(0)
}

/// Returns whether the catalog has its own file with the path of a shipped one.
fn overrides(files: &CatalogFiles, path: &str) -> bool {
    crate::adapters::system::exists(&files.root().join(path))
}

fn unknown_file(path: &str) -> Error {
    let shipped = assets::shipped_paths();
    let error = Error::new(
        ErrorKind::NotFound,
        format!("bakeline ships no file `{path}`"),
    );
    error.hint(match nearest(path, shipped.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`bakeline show files` lists the files".to_owned(),
    })
}
