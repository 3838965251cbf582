//! Writes the sample report in every format, for the tests with third-party clients.

#![expect(clippy::disallowed_methods, reason = "the test writes files")]

use std::path::Path;

use bakeline::report::{Format, model::Report, write};

/// Writes the reports to `BAKELINE_SAMPLE_REPORTS`, if set.
#[test]
fn sample_report_is_written_in_every_format() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let report: Report = serde_json::from_str(&text("tests/data/report.json")).expect("report");
    let page = text(bakeline::report::html::TEMPLATE);
    let temporary = tempfile::tempdir().expect("directory");
    let dir = std::env::var_os("BAKELINE_SAMPLE_REPORTS")
        .map_or_else(|| temporary.path().to_owned(), Into::into);
    for format in Format::ALL {
        let written = write(&report, format, &page).expect("report");
        std::fs::write(dir.join(format.file_name(report.phase)), &written).expect("write");
        assert!(written.len() > 1000, "{format:?}");
    }
}
