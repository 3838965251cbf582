//! Writes check reports in each format from one [`model`]. docs/reports.md describes the formats.

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

/// Output format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Text for a terminal, without colour.
    Text,
    /// JSON of bakeline.
    Json,
    /// InSpec's exec-json.
    Inspec,
    /// JUnit XML.
    Junit,
    /// Single HTML page.
    Html,
    /// CycloneDX document of the installed packages.
    Cyclonedx,
}

impl Format {
    /// Complete list of formats.
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::Json,
        Self::Inspec,
        Self::Junit,
        Self::Html,
        Self::Cyclonedx,
    ];

    /// Returns the name of the format on the command line.
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

    /// Returns the name of the report file, such as `checks-boot.junit.xml`.
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

impl Finding {
    /// Returns the resource and the property, such as `file /etc/shadow mode`.
    fn subject(&self) -> String {
        format!("{} {}", self.shown, self.property)
            .trim_end()
            .to_owned()
    }
}

/// Serializes a value as indented JSON with a final line feed.
#[must_use]
pub fn pretty(value: &impl serde::Serialize) -> String {
    let mut out = serde_json::to_string_pretty(value).unwrap_or_default();
    out.push('\n');
    out
}
