//! Owns where the reports of a check by hand go: one to stdout, or several to files.

use std::path::Path;

use crate::adapters::system;
use crate::catalog::Catalog;
use crate::cli::Check as Args;
use crate::error::{Error, Kind, Result};
use crate::report::model::Report;
use crate::report::{Format, terminal};
use crate::steps::check::CheckReport;
use crate::steps::reports::render_report;
use crate::ui;

/// The formats that were asked for.
fn wanted(args: &Args) -> Vec<Format> {
    if args.json {
        return vec![Format::Json];
    }
    Format::ALL
        .into_iter()
        .filter(|f| args.format.iter().any(|word| word == f.as_str()))
        .collect()
}

/// Said before anything is asked of a target.
///
/// # Errors
/// Several reports can't all go to stdout.
pub(super) fn possible(args: &Args) -> Result<()> {
    if args.output.is_none() && wanted(args).len() > 1 {
        return Err(
            Error::new(Kind::Usage, "several reports can't all go to stdout")
                .hint("add --output DIR"),
        );
    }
    Ok(())
}

/// Shows or writes the reports.
///
/// # Errors
/// A report can't be made, or its file can't be written: they are what was asked for.
pub(super) fn show(
    args: &Args,
    catalog: &Catalog,
    evidence: &CheckReport,
    report: &Report,
) -> Result<()> {
    let failed = |format: Format, why: String| {
        Error::new(
            Kind::StepFailed,
            format!("there is no {} report: {why}", format.as_str()),
        )
    };
    let wanted = wanted(args);
    let Some(folder) = &args.output else {
        match wanted.first() {
            Some(format) => ui::data(
                &render_report(catalog, evidence, report, *format)
                    .map_err(|why| failed(*format, why))?,
            ),
            None => ui::data(&terminal::write(
                report,
                terminal::Options {
                    colour: ui::colours(),
                    passed: false,
                },
            )),
        }
        return Ok(());
    };
    let all = if wanted.is_empty() {
        Format::ALL.to_vec()
    } else {
        wanted
    };
    for format in all {
        let text =
            render_report(catalog, evidence, report, format).map_err(|why| failed(format, why))?;
        let path = Path::new(folder).join(format.file_name(report.phase));
        system::write_atomically(&path, text.as_bytes(), 0o644)
            .map_err(|e| failed(format, e.to_string()))?;
    }
    ui::data(&terminal::write(
        report,
        terminal::Options {
            colour: ui::colours(),
            passed: false,
        },
    ));
    Ok(())
}
