//! Owns the reports of checks: from one model to a text in each format.
//!
//! Nothing here decides: what failed and what counts is in the [`model`]. docs/reports.md has the tables.

pub mod build;
pub mod cyclonedx;
pub mod html;
pub mod inspec;
pub mod json;
pub mod junit;
pub mod model;
pub mod number;
pub mod status;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod text;

use crate::checks::Phase;
use crate::render::RenderError;
use model::{Finding, Report};

/// What a report can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For a terminal, without colour.
    Text,
    /// Our own JSON.
    Json,
    /// InSpec's exec-json.
    Inspec,
    /// JUnit XML.
    Junit,
    /// One HTML page.
    Html,
    /// The packages as a CycloneDX document.
    Cyclonedx,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::Json,
        Self::Inspec,
        Self::Junit,
        Self::Html,
        Self::Cyclonedx,
    ];

    /// The word for it on a command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Inspec => "inspec-json",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Cyclonedx => "cyclonedx",
        }
    }

    /// The name of its file, such as `checks-boot.junit.xml`.
    #[must_use]
    pub fn file_name(self, phase: Phase) -> String {
        let (stem, ending) = match self {
            Self::Text => ("checks", "txt"),
            Self::Json => ("checks", "json"),
            Self::Inspec => ("checks", "inspec.json"),
            Self::Junit => ("checks", "junit.xml"),
            Self::Html => ("checks", "html"),
            Self::Cyclonedx => ("packages", "cdx.json"),
        };
        format!("{stem}-{}.{ending}", phase.as_str())
    }
}

/// Writes a report; `page` is the text of the template [`html::TEMPLATE`].
///
/// # Errors
/// The template of the page is wrong.
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

impl Finding {
    /// What was looked at, and what of it.
    fn subject(&self) -> String {
        format!("{} {}", self.shown, self.property)
            .trim_end()
            .to_owned()
    }
}

/// Indented, with a line feed at its end.
#[must_use]
pub fn pretty(value: &impl serde::Serialize) -> String {
    let mut out = serde_json::to_string_pretty(value).unwrap_or_default();
    out.push('\n');
    out
}
