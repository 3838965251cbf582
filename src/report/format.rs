//! Defines the output formats of reports.

use crate::checks::Phase;

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
