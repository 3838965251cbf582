//! Implements `bakeline validate`: checks the catalog, and renders the templates of all images.

use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::adapters::assets;
use crate::adapters::catalog_files::CatalogFiles;
use crate::adapters::system::SystemClock;
use crate::catalog::{Catalog, Files as _, codes, misplaced_files};
use crate::cli::{Validate, ValidateFormat};
use crate::commands::support::{context, templates};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::error::Result;
use crate::ports::Clock as _;
use crate::ui;

pub(crate) fn run(dir: &Path, args: &Validate) -> Result<u8> {
    let opened = context::open_files(dir)?;
    let (catalog, mut findings) = templates::load_and_render(&opened);
    findings.extend(misplaced_files(&opened));
    if let Some(catalog) = &catalog {
        findings.extend(missing_images(catalog));
        findings.extend(unused_overrides(&opened));
        findings.extend(misplaced_templates(&opened));
        findings.extend(expired_waivers(
            catalog,
            SystemClock.now().to_zoned(TimeZone::UTC).date(),
        ));
    }
    let errors = findings
        .iter()
        .any(|f| f.severity == crate::diagnostic::Severity::Error);
    let format = if args.json {
        ValidateFormat::Json
    } else {
        args.format
    };
    match format {
        ValidateFormat::Text => {}
        ValidateFormat::Json => ui::json(&findings),
        ValidateFormat::Codequality => ui::json(&ui::code_quality::diagnostic_findings(
            &findings,
            &opened.folder_in_repository(),
        )),
    }
    let is_text = format != ValidateFormat::Json;
    if is_text && !findings.is_empty() {
        ui::say(&ui::snippet::render(
            &findings,
            &context::source_texts(&opened, &findings),
            ui::stderr_has_color(),
        ));
    }
    match catalog {
        Some(catalog) if !errors => {
            if is_text && !catalog.images.is_empty() {
                let images = match catalog.images.len() {
                    1 => "1 image, valid".to_owned(),
                    many => format!("{many} images, all valid"),
                };
                ui::say(&format!("{}: {images}", catalog.settings.name));
            }
            // The process ends here, and dropping a large catalog takes time.
            std::mem::forget(catalog);
            Ok(0)
        }
        _ => Err(context::invalid_catalog(&findings)),
    }
}

/// Returns a warning for a catalog without images.
fn missing_images(catalog: &Catalog) -> Option<Diagnostic> {
    let message = format!("the catalog `{}` has no images", catalog.settings.name);
    catalog.images.is_empty().then(|| {
        Diagnostic::warning(codes::NO_IMAGES, Span::file("images"), message).help(
            "add images/NAME.yaml with `source` or `parent`; `bakeline init DIR` writes examples",
        )
    })
}

/// Returns a warning for each file in a folder of shipped templates that replaces none of them.
fn unused_overrides(files: &CatalogFiles) -> Vec<Diagnostic> {
    let shipped = assets::shipped_paths();
    let folders = [
        "templates/provision",
        "templates/notify",
        "templates/report",
    ];
    let own = folders.into_iter().flat_map(|folder| files.list(folder));
    own.filter(|path| !shipped.contains(path))
        .map(|path| {
            let message = format!("`{path}` replaces no shipped template, so it is not used");
            let near = nearest(&path, shipped.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`? `bakeline show files` lists all"),
                None => "`bakeline show files` lists the shipped templates".to_owned(),
            };
            Diagnostic::warning(codes::UNUSED_OVERRIDE, Span::file(&path), message).help(help)
        })
        .collect()
}

/// Returns a warning for each file with the path of a shipped template in a folder with a similar name.
fn misplaced_templates(files: &CatalogFiles) -> Vec<Diagnostic> {
    let shipped = assets::shipped_paths();
    let folders = ["template", "Template", "Templates"];
    let found = folders.into_iter().flat_map(|folder| files.list(folder));
    found
        .filter_map(|path| {
            let (_, below) = path.split_once('/')?;
            let place = format!("templates/{below}");
            let message = format!("`{path}` looks like a template, but bakeline does not read it");
            let warning = Diagnostic::warning(codes::MISPLACED_FILE, Span::file(&path), message)
                .help(format!("move it to {place}"));
            shipped.contains(&place).then_some(warning)
        })
        .collect()
}

/// Returns a warning for each expired waiver.
fn expired_waivers(catalog: &Catalog, today: Date) -> impl Iterator<Item = Diagnostic> {
    catalog
        .waivers
        .iter()
        .filter(move |written| written.waiver.is_expired(today))
        .map(|written| {
            let message = format!(
                "this waiver of `{}` expired on {}",
                written.control, written.waiver.expires
            );
            let help = format!(
                "fix the failure, ask {} to extend the waiver, or remove it",
                written.waiver.owner
            );
            Diagnostic::warning(codes::WAIVER, written.span.clone(), message).help(help)
        })
}
