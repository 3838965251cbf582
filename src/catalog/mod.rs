//! Loads the catalog: turns YAML files into a valid [`Catalog`], or reports all problems.
//!
//! `yaml` parses a file, validates keys and types against the JSON Schema of the types in `raw`,
//! and deserializes it. `settings`, `image` and `profiles` check the values of one file.
//! `image::link` and `profiles::controls` check what holds between files. Each stage reports its
//! problems and passes on the values that are usable.

mod address;
mod checker;
mod checks;
pub mod codes;
pub mod defaults;
mod expand;
mod files;
mod image;
mod load;
mod loaded;
mod misplaced;
mod profiles;
mod raw;
mod read;
mod schema;
mod settings;
mod show;
mod starter;
mod syntax;
#[cfg(test)]
mod tests;
mod types;
mod yaml;

pub(crate) use checker::quote_text;
pub use expand::UnusedVariable;
pub use files::{FileProperties, Files, Lookup, MISSING_SETTINGS_HELP, SETTINGS_FILE, is_yaml};
pub use load::{load_settings, load_with_unused};
pub use loaded::{LoadedCatalog, load, profile_diagnostics};
pub use misplaced::misplaced_files;
pub use schema::schemas;
pub use show::{ImageView, InheritedView, ValueView, show_image};
pub use starter::{Starter, StarterValue, editor_files, example_image, example_profile};
pub(crate) use syntax::format_duration;
pub use types::*;
