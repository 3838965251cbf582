//! Merges configuration files of OpenSSH: `Include` in place, the first value wins, what is conditional stays apart.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::sshd_config_parse::Directive;

/// How the files of one program are read.
pub(crate) struct Dialect {
    /// The program's own file.
    pub(crate) main: &'static str,
    /// Keywords that begin a block with a condition.
    pub(crate) blocks: &'static [&'static str],
    /// Whether what stands in a block that always holds wins over what stands outside (sshd), or is just read in its turn.
    pub(crate) overriding: bool,
    /// Keywords that may be repeated, each of their words being a value.
    pub(crate) words: &'static [&'static str],
    /// Keywords of which the first counts, each of its words being a value.
    pub(crate) once: &'static [&'static str],
    /// Keywords that may be repeated, all their words together being one value.
    pub(crate) rows: &'static [&'static str],
    /// Other names of keywords.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// The keyword that a name stands for, in lower case.
    pub(crate) fn keyword(&self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        let alias = self.aliases.iter().find(|(alias, _)| *alias == lower);
        alias.map_or(lower, |(_, keyword)| (*keyword).to_owned())
    }
}

/// What a file says, or why that is not known.
pub(crate) type Said = Result<Rc<Vec<Directive>>, String>;

/// Where files come from.
pub(crate) struct Source<'s> {
    /// The directives of the file at a path.
    pub(crate) read: &'s dyn Fn(&str) -> Said,
    /// The paths that match an absolute pattern, in order.
    pub(crate) matching: &'s dyn Fn(&str) -> Result<Vec<String>, String>,
}

/// What an option is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// One value, or all values of what may be repeated.
    pub(crate) values: Vec<String>,
    /// The file and line of the first.
    pub(crate) place: String,
}

/// The options that files set, by keyword in lower case.
#[derive(Debug, Default)]
pub(crate) struct Options {
    outside: BTreeMap<String, Found>,
    always: BTreeMap<String, Found>,
    conditional: BTreeMap<String, String>,
}

impl Options {
    /// What an option is set to, whoever connects.
    pub(crate) fn get(&self, keyword: &str) -> Option<&Found> {
        self.always
            .get(keyword)
            .or_else(|| self.outside.get(keyword))
    }

    /// Where an option is set under a condition.
    pub(crate) fn conditional(&self, keyword: &str) -> Option<&str> {
        self.conditional.get(keyword).map(String::as_str)
    }
}

/// READCONF_MAX_DEPTH and SERVCONF_MAX_DEPTH of OpenSSH.
const DEEPEST: usize = 16;
/// The most directives that are looked at: files that include each other several times grow with every level.
const MOST: usize = 100_000;

/// What the main file and all that it includes set.
///
/// # Errors
/// A file that can't be read or that OpenSSH would refuse, by path and line.
pub(crate) fn merge(dialect: &Dialect, source: &Source<'_>) -> Result<Options, String> {
    let mut walk = Walk {
        dialect,
        source,
        out: Options::default(),
        steps: 0,
    };
    walk.file(dialect.main, Scope::Outside, 0)?;
    Ok(walk.out)
}

/// For whom a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// For everybody.
    Outside,
    /// For everybody, in a block that says so.
    Always,
    /// For some.
    Sometimes,
}

struct Walk<'a> {
    dialect: &'a Dialect,
    source: &'a Source<'a>,
    out: Options,
    steps: usize,
}

impl Walk<'_> {
    /// A block that a file begins ends with the file, and is never wider than the one around.
    fn file(&mut self, path: &str, around: Scope, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("{path}: Include goes deeper than {DEEPEST} files"));
        }
        let directives = (self.source.read)(path).map_err(|why| format!("{path}: {why}"))?;
        let mut scope = around;
        self.step(path)?;
        for directive in directives.iter() {
            self.step(path)?;
            let place = format!("{path}:{}", directive.line);
            if directive.keyword == "include" {
                for word in &directive.words {
                    for path in self.included(word, &place)? {
                        self.file(&path, scope, depth + 1)?;
                    }
                }
            } else if self.dialect.blocks.contains(&directive.keyword.as_str()) {
                scope = match (around, holds_always(directive)) {
                    (Scope::Sometimes, _) | (_, false) => Scope::Sometimes,
                    (_, true) if self.dialect.overriding => Scope::Always,
                    (_, true) => Scope::Outside,
                };
            } else {
                self.take(directive, scope, place);
            }
        }
        Ok(())
    }

    fn step(&mut self, path: &str) -> Result<(), String> {
        self.steps += 1;
        if self.steps > MOST {
            return Err(format!(
                "{path}: the files have more than {MOST} lines with what they include"
            ));
        }
        Ok(())
    }

    fn included(&self, word: &str, place: &str) -> Result<Vec<String>, String> {
        let pattern = match word.chars().next() {
            None => return Err(format!("{place}: Include names no file")),
            Some('~') => {
                return Err(format!(
                    "{place}: Include of a home directory can't be followed"
                ));
            }
            Some('/') => word.to_owned(),
            Some(_) => format!("/etc/ssh/{word}"),
        };
        (self.source.matching)(&pattern)
            .map_err(|why| format!("{place}: Include {}: {why}", pattern.escape_debug()))
    }

    fn take(&mut self, directive: &Directive, scope: Scope, place: String) {
        let keyword = self.dialect.keyword(&directive.keyword);
        let is = |list: &[&str]| list.contains(&&*keyword);
        let (words, rows) = (is(self.dialect.words), is(self.dialect.rows));
        let values = if words || is(self.dialect.once) {
            directive.words.clone()
        } else {
            vec![directive.words.join(" ")]
        };
        let table = match scope {
            Scope::Outside => &mut self.out.outside,
            Scope::Always => &mut self.out.always,
            Scope::Sometimes => {
                self.out.conditional.entry(keyword).or_insert(place);
                return;
            }
        };
        match table.get_mut(&keyword) {
            None => drop(table.insert(keyword, Found { values, place })),
            Some(found) if words || rows => found.values.extend(values),
            Some(_) => {}
        }
    }
}

/// `Match all`, and `Host *` without an exception.
fn holds_always(block: &Directive) -> bool {
    match block.keyword.as_str() {
        "match" => matches!(block.words.as_slice(), [one] if one.eq_ignore_ascii_case("all")),
        _ => {
            block.words.iter().any(|w| w == "*") && !block.words.iter().any(|w| w.starts_with('!'))
        }
    }
}
