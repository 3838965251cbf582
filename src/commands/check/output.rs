//! Writes the reports of `bakeline check` to stdout or to files.

use std::path::Path;

use crate::adapters::system;
use crate::catalog::Catalog;
use crate::cli::Check as Args;
use crate::error::{Error, ErrorKind, Result};
use crate::report::model::Report;
use crate::report::{Format, terminal};
use crate::steps::check::controls::CheckReport;
use crate::steps::check::reports::render_report;
use crate::ui;
use crate::ui::width::{stdout_width, wrap_message};

/// Returns the requested formats.
fn requested_formats(args: &Args) -> Vec<Format> {
    if args.json {
        return vec![Format::Json];
    }
    Format::ALL
        .into_iter()
        .filter(|f| args.format.iter().any(|word| word == f.as_str()))
        .collect()
}

/// Checks the format options before facts are collected.
///
/// # Errors
/// There are several formats but no output directory.
pub(super) fn check_formats(args: &Args) -> Result<()> {
    if args.output.is_none() && requested_formats(args).len() > 1 {
        return Err(
            Error::new(ErrorKind::Usage, "only one report can go to stdout")
                .hint("add --output DIR"),
        );
    }
    Ok(())
}

/// Prints a report, or writes reports to files.
///
/// # Errors
/// A report cannot be rendered, or a file cannot be written.
pub(super) fn write_reports(
    args: &Args,
    catalog: &Catalog,
    evidence: &CheckReport,
    report: &Report,
) -> Result<()> {
    let failed = |format: Format, why: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::StepFailed,
            format!("cannot write the {} report: {why}", format.as_str()),
        )
    };
    let wanted = requested_formats(args);
    let Some(folder) = &args.output else {
        match wanted.first() {
            Some(format) => ui::data(
                &render_report(catalog, evidence, report, *format)
                    .map_err(|why| failed(*format, &why))?,
            ),
            None => print_report(report),
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
            render_report(catalog, evidence, report, format).map_err(|why| failed(format, &why))?;
        let path = Path::new(folder).join(format.file_name(report.phase));
        system::write_atomically(&path, text.as_bytes(), 0o644).map_err(|e| failed(format, &e))?;
    }
    print_report(report);
    Ok(())
}

/// Prints the report for people. Wraps its lines on a terminal.
fn print_report(report: &Report) {
    let options = terminal::Options {
        colour: ui::stdout_has_color(),
        passed: false,
    };
    let text = terminal::write(report, options);
    match ui::stdout_is_terminal() {
        true => ui::data(&wrap_message(&text, stdout_width())),
        false => ui::data(&text),
    }
}
