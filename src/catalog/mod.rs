//! Owns the way from the user's YAML texts to a valid [`Catalog`], or to every problem at once.
//!
//! A text goes through `yaml` (a tree with spans), `secrets`, `shape` (keys and types, against the JSON Schema made
//! from the raw types), `de` (the raw types of `raw`), then `settings` or `image` (what can be said of one file), and all
//! of them through `links` (what holds between files). Each stage reports what it finds and hands on what is usable.

mod checker;
mod checks;
pub mod codes;
pub mod defaults;
mod files;
mod image;
mod load;
mod profiles;
mod raw;
mod schema;
mod settings;
mod syntax;
#[cfg(test)]
mod tests;
mod types;
mod yaml;

pub use files::{Files, Lookup};
pub use load::{SETTINGS_FILE, load, load_settings, profile_diagnostics};
pub use profiles::waivers::CatalogWaiver;
pub use schema::schemas;
pub use types::*;
