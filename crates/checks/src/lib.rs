//! Checks: a language for controls, a collector for facts, and the evaluation of controls by these facts.
//!
//! The crate has no effects. The caller runs the script of [`collector`] on a target and passes its output to [`collected`];
//! [`judge`] returns the verdicts.

mod collect;
mod evaluate;
mod facts;
mod kind;
mod language;
mod matcher;
mod phase;
mod problem;
mod registry;
mod resource;
mod text;

pub use collect::frames::{CollectError, parse};
pub use collect::seal::unsealed;
pub use collect::{CollectOptions, collector};
pub use evaluate::gate::{Counts, Gate, Status};
pub use evaluate::given::{Given, collected, given};
pub use evaluate::inventory::Inventory;
pub use evaluate::judge::judge;
pub use evaluate::system::{Installed, System};
pub use evaluate::verdict::{Finding, Outcome, Summary, Verdict, summary};
pub use facts::blob::Blob;
pub use facts::{Facts, Identity, Read, Reading};
pub use kind::Target;
pub use language::control::{Control, Expectation, Expected, Group, IfAbsent, Item, Mode, Origin};
pub use language::digest::{combined, digest, digests};
pub use language::draft::{Around, read};
pub use language::input::{Input, InputRules, WrittenInput, inputs, no_input};
pub use language::reference::reference;
pub use language::schema::{WrittenCheck, WrittenOverride, WrittenUse};
pub use language::taken::Taken;
pub use language::waiver::Waiver;
pub use matcher::Matcher;
pub use matcher::tree::Tree;
pub use phase::Phase;
pub use problem::{Part, Problem};
pub use resource::filesystem::file::{FileFact, Stat};
pub use text::sh_quote;

/// Entry points for fuzzing.
#[doc(hidden)]
pub mod fuzz {
    /// Parses a text as a configuration of the SSH server in which each `Include` includes the same text.
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
    facts.asked("file")
}

#[cfg(test)]
mod tests;
