//! Check language of bakeline: controls, a collector for facts, and the evaluation of controls.
//!
//! The crate performs no I/O. The caller runs the script of [`collector`] on a target and passes
//! the output to [`parse_and_conceal_facts`]. [`judge`] then returns the verdicts.

mod collect;
mod evaluate;
mod exclusion;
mod facts;
mod language;
mod matcher;
mod phase;
mod problem;
mod registry;
mod resource;
mod resource_type;
mod text;

pub use collect::frames::{CollectError, parse_facts};
pub use collect::seal::leftover_identity;
pub use collect::{CollectOptions, collector};
pub use evaluate::contents::SystemContents;
pub use evaluate::gate::{Counts, Gate, Status};
pub use evaluate::input_values::{InputValue, input_values, parse_and_conceal_facts};
pub use evaluate::judge::judge;
pub use evaluate::system::{InstalledPackage, System};
pub use evaluate::verdict::{Finding, Outcome, Summary, Verdict, summary};
pub use facts::blob::Blob;
pub use facts::{Facts, Identity, Read, Reading};
pub use language::control::{
    Control, Expectation, Expected, Group, IfAbsent, Item, Mode, SourceLocation,
};
pub use language::digest::{combine_digests, digest, digests};
pub use language::ids::IdAllocator;
pub use language::input::{Input, InputRules, WrittenInput, parse_inputs, unknown_input};
pub use language::parse::{ParseContext, parse_control};
pub use language::reference::reference;
pub use language::schema::{WrittenCheck, WrittenOverride, WrittenUse};
pub use language::waiver::Waiver;
pub use matcher::Matcher;
pub use matcher::tree::Tree;
pub use phase::Phase;
pub use problem::{Part, Problem};
pub use resource::filesystem::file::{FileFact, Stat};
pub use resource_type::ResourceRef;
pub use text::sh_quote;

/// Entry points for fuzzing.
#[doc(hidden)]
pub mod fuzz {
    /// Parses `text` as an sshd configuration. Each `Include` in it resolves to `text` again.
    pub fn sshd_config(text: &str) {
        crate::resource::ssh::sshd_config::read_alone(text);
    }
}

/// Returns the facts about the file at a path.
#[must_use]
pub fn file_fact(facts: &Facts, path: &str) -> Option<FileFact> {
    resource::filesystem::file::fact(facts, path)
}

/// Returns the paths of the files in the facts.
pub fn file_paths(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.keys("file")
}

#[cfg(test)]
mod tests;
