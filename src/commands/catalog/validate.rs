//! Implements `bakeline validate`: checks the catalog, and renders the templates of all images.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::adapters::system::SystemClock;
use crate::catalog::{self, Catalog, Image, codes};
use crate::cli::Validate;
use crate::commands::support::context;
use crate::diagnostic::{Diagnostic, Span};
use crate::error::{Error, Result};
use crate::model::Tags;
use crate::plan::Plan;
use crate::plan::step::PlanVerdict;
use crate::ports::Clock as _;
use crate::render::RenderError;
use crate::render::packer::{RunValues, files};
use crate::ui;

pub(crate) fn run(dir: &Path, args: &Validate) -> Result<u8> {
    let opened = context::open_files(dir)?;
    let (catalog, mut findings) = catalog::load(&opened);
    if let Some(catalog) = &catalog {
        findings.extend(template_findings(catalog, catalog.images.values()));
        findings.extend(expired_waivers(
            catalog,
            SystemClock.now().to_zoned(TimeZone::UTC).date(),
        ));
    }
    let errors = findings
        .iter()
        .any(|f| f.severity == crate::diagnostic::Severity::Error);
    if args.json {
        ui::json(&findings);
    } else if !findings.is_empty() {
        ui::say(&ui::snippet::render(
            &findings,
            &context::source_texts(&opened, &findings),
            ui::stderr_is_terminal(),
        ));
    }
    match catalog {
        Some(catalog) if !errors => {
            if !args.json {
                ui::say(&format!(
                    "{}: {} images, all valid",
                    catalog.settings.name,
                    catalog.images.len()
                ));
            }
            // The process ends here, and dropping a large catalog takes time.
            std::mem::forget(catalog);
            Ok(0)
        }
        _ => Err(context::invalid_catalog(&findings)),
    }
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
    let values = placeholder_values();
    let errors = images
        .iter()
        .filter_map(|image| files(catalog, image, &values).err());
    let finding = |error: RenderError| {
        let help = "see \"Templates\" in CONTRIBUTING.md for the variables that templates can use";
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

fn placeholder_values() -> RunValues {
    let text = "placeholder".to_owned();
    RunValues {
        region: text.clone(),
        base_ami: text.clone(),
        ami_name: text.clone(),
        tags: Tags::from([(text.clone(), text.clone())]),
        run_tags: Tags::from([(text.clone(), text.clone())]),
        key_name: text.clone(),
        key_file: text.clone(),
        group: text.clone(),
        root_device: text.clone(),
        endpoint: Some(text.clone()),
        poll_seconds: 1,
        user_data: String::new(),
        environment: BTreeMap::from([(text.clone(), text.clone())]),
        program: text.clone(),
        check_request: text,
        packer: semver::Version::new(1, 16, 0),
    }
}
