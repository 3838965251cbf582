//! Owns `--since REF`: which images differ from what git says the catalog was.

use std::collections::BTreeSet;

use super::context::Loaded;
use crate::error::{Error, Result};
use crate::model::ImageName;

/// The images that differ from the catalog at `revision`, with their descendants.
#[cfg(feature = "live")]
pub(super) fn changed(loaded: &Loaded, revision: &str) -> Result<BTreeSet<ImageName>> {
    use crate::adapters::git::Tree;
    let tree = Tree::at(loaded.files.root(), revision).map_err(|e| {
        Error::input(format!("the catalog can't be read at `{revision}`"))
            .because(e)
            .hint("give a commit, branch or tag of the repository that holds bakeline.yaml; fetch it first")
    })?;
    match crate::catalog::load(&tree) {
        (Some(before), _) => Ok(crate::plan::since::changed(&before, &loaded.catalog)),
        (None, findings) => {
            let first = findings
                .iter()
                .find(|f| f.severity == crate::diagnostic::Severity::Error);
            let said =
                first.map_or_else(String::new, |f| format!(": {}: {}", f.span.file, f.message));
            Err(
                Error::input(format!("the catalog at `{revision}` is not valid{said}"))
                    .hint("compare with a revision whose catalog is valid, or name the images"),
            )
        }
    }
}

/// The same, which this build can't read.
#[cfg(not(feature = "live"))]
pub(super) fn changed(_: &Loaded, revision: &str) -> Result<BTreeSet<ImageName>> {
    let error = Error::new(
        crate::error::Kind::Usage,
        format!("this bakeline can't read `{revision}`"),
    );
    Err(error.because(crate::adapters::offline::unavailable()))
}
