//! Checks that the templates of images render.

use std::collections::BTreeMap;

use crate::catalog::{self, Catalog, Files, Image, LoadedCatalog, Placement};
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::error::{Error, Result};
use crate::model::Tags;
use crate::plan::Plan;
use crate::plan::step::PlanVerdict;
use crate::render::RenderError;
use crate::render::packer::{RunValues, files};

/// Loads the catalog and renders the templates of all images.
pub(crate) fn load_and_render(files: &dyn Files) -> (Option<Catalog>, Vec<Diagnostic>) {
    render(catalog::load_with_unused(files))
}

/// Loads the catalog. Renders templates only if they could explain unused variables.
pub(super) fn load(files: &dyn Files) -> (Option<Catalog>, Vec<Diagnostic>) {
    let loaded = catalog::load_with_unused(files);
    if loaded.unused.is_empty() {
        return loaded.report_unused();
    }
    let (catalog, findings) = render(loaded);
    let has_error = findings.iter().any(|f| f.severity == Severity::Error);
    (catalog.filter(|_| !has_error), findings)
}

/// Adds the errors of templates. They replace the unused variables that they explain: a wrong name
/// in a template leaves the variable with the right name unused.
fn render(mut loaded: LoadedCatalog) -> (Option<Catalog>, Vec<Diagnostic>) {
    let Some(catalog) = &loaded.catalog else {
        return loaded.report_unused();
    };
    let found = template_findings(catalog, catalog.images.values());
    drop_explained(&mut loaded.unused, catalog, &found);
    let (catalog, mut findings) = loaded.report_unused();
    findings.extend(found);
    (catalog, findings)
}

/// Removes the unused variables of images whose templates have errors.
fn drop_explained(
    unused: &mut Vec<catalog::UnusedVariable>,
    catalog: &Catalog,
    found: &[Diagnostic],
) {
    if found.is_empty() {
        return;
    }
    unused.retain(|unused| {
        let images = unused.images.keys();
        let images = images.filter_map(|name| catalog.images.get(name));
        template_findings(catalog, images).is_empty()
    });
}

/// Renders the templates of images with placeholders for the values of a run, and returns the
/// errors.
pub(crate) fn template_findings<'c>(
    catalog: &Catalog,
    images: impl Iterator<Item = &'c Image>,
) -> Vec<Diagnostic> {
    let images: Vec<&Image> = images.collect();
    let half = images.len().div_ceil(2).max(1);
    let found: Vec<Diagnostic> = std::thread::scope(|scope| {
        let parts: Vec<_> = images
            .chunks(half)
            .map(|part| scope.spawn(move || render_errors(catalog, part)))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    let mut out: Vec<Diagnostic> = Vec::new();
    for finding in found {
        if !out.contains(&finding) {
            out.push(finding);
        }
    }
    out
}

fn render_errors(catalog: &Catalog, images: &[&Image]) -> Vec<Diagnostic> {
    let values = placeholder_values(catalog);
    let errors = images.iter().filter_map(|image| {
        let mut error = files(catalog, image, &values).err()?;
        if image.template.as_ref() == Some(&error.template) {
            error.message = format!("{} (image `{}`)", error.message, image.name);
        }
        Some(error)
    });
    let finding = |error: RenderError| {
        let help = if error.template.starts_with("templates/") {
            "see the page Own templates of the documentation for their variables"
        } else {
            "see the page Variables and matrices of the documentation for the variables of a file template"
        };
        let text = catalog
            .files
            .get(&error.template)
            .map(|bytes| String::from_utf8_lossy(bytes));
        let place = match (error.at.clone(), text) {
            (Some(span), Some(text)) => Span::from_range(error.template.clone(), &text, span),
            _ => Span::file(error.template.clone()),
        };
        Diagnostic::error("TPL001", place, error.message).help(help)
    };
    errors.map(finding).collect()
}

/// Checks that the templates of all images render.
pub(crate) fn check_all_templates(catalog: &Catalog) -> Result<()> {
    require_rendered(catalog, catalog.images.values())
}

/// Checks that the templates of the images that a plan builds render.
pub(crate) fn check_planned_templates(catalog: &Catalog, plan: &Plan) -> Result<()> {
    let built = plan
        .decisions
        .iter()
        .filter(|d| d.verdict == PlanVerdict::Build);
    require_rendered(catalog, built.filter_map(|d| catalog.images.get(&d.image)))
}

fn require_rendered<'c>(catalog: &Catalog, images: impl Iterator<Item = &'c Image>) -> Result<()> {
    match template_findings(catalog, images).first() {
        None => Ok(()),
        Some(finding) => {
            let place = &finding.span;
            let at = if place.line > 0 {
                format!(":{}:{}", place.line, place.column)
            } else {
                String::new()
            };
            let text = format!("{}{at}: {}", place.file, finding.message);
            Err(Error::input(text).hint("run `bakeline validate` to see all problems"))
        }
    }
}

fn placeholder_values(catalog: &Catalog) -> RunValues {
    let text = "placeholder".to_owned();
    RunValues {
        region: text.clone(),
        placement: Placement::default(),
        base_ami: text.clone(),
        ami_name: text.clone(),
        tags: Tags::from([(text.clone(), text.clone())]),
        run_tags: Tags::from([(text.clone(), text.clone())]),
        key_name: text.clone(),
        key_file: text.clone(),
        group: text.clone(),
        root_device: text.clone(),
        other_devices: Vec::new(),
        kms_key: catalog.settings.build_key().map(str::to_owned),
        endpoint: Some(text.clone()),
        poll_seconds: 1,
        user_data: String::new(),
        environment: BTreeMap::from([(text.clone(), text.clone())]),
        program: text.clone(),
        check_request: text,
        packer: semver::Version::new(1, 16, 0),
    }
}
