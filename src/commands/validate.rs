//! Owns `bakeline validate`: the whole catalog, every problem at once, templates rendered for every image.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::context;
use crate::adapters::system::SystemClock;
use crate::catalog::{self, Catalog, Image, codes};
use crate::cli::Validate;
use crate::diagnostic::{Diagnostic, Span};
use crate::error::{Error, Result};
use crate::model::Tags;
use crate::plan::Plan;
use crate::plan::step::Verdict;
use crate::ports::Clock as _;
use crate::render::RenderError;
use crate::render::packer::{RunValues, files};
use crate::ui;

pub(super) fn run(dir: &Path, args: &Validate) -> Result<u8> {
    let opened = context::open(dir)?;
    let (catalog, mut findings) = catalog::load(&opened);
    if let Some(catalog) = &catalog {
        findings.extend(templates(catalog, catalog.images.values()));
        findings.extend(expired(
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
            &context::texts(&opened, &findings),
            ui::fancy(),
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
            // The process ends here; handing back a large catalog piece by piece takes longer than that.
            std::mem::forget(catalog);
            Ok(0)
        }
        _ => Err(context::invalid(&findings)),
    }
}

/// Waivers whose last day has passed: what they bore with counts again, and better here than after a build.
fn expired(catalog: &Catalog, today: Date) -> impl Iterator<Item = Diagnostic> {
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
                "mend what it is about, ask {} for a later day, or remove it",
                written.waiver.owner
            );
            Diagnostic::warning(codes::WAIVER, written.span.clone(), message).help(help)
        })
}

/// Renders every image with stand-ins for what only a run knows: a template's mistake is found here, not after an hour.
pub(super) fn templates<'c>(
    catalog: &Catalog,
    images: impl Iterator<Item = &'c Image>,
) -> Vec<Diagnostic> {
    let images: Vec<&Image> = images.collect();
    let half = images.len().div_ceil(2).max(1);
    let found: Vec<Diagnostic> = std::thread::scope(|scope| {
        let parts: Vec<_> = images
            .chunks(half)
            .map(|part| scope.spawn(move || broken(catalog, part)))
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

fn broken(catalog: &Catalog, images: &[&Image]) -> Vec<Diagnostic> {
    let values = stand_ins();
    let errors = images
        .iter()
        .filter_map(|image| files(catalog, image, &values).err());
    let finding = |error: RenderError| {
        let help = "templates may only use what they are given; see CONTRIBUTING.md, \"Templates\"";
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

/// Every template must render before anything is built.
pub(super) fn ready(catalog: &Catalog) -> Result<()> {
    rendered(catalog, catalog.images.values())
}

/// The templates of what a plan would build must render. Those of the others did when they were built, and did not change.
pub(super) fn buildable(catalog: &Catalog, plan: &Plan) -> Result<()> {
    let built = plan
        .decisions
        .iter()
        .filter(|d| d.verdict == Verdict::Build);
    rendered(catalog, built.filter_map(|d| catalog.images.get(&d.image)))
}

fn rendered<'c>(catalog: &Catalog, images: impl Iterator<Item = &'c Image>) -> Result<()> {
    match templates(catalog, images).first() {
        None => Ok(()),
        Some(finding) => {
            let place = &finding.span;
            let at = if place.line > 0 {
                format!(":{}:{}", place.line, place.column)
            } else {
                String::new()
            };
            let text = format!("{}{at}: {}", place.file, finding.message);
            Err(Error::input(text).hint("run `bakeline validate` to see all of them"))
        }
    }
}

fn stand_ins() -> RunValues {
    let text = "stand-in".to_owned();
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
