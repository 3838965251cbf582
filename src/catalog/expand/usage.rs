//! Finds variables that no image uses.

use std::collections::{BTreeMap, BTreeSet};

use super::file::ImageFile;
use super::naming::{NamedImage, lineage};
use super::scope::{Definition, Level};
use crate::catalog::codes;
use crate::diagnostic::Diagnostic;
use crate::model::ImageName;

/// A variable that no image uses.
#[derive(Debug)]
pub struct UnusedVariable {
    /// Error to report, unless an image of its scope has another error.
    pub diagnostic: Diagnostic,
    /// Images that could use the variable, with the paths of their files.
    pub images: BTreeMap<ImageName, String>,
}

impl UnusedVariable {
    fn new(
        name: &str,
        definition: &Definition<'_>,
        message: String,
        images: BTreeMap<ImageName, String>,
    ) -> Self {
        let span = definition.file.span(definition.span.clone());
        let help = format!(
            "use it as `${{{name}}}` in an image file, or as `{{{{ {name} }}}}` in a file with \
             `template: true`; or remove it"
        );
        Self {
            diagnostic: Diagnostic::error(codes::UNUSED_VARIABLE, span, message).help(help),
            images,
        }
    }
}

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

    /// Returns the variables that no image uses, with the images that could use them.
    pub(super) fn find_unused(
        &self,
        files: &[ImageFile<'_>],
        catalog: &Level<'_>,
        named: &BTreeMap<String, NamedImage<'_, '_>>,
    ) -> Vec<UnusedVariable> {
        let mut out = Vec::new();
        for file in files {
            let used = self.by_file.get(file.source.path);
            let is_used = |name: &String| used.is_some_and(|used| used.contains(name));
            let own = file.variables.iter().map(|(name, definition)| {
                let message =
                    format!("neither this image nor its children use the variable `{name}`");
                (name, definition, message)
            });
            let mut axes = BTreeMap::new();
            for (name, definition) in file.combinations.iter().flatten() {
                axes.entry(name).or_insert(definition);
            }
            let axes = axes.into_iter().map(|(name, definition)| {
                let message = format!("no image uses the variable `{name}` of the matrix");
                (name, definition, message)
            });
            for (name, definition, message) in own.chain(axes).filter(|(name, ..)| !is_used(name)) {
                let images = images_below(file.source.path, named);
                out.push(UnusedVariable::new(name, definition, message, images));
            }
        }
        for (name, definition) in catalog {
            if !self.names.contains(name) {
                let message = format!("no image uses the variable `{name}`");
                let images = named.values().map(place_of).collect();
                out.push(UnusedVariable::new(name, definition, message, images));
            }
        }
        out
    }
}

/// Name and path of an image.
fn place_of(image: &NamedImage<'_, '_>) -> (ImageName, String) {
    let path = image.file.source.path.to_owned();
    (ImageName::from(image.name.as_str()), path)
}

/// Returns the images of a file and their descendants.
fn images_below(
    path: &str,
    named: &BTreeMap<String, NamedImage<'_, '_>>,
) -> BTreeMap<ImageName, String> {
    let is_below = |image: &&NamedImage<'_, '_>| {
        let lineage = lineage(image, named);
        lineage.iter().any(|one| one.file.source.path == path)
    };
    named.values().filter(is_below).map(place_of).collect()
}
