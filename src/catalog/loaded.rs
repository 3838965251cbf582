//! Defines the result of loading a catalog, and the errors for variables that no image uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::codes;
use crate::catalog::expand::UnusedVariable;
use crate::catalog::files::{Files, SETTINGS_FILE};
use crate::catalog::load::load_with_unused;
use crate::catalog::types::Catalog;
use crate::catalog::yaml::source::Diagnostics;
use crate::diagnostic::{Diagnostic, Severity};

/// Result of loading a catalog.
#[derive(Debug)]
pub struct LoadedCatalog {
    /// The catalog, unless a diagnostic is an error.
    pub catalog: Option<Catalog>,
    /// Diagnostics by file and position, without those of unused variables.
    pub diagnostics: Vec<Diagnostic>,
    /// Variables that no image uses. Each is an error.
    pub unused: Vec<UnusedVariable>,
}

impl LoadedCatalog {
    /// Reports the unused variables. Returns a catalog exactly if no diagnostic is an error.
    #[must_use]
    pub fn report_unused(self) -> (Option<Catalog>, Vec<Diagnostic>) {
        if self.unused.is_empty() {
            return (self.catalog, self.diagnostics);
        }
        let mut diagnostics = Diagnostics::from(self.diagnostics);
        let unused: Vec<Diagnostic> = self.unused.into_iter().map(|u| u.diagnostic).collect();
        diagnostics.append(Diagnostics::from(unused));
        (None, diagnostics.into_sorted())
    }
}

/// Loads a catalog and returns all diagnostics by file and position.
///
/// Returns a catalog exactly if no diagnostic is an error.
///
/// The span of a diagnostic with the code [`codes::SECRET`] contains a secret. Mask it in every
/// snippet, also in those of other diagnostics.
#[must_use]
pub fn load(files: &dyn Files) -> (Option<Catalog>, Vec<Diagnostic>) {
    load_with_unused(files).report_unused()
}

/// Returns the variables that are unused for no other reason: no image that could use them has an
/// error, and the parents of all images are known.
pub(super) fn drop_consequences(
    unused: Vec<UnusedVariable>,
    diagnostics: &Diagnostics,
) -> Vec<UnusedVariable> {
    let is_error = |d: &&Diagnostic| d.severity == Severity::Error;
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(is_error).collect();
    let is_about_parent = |d: &&Diagnostic| [codes::UNKNOWN_PARENT, codes::CYCLE].contains(&d.code);
    if errors.iter().any(is_about_parent) {
        return Vec::new();
    }
    let files: BTreeSet<&str> = errors.iter().map(|d| d.span.file.as_str()).collect();
    let has_error =
        |unused: &UnusedVariable| unused.images.values().any(|p| files.contains(p.as_str()));
    unused.into_iter().filter(|u| !has_error(u)).collect()
}

/// Returns the diagnostics of a text as a profile. Only the fuzzer uses it.
#[doc(hidden)]
#[must_use]
pub fn profile_diagnostics(text: &str) -> Vec<Diagnostic> {
    let texts = [
        (SETTINGS_FILE, "name: fuzz\nregions: [eu-west-1]\n"),
        ("images/base.yaml", "source: {ssm: /a}\nprofiles: [fuzz]\n"),
        ("profiles/fuzz.yaml", text),
    ];
    let files: BTreeMap<String, Vec<u8>> = texts
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect();
    load(&files).1
}
