//! Merges OpenSSH configuration files. `Include` applies in place, the first value wins, and
//! conditional options are separate.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::sshd_config_parse::Directive;
use crate::facts::error::ReadError;

/// Syntax rules of the files of one program.
pub(crate) struct Dialect {
    /// Main configuration file.
    pub(crate) main: &'static str,
    /// Keywords that begin a conditional block.
    pub(crate) blocks: &'static [&'static str],
    /// True if a block that always applies overrides options outside of it (sshd). Otherwise it is
    /// read in order.
    pub(crate) overriding: bool,
    /// Repeatable keywords; each word is a value.
    pub(crate) words: &'static [&'static str],
    /// Keywords whose first line counts; each word is a value.
    pub(crate) once: &'static [&'static str],
    /// Repeatable keywords; all words of a line are one value.
    pub(crate) rows: &'static [&'static str],
    /// Aliases of keywords.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// Returns the keyword of a name, in lower case.
    pub(crate) fn keyword(&self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        let alias = self.aliases.iter().find(|(alias, _)| *alias == lower);
        alias.map_or(lower, |(_, keyword)| (*keyword).to_owned())
    }
}

/// Reason why the options of the files are unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    #[error("{0}: Include is nested more than {MAX_DEPTH} levels deep")]
    TooDeep(String),
    #[error("{0}: more than {MAX_DIRECTIVES} lines with included files")]
    TooManyLines(String),
    #[error("{0}: Include has no file")]
    NoFile(String),
    #[error("{0}: Include of a home directory is not supported")]
    HomeDirectory(String),
    #[error("{path}: {cause}")]
    Unreadable { path: String, cause: ReadError },
    /// Pattern whose files are unknown.
    #[error("{place}: Include {}: {cause}", .pattern.escape_debug())]
    UnknownFiles {
        place: String,
        pattern: String,
        cause: ReadError,
    },
}

impl From<MergeError> for ReadError {
    fn from(error: MergeError) -> Self {
        Self::invalid(error)
    }
}

/// Directives of a file, or the reason why they are unknown.
pub(crate) type Directives = Result<Rc<Vec<Directive>>, ReadError>;

/// Source of the files.
pub(crate) struct Source<'s> {
    /// Returns the directives of a file.
    pub(crate) read: &'s dyn Fn(&str) -> Directives,
    /// Returns the paths that match an absolute pattern, in order.
    pub(crate) matching: &'s dyn Fn(&str) -> Result<Vec<String>, ReadError>,
}

/// Value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionValue {
    /// Value, or all values of a repeatable option.
    pub(crate) values: Vec<String>,
    /// File and line of the first value.
    pub(crate) place: String,
}

/// Option in a block that does not always apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConditionalOption {
    /// Keyword in lower case.
    pub(crate) keyword: String,
    /// Words of the line.
    pub(crate) value: String,
    /// File and line of the option.
    pub(crate) place: String,
    /// Criteria of the block, after those of the blocks around its file.
    pub(crate) criteria: String,
}

/// Options by keyword in lower case.
#[derive(Debug, Default)]
pub(crate) struct Options {
    outside: BTreeMap<String, OptionValue>,
    always: BTreeMap<String, OptionValue>,
    conditional: Vec<ConditionalOption>,
}

impl Options {
    /// Returns the unconditional value of an option.
    pub(crate) fn get(&self, keyword: &str) -> Option<&OptionValue> {
        self.always
            .get(keyword)
            .or_else(|| self.outside.get(keyword))
    }

    /// Returns the place of the first conditional value of an option.
    pub(crate) fn conditional(&self, keyword: &str) -> Option<&str> {
        let mut found = self.conditional.iter();
        found
            .find(|option| option.keyword == keyword)
            .map(|option| option.place.as_str())
    }

    /// Returns the options of all conditional blocks, in order.
    pub(crate) fn conditional_options(&self) -> &[ConditionalOption] {
        &self.conditional
    }
}

/// Maximum depth: READCONF_MAX_DEPTH and SERVCONF_MAX_DEPTH of OpenSSH.
const MAX_DEPTH: usize = 16;
/// Maximum number of directives. Files that include each other grow with every level.
const MAX_DIRECTIVES: usize = 100_000;

/// Returns the options of the main file and its included files.
///
/// # Errors
/// Returns the path and line that is unreadable or that OpenSSH refuses.
pub(crate) fn merge(dialect: &Dialect, source: &Source<'_>) -> Result<Options, MergeError> {
    let mut walk = Merger {
        dialect,
        source,
        out: Options::default(),
        steps: 0,
    };
    walk.file(dialect.main, &Block::default(), 0)?;
    Ok(walk.out)
}

/// Block that contains a line.
#[derive(Debug, Clone, Default)]
struct Block {
    scope: Scope,
    /// Criteria of a conditional block.
    criteria: String,
}

impl Block {
    /// Returns the block that a line begins in a file with this block around it.
    fn begin(around: &Self, directive: &Directive, dialect: &Dialect) -> Self {
        let scope = match (around.scope, always_applies(directive)) {
            (Scope::Sometimes, _) | (_, false) => Scope::Sometimes,
            (_, true) if dialect.overriding => Scope::Always,
            (_, true) => Scope::Outside,
        };
        let mut criteria = around.criteria.clone();
        if scope == Scope::Sometimes {
            let separator = if criteria.is_empty() { "" } else { ", " };
            let words = directive.words.join(" ");
            criteria = format!("{criteria}{separator}{words}");
        }
        Self { scope, criteria }
    }
}

/// Scope of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Scope {
    /// Outside of blocks.
    #[default]
    Outside,
    /// Block that always applies.
    Always,
    /// Conditional block.
    Sometimes,
}

struct Merger<'a> {
    dialect: &'a Dialect,
    source: &'a Source<'a>,
    out: Options,
    steps: usize,
}

impl Merger<'_> {
    /// Reads a file. A block of the file ends with it and is never wider than the block around it.
    fn file(&mut self, path: &str, around: &Block, depth: usize) -> Result<(), MergeError> {
        if depth > MAX_DEPTH {
            return Err(MergeError::TooDeep(path.to_owned()));
        }
        let directives = (self.source.read)(path).map_err(|cause| MergeError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        let mut block = around.clone();
        self.count_directive(path)?;
        for directive in directives.iter() {
            self.count_directive(path)?;
            let place = format!("{path}:{}", directive.line);
            if directive.keyword == "include" {
                for word in &directive.words {
                    for path in self.included_files(word, &place)? {
                        self.file(&path, &block, depth + 1)?;
                    }
                }
            } else if self.dialect.blocks.contains(&directive.keyword.as_str()) {
                block = Block::begin(around, directive, self.dialect);
            } else {
                self.add_option(directive, &block, place);
            }
        }
        Ok(())
    }

    fn count_directive(&mut self, path: &str) -> Result<(), MergeError> {
        self.steps += 1;
        if self.steps > MAX_DIRECTIVES {
            return Err(MergeError::TooManyLines(path.to_owned()));
        }
        Ok(())
    }

    fn included_files(&self, word: &str, place: &str) -> Result<Vec<String>, MergeError> {
        let pattern = match word.chars().next() {
            None => return Err(MergeError::NoFile(place.to_owned())),
            Some('~') => {
                return Err(MergeError::HomeDirectory(place.to_owned()));
            }
            Some('/') => word.to_owned(),
            Some(_) => format!("/etc/ssh/{word}"),
        };
        (self.source.matching)(&pattern).map_err(|cause| MergeError::UnknownFiles {
            place: place.to_owned(),
            pattern: pattern.clone(),
            cause,
        })
    }

    fn add_option(&mut self, directive: &Directive, block: &Block, place: String) {
        let keyword = self.dialect.keyword(&directive.keyword);
        let is = |list: &[&str]| list.contains(&&*keyword);
        let (words, rows) = (is(self.dialect.words), is(self.dialect.rows));
        let values = if words || is(self.dialect.once) {
            directive.words.clone()
        } else {
            vec![directive.words.join(" ")]
        };
        let table = match block.scope {
            Scope::Outside => &mut self.out.outside,
            Scope::Always => &mut self.out.always,
            Scope::Sometimes => {
                self.out.conditional.push(ConditionalOption {
                    keyword,
                    value: directive.words.join(" "),
                    place,
                    criteria: block.criteria.clone(),
                });
                return;
            }
        };
        match table.get_mut(&keyword) {
            None => drop(table.insert(keyword, OptionValue { values, place })),
            Some(found) if words || rows => found.values.extend(values),
            Some(_) => {}
        }
    }
}

/// Returns true for `Match all`, and for `Host *` without an exception.
fn always_applies(block: &Directive) -> bool {
    match block.keyword.as_str() {
        "match" => matches!(block.words.as_slice(), [one] if one.eq_ignore_ascii_case("all")),
        _ => {
            block.words.iter().any(|w| w == "*") && !block.words.iter().any(|w| w.starts_with('!'))
        }
    }
}
