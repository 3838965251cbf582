//! Finds variables that no image uses.

use std::collections::{BTreeMap, BTreeSet};

use super::file::ImageFile;
use super::naming::NamedImage;
use super::scope::Level;
use crate::catalog::codes;
use crate::catalog::yaml::node::ByteRange;
use crate::catalog::yaml::source::{Diagnostics, SourceFile};

/// Variables that images use.
#[derive(Default)]
pub(super) struct UsedVariables {
    /// Names by path of the file that may define them.
    by_file: BTreeMap<String, BTreeSet<String>>,
    /// Names that any image uses.
    names: BTreeSet<String>,
}

impl UsedVariables {
    /// Adds the names that the first image of a lineage uses.
    pub(super) fn add_names(
        &mut self,
        lineage: &[&NamedImage<'_, '_>],
        names: impl IntoIterator<Item = String>,
    ) {
        let names: BTreeSet<String> = names.into_iter().collect();
        for image in lineage {
            self.add(image, &names);
        }
        self.names.extend(names);
    }

    /// Adds the names that an image or one of its descendants uses.
    fn add(&mut self, image: &NamedImage<'_, '_>, names: &BTreeSet<String>) {
        let path = image.file.source.path;
        let known = match self.by_file.get_mut(path) {
            Some(known) => known,
            None => self.by_file.entry(path.to_owned()).or_default(),
        };
        known.extend(names.iter().chain(&image.used).cloned());
        self.names.extend(image.used.iter().cloned());
    }

    pub(super) fn report_unused(
        &self,
        files: &[ImageFile<'_>],
        catalog: &Level<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        let mut report = |file: SourceFile<'_>, range: &ByteRange, message: String| {
            diagnostics
                .error(codes::UNUSED_VARIABLE, file.span(range.clone()), message)
                .help("remove it, or use it as `${NAME}`");
        };
        for file in files {
            let used = self.by_file.get(file.source.path);
            let is_used = |name: &String| used.is_some_and(|used| used.contains(name));
            for (name, definition) in &file.variables {
                if !is_used(name) {
                    let message =
                        format!("neither this image nor its children use the variable `{name}`");
                    report(file.source, &definition.span, message);
                }
            }
            let axes: BTreeSet<&String> = file.combinations.iter().flat_map(|c| c.keys()).collect();
            for name in axes.into_iter().filter(|name| !is_used(name)) {
                if let Some(definition) = file.combinations.iter().find_map(|c| c.get(name)) {
                    let message = format!("no image uses the variable `{name}` of the matrix");
                    report(file.source, &definition.span, message);
                }
            }
        }
        for (name, definition) in catalog {
            if !self.names.contains(name) {
                let message = format!("no image uses the variable `{name}`");
                report(definition.file, &definition.span, message);
            }
        }
    }
}
