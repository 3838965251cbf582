//! Implements `--since REF`: finds the images that changed since a Git revision.

use std::collections::BTreeSet;

use crate::commands::support::context::LoadedCatalog;
use crate::error::{Error, Result};
use crate::model::ImageName;

/// Returns the images that changed since `revision`, and their descendants.
#[cfg(feature = "live")]
pub(crate) fn changed_images(
    loaded: &LoadedCatalog,
    revision: &str,
) -> Result<BTreeSet<ImageName>> {
    use crate::adapters::git::GitTree;
    let tree = GitTree::open(loaded.files.root(), revision).map_err(|e| {
        Error::input(format!("cannot read the catalog at `{revision}`"))
            .because(e)
            .hint("use a commit, branch or tag of the repository of the catalog; fetch it first")
    })?;
    match crate::catalog::load(&tree) {
        (Some(before), _) => Ok(crate::plan::since::changed_images(&before, &loaded.catalog)),
        (None, findings) => {
            let first = findings
                .iter()
                .find(|f| f.severity == crate::diagnostic::Severity::Error);
            let reason =
                first.map_or_else(String::new, |f| format!(": {}: {}", f.span.file, f.message));
            Err(
                Error::input(format!("the catalog at `{revision}` is not valid{reason}"))
                    .hint("use a revision with a valid catalog, or pass the names of images"),
            )
        }
    }
}

/// Returns an error: this build cannot read Git.
#[cfg(not(feature = "live"))]
pub(crate) fn changed_images(_: &LoadedCatalog, revision: &str) -> Result<BTreeSet<ImageName>> {
    let error = Error::new(
        crate::error::ErrorKind::Usage,
        format!("this build of bakeline cannot read the Git revision `{revision}`"),
    );
    Err(error.because(crate::adapters::offline::offline_error()))
}
