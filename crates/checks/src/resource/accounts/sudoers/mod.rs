//! The `sudoers` resource: rules of sudo in all its files.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use self::parse::Statement;
use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::{Parsed, View};
use crate::resource::filesystem::walk::{Entry, load_entries};
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "sudoers",
    "Rules of sudo in /etc/sudoers and all included files and directories, in any place. sudo.conf \
     can name another main file. More than 200 files are an error. A system without sudoers has \
     no rules. Rules in LDAP are not read.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[
    Property::new(
        "passwordless",
        ValueType::List,
        "Users and `%groups` with NOPASSWD, `!authenticate` or `exempt_group`, for any command. \
         User aliases are replaced by their members. `ALL` means every user.",
    ),
    Property::new(
        "rules",
        ValueType::List,
        "Rules with single spaces: `bob ALL=(ALL) ALL`.",
    ),
    Property::new("files", ValueType::List, "Files that sudo reads, in order."),
    Property::new(
        "unsafe",
        ValueType::List,
        "Files, included directories and their parent directories that root does not own, or that \
         the group or others can write.",
    ),
    Property::new(
        "problems",
        ValueType::List,
        "Missing and circular includes, and lines that are not rules: `FILE:LINE: PROBLEM`.",
    ),
])
.with_details(details)
.with_collection(include_str!("../sudoers.sh"), requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["sudoers_files".to_owned()]
}

/// Reason why the rules are unknown.
#[derive(Debug, thiserror::Error)]
enum SudoersError {
    #[error("more than 200 files are included")]
    TooManyFiles,
    /// Escape in a path that depends on the running system.
    #[error("{0}: `%h` in the path of an include is not supported")]
    HostName(String),
    #[error("{place}: {path}: {reason}")]
    Directory {
        place: String,
        path: String,
        reason: String,
    },
}

impl From<SudoersError> for ReadError {
    fn from(error: SudoersError) -> Self {
        Self::invalid(error)
    }
}

/// Included directory: its files, none if it is missing, or the reason why they are unknown.
type Directory = Result<Option<Vec<String>>, String>;

/// Main file and included directories.
#[derive(Debug, Default)]
struct Includes {
    main: String,
    directories: BTreeMap<String, Directory>,
}

/// Parses lines of `> main`, `? directory`, `= file`, `-` and `! reason`.
fn parse_includes(text: &str) -> Result<Includes, ReadError> {
    let (mut out, mut current) = (Includes::default(), String::new());
    for line in text.lines() {
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        match mark {
            "> " => rest.clone_into(&mut out.main),
            "? " => {
                rest.clone_into(&mut current);
                out.directories
                    .insert(current.clone(), Ok(Some(Vec::new())));
            }
            "= " => {
                if let Some(Ok(Some(files))) = out.directories.get_mut(&current) {
                    files.push(rest.to_owned());
                }
            }
            "-" => drop(out.directories.insert(current.clone(), Ok(None))),
            "! " if rest == "more than 200 files" => return Err(SudoersError::TooManyFiles.into()),
            "! " => drop(
                out.directories
                    .insert(current.clone(), Err(rest.to_owned())),
            ),
            _ => return Err(ReadError::unknown_line("the files of sudoers", line)),
        }
    }
    Ok(out)
}

/// Rule, or exemption by a `Defaults` line, with its place.
#[derive(Debug, Clone)]
struct Grant {
    place: String,
    users: Vec<String>,
    /// Text of a rule; none for a `Defaults` line.
    rule: Option<String>,
    passwordless: bool,
}

/// Content of all files.
#[derive(Debug, Default)]
struct Policy {
    files: Vec<String>,
    grants: Vec<Grant>,
    aliases: BTreeMap<String, Vec<String>>,
    problems: Vec<String>,
}

impl Policy {
    /// Returns a user, or the members of an alias. An alias counts once.
    fn members(&self, user: &str, seen: &mut BTreeSet<String>) -> Vec<String> {
        match self.aliases.get(user) {
            Some(_) if !seen.insert(user.to_owned()) => Vec::new(),
            Some(members) => members.iter().flat_map(|m| self.members(m, seen)).collect(),
            None => vec![user.to_owned()],
        }
    }

    fn passwordless_users(&self) -> BTreeSet<String> {
        let users = self.grants.iter().filter(|grant| grant.passwordless);
        users
            .flat_map(|grant| &grant.users)
            .flat_map(|user| self.members(user, &mut BTreeSet::new()))
            .collect()
    }
}

struct Reader<'a, 'f> {
    view: &'a View<'f>,
    includes: Rc<Includes>,
    out: Policy,
    /// Files that include the current one.
    stack: Vec<String>,
}

impl Reader<'_, '_> {
    /// Reads a file that is included at a place, or the main file.
    fn read_file(&mut self, path: &str, place: Option<&str>) -> Result<(), ReadError> {
        if let Some(place) = place.filter(|_| self.stack.iter().any(|open| open == path)) {
            let problem = format!("{place}: circular include of {path}");
            self.out.problems.push(problem);
            return Ok(());
        }
        if self.out.files.iter().any(|known| known == path) {
            return Ok(());
        }
        let parsed = self
            .view
            .parse_reading("sudoers_file", path, |text| Ok(parse::parse(text)));
        let statements = match parsed {
            Read::Present(statements) => statements,
            Read::Unreadable(why) => return Err(why.in_file(path)),
            Read::Absent => {
                if let Some(place) = place {
                    self.out
                        .problems
                        .push(format!("{place}: {path} does not exist"));
                }
                return Ok(());
            }
        };
        self.out.files.push(path.to_owned());
        self.stack.push(path.to_owned());
        for (line, statement) in statements.iter() {
            self.add_statement(path, &format!("{path}:{line}"), statement)?;
        }
        self.stack.pop();
        Ok(())
    }

    fn add_statement(
        &mut self,
        path: &str,
        place: &str,
        statement: &Statement,
    ) -> Result<(), ReadError> {
        let mut add = |users: &[String], rule: Option<&String>, passwordless| {
            self.out.grants.push(Grant {
                place: place.to_owned(),
                users: users.to_vec(),
                rule: rule.cloned(),
                passwordless,
            });
        };
        match statement {
            Statement::Include { path: to, .. } if to.contains("%h") => {
                return Err(SudoersError::HostName(place.to_owned()).into());
            }
            Statement::Include {
                path: to,
                directory,
            } => {
                let to = match path.rsplit_once('/') {
                    Some((folder, _)) if !to.starts_with('/') => format!("{folder}/{to}"),
                    _ => to.clone(),
                };
                return if *directory {
                    self.read_directory(&to, place)
                } else {
                    self.read_file(&to, Some(place))
                };
            }
            Statement::Aliases(aliases) => {
                for (name, members) in aliases {
                    let known = self.out.aliases.entry(name.clone()).or_default();
                    known.extend(members.iter().cloned());
                }
            }
            Statement::Exempt(users) => add(users, None, true),
            Statement::Rule {
                users,
                text,
                passwordless,
            } => add(users, Some(text), *passwordless),
            Statement::Unknown(why) => self.out.problems.push(format!("{place}: {why}")),
        }
        Ok(())
    }

    fn read_directory(&mut self, path: &str, place: &str) -> Result<(), ReadError> {
        match self.includes.clone().directories.get(path) {
            None => Err(ReadError::NotCollected.in_file(path)),
            Some(Err(reason)) => Err(SudoersError::Directory {
                place: place.to_owned(),
                path: path.to_owned(),
                reason: reason.clone(),
            }
            .into()),
            // sudo ignores a missing directory.
            Some(Ok(None)) => Ok(()),
            Some(Ok(Some(files))) => files
                .iter()
                .try_for_each(|file| self.read_file(file, Some(place))),
        }
    }
}

fn load_policy(view: &View<'_>) -> Parsed<Policy> {
    view.parse_reading("sudoers", "", parse_includes)
        .and_then(|includes| {
            view.compute_once("sudoers_policy", "", || {
                let main = includes.main.clone();
                let mut reader = Reader {
                    view,
                    includes,
                    out: Policy::default(),
                    stack: Vec::new(),
                };
                reader.read_file(&main, None)?;
                Ok(reader.out)
            })
        })
}

/// Returns true if root does not own a file, or if its group or others can write it.
fn is_unsafe(entry: &Entry) -> bool {
    entry.stat.uid != 0 || entry.stat.mode & 0o022 != 0
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    load_policy(view).observe("was not collected", |policy| match property {
        "passwordless" => Observation::list(policy.passwordless_users()),
        "rules" => Observation::list(policy.grants.iter().filter_map(|g| g.rule.clone())),
        "files" => Observation::list(policy.files.iter().cloned()),
        "problems" => Observation::list(policy.problems.iter().cloned()),
        _ => load_entries(view, "sudoers_stats").observe("was not collected", |all| {
            let found = all.iter().filter(|entry| is_unsafe(entry));
            Observation::list(found.map(|entry| entry.path.clone()))
        }),
    })
}

/// Maximum number of lines in a message. The last ones are from included files.
const MAX_DETAILS: usize = 10;

/// Returns the places of the lines behind a failed property.
fn details(_: &ResourceRef, property: &str, view: &View<'_>) -> Option<String> {
    let Read::Present(policy) = load_policy(view) else {
        return None;
    };
    let is_shown = |grant: &&Grant| match property {
        "passwordless" => grant.passwordless,
        "rules" => grant.rule.is_some(),
        _ => false,
    };
    let show = |grant: &Grant| {
        let text = grant.rule.as_deref().unwrap_or("Defaults");
        format!("{}: {text}", grant.place)
    };
    let lines: Vec<String> = policy.grants.iter().filter(is_shown).map(show).collect();
    let shown = lines.len().min(MAX_DETAILS);
    (!lines.is_empty()).then(|| lines[lines.len() - shown..].join(", "))
}

#[cfg(test)]
mod tests;
