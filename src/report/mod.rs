//! Writes check reports in each format from one [`model`]. docs/reference/reports.md describes the formats.

pub mod build;
pub mod cyclonedx;
mod format;
pub mod html;
pub mod inspec;
pub mod json;
pub mod junit;
pub mod model;
pub mod number;
mod pretty;
pub mod status;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod text;

use crate::render::RenderError;
use model::Report;

pub use format::Format;
pub use pretty::to_pretty_json;

/// Renders a report. `page` is the text of the template [`html::TEMPLATE`].
///
/// # Errors
/// The HTML template is invalid.
pub fn write(report: &Report, format: Format, page: &str) -> Result<String, RenderError> {
    Ok(match format {
        Format::Text => terminal::write(
            report,
            terminal::Options {
                colour: false,
                passed: true,
            },
        ),
        Format::Json => json::write(report),
        Format::Inspec => inspec::write(report),
        Format::Junit => junit::write(report),
        Format::Html => return html::write(report, page),
        Format::Cyclonedx => cyclonedx::write(report),
    })
}
