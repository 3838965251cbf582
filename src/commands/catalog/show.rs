//! Implements `bakeline show`, and `show image`: prints an image as a build sees it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use super::show_files;
use crate::catalog::{ImageView, ValueView, show_image};
use crate::cli::{Show, ShowImage, ShowSubject};
use crate::commands::support::context;
use crate::error::{Error, Result};
use crate::ui;

pub(crate) fn run(dir: &Path, args: &Show) -> Result<u8> {
    match &args.subject {
        ShowSubject::Image(image) => print_image(dir, image),
        ShowSubject::Files(args) => show_files::list(dir, args),
        ShowSubject::File(args) => show_files::print(dir, args),
    }
}

fn print_image(dir: &Path, args: &ShowImage) -> Result<u8> {
    let ShowImage { name, json } = args;
    let loaded = context::load_catalog(dir)?;
    let name = context::find_image(&loaded.catalog, name)?;
    let view = show_image(&loaded.files, &loaded.catalog, &name)
        .ok_or_else(|| Error::input(format!("the files of `{name}` changed during the command")))?;
    if *json {
        ui::json(&view);
    } else {
        ui::data(image_yaml(&view).trim_end());
    }
    Ok(0)
}

/// Returns the image as YAML, with origins in comments.
fn image_yaml(view: &ImageView) -> String {
    let lineage = view.lineage.join(" < ");
    let mut out = format!("# {lineage} ({})\n", view.file);
    if !view.variables.is_empty() {
        out.push_str("# variables:\n");
    }
    for (name, value) in &view.variables {
        for line in value_lines(name, value) {
            let _infallible = writeln!(out, "#   {line}");
        }
    }
    for (key, value) in &view.values {
        for line in value_lines(key, value) {
            let _infallible = writeln!(out, "{line}");
        }
    }
    for ancestor in &view.inherited {
        let _infallible = writeln!(out, "# inherited from {}:", ancestor.image);
        for (key, value) in &ancestor.values {
            for line in value_lines(key, value) {
                let _infallible = writeln!(out, "#   {line}");
            }
        }
    }
    out
}

/// Returns the lines of one value. Items of lists and maps are on lines of their own, as JSON.
fn value_lines(key: &str, view: &ValueView) -> Vec<String> {
    let origin = &view.origin;
    let items: Vec<String> = match &view.value {
        Json::Array(items) if !items.is_empty() => items
            .iter()
            .map(|item| format!("  - {}", text(item)))
            .collect(),
        Json::Object(map) if !map.is_empty() => map
            .iter()
            .map(|(key, item)| format!("  {}: {}", text(&Json::from(key.as_str())), text(item)))
            .collect(),
        value => return vec![format!("{key}: {}  # {origin}", text(value))],
    };
    let mut lines = vec![format!("{key}:  # {origin}")];
    lines.extend(items);
    lines
}

/// Returns a value in one line of YAML: a word as written, other values as JSON.
fn text(value: &Json) -> String {
    let is_word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-./=+".contains(c))
            && !matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "false" | "null"
            )
    };
    match value.as_str() {
        Some(word) if is_word(word) => word.to_owned(),
        _ => value.to_string(),
    }
}
