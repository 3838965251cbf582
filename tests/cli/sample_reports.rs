//! Owns writing the sample report in every format, for the clients of others to judge.

#![expect(
    clippy::disallowed_methods,
    reason = "a test writes files, and is told where"
)]

use std::path::Path;

use bakeline::report::{Format, model::Report, write};

/// `BAKELINE_SAMPLE_REPORTS=DIR` keeps them.
#[test]
fn sample_reports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let report: Report = serde_json::from_str(&text("tests/data/report.json")).expect("a report");
    let page = text(bakeline::report::html::TEMPLATE);
    let own = tempfile::tempdir().expect("a folder");
    let folder = std::env::var_os("BAKELINE_SAMPLE_REPORTS")
        .map_or_else(|| own.path().to_owned(), Into::into);
    for format in Format::ALL {
        let written = write(&report, format, &page).expect("a report");
        std::fs::write(folder.join(format.file_name(report.phase)), &written)
            .expect("a written report");
        assert!(written.len() > 1000, "{format:?}");
    }
}
