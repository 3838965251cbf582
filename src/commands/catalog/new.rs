//! Implements `bakeline new`: adds an image or a profile to the catalog.

use std::path::Path;

use super::new_files::create_files;
use crate::adapters::assets;
use crate::catalog::{example_image, example_profile};
use crate::cli::{New, NewFile, NewImage, NewProfile};
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::model::check_name;
use crate::ui;

pub(crate) fn run(dir: &Path, args: &New) -> Result<u8> {
    match &args.file {
        NewFile::Image(image) => create_image(dir, image),
        NewFile::Profile(profile) => create_profile(dir, profile),
    }
}

fn create_image(dir: &Path, args: &NewImage) -> Result<u8> {
    require_name("an image", &args.name)?;
    let loaded = context::load_catalog(dir)?;
    context::find_image(&loaded.catalog, &args.parent)?;
    if context::find_image(&loaded.catalog, &args.name).is_ok() {
        let text = format!("the catalog already has an image `{}`", args.name);
        return Err(Error::input(text).hint("nothing was written; use another name"));
    }
    let path = format!("images/{}.yaml", args.name);
    let text = example_image(&args.name, &args.parent);
    create_files(dir, &[(path.clone(), text)])?;
    ui::say(&format!(
        "\nAdd packages, files, scripts and checks to {path}. Then run:\n  \
         bakeline plan {}",
        args.name
    ));
    Ok(0)
}

fn create_profile(dir: &Path, args: &NewProfile) -> Result<u8> {
    require_name("a profile", &args.name)?;
    context::load_catalog(dir)?;
    let path = format!("profiles/{}.yaml", args.name);
    if assets::shipped_file(&path).is_some() {
        let text = format!("`{}` is the name of a shipped profile", args.name);
        return Err(Error::input(text).hint(format!(
            "nothing was written; use another name, and `extends: [{}]` to change this profile",
            args.name
        )));
    }
    create_files(dir, &[(path.clone(), example_profile(&args.name))])?;
    ui::say(&format!(
        "\nReplace the example control in {path}. Then try it on this machine:\n  \
         bakeline check --profile {} local",
        args.name
    ));
    Ok(0)
}

fn require_name(what: &str, name: &str) -> Result<()> {
    check_name(name).map_err(|e| {
        let text = format!("`{name}` is not a valid name of {what}");
        Error::new(ErrorKind::Usage, text).because(e)
    })
}
