//! Owns what a kind of resource is: its name, what is written behind the name, its properties, how it is collected and
//! how it is observed. The kinds themselves are in `resource/`, one file each.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::facts::observed::Observed;
use crate::facts::view::View;
pub(crate) use crate::matcher::value_type::Of;
use crate::phase::Phase;

/// A kind of resource, such as `file`.
pub(crate) struct Kind {
    /// The key in YAML.
    pub(crate) name: &'static str,
    /// What it looks at, one sentence for editors and docs.
    pub(crate) doc: &'static str,
    /// What stands behind the key.
    pub(crate) subject: Subject,
    /// Keys that say how to look rather than what to expect.
    pub(crate) parameters: &'static [Parameter],
    /// What can be expected.
    pub(crate) properties: &'static [Property],
    /// What every other key is, where the resource has keys of its own (an option of a configuration file).
    pub(crate) open: Option<Property>,
    /// What is expected where nothing is said: properties that are to be `true`, of a list: to have something in it; with
    /// a `!` before the name: to be `false`, of a list: to be empty.
    pub(crate) by_default: &'static [&'static str],
    /// Properties that are to be `true` unless one of the named ones is spoken of.
    pub(crate) implied: &'static [(&'static str, &'static [&'static str])],
    /// The property that is false where there is nothing: with it nothing else may be expected.
    pub(crate) presence: Option<&'static str>,
    /// When it is judged unless the check says so.
    pub(crate) phases: &'static [Phase],
    /// Why it can't be judged in a directory; none where it can.
    pub(crate) not_in_directory: Option<&'static str>,
    /// Functions for the collector, in POSIX sh; they may use those of `collector.sh`.
    pub(crate) shell: &'static str,
    /// The calls of the collector for what is asked, each one line.
    pub(crate) requests: fn(&[Asked<'_>]) -> Vec<String>,
    /// What the facts say about a property.
    pub(crate) observe: fn(&Target, &str, &View<'_>) -> Observed,
}

/// What stands behind a kind's key.
pub(crate) struct Subject {
    /// What it is, for messages: `path`, `name`.
    pub(crate) name: &'static str,
    /// One sentence for editors and docs.
    pub(crate) doc: &'static str,
    /// The words it can be, the first being what `when:` means without one; empty where it is free.
    pub(crate) words: &'static [&'static str],
    /// What is wrong with it, and what to do.
    pub(crate) check: fn(&str) -> Result<(), (String, &'static str)>,
}

/// A key that says how to look.
pub(crate) struct Parameter {
    /// The key.
    pub(crate) name: &'static str,
    /// What its value is.
    pub(crate) of: Of,
    /// One sentence for editors and docs.
    pub(crate) doc: &'static str,
    /// What is wrong with it, and what to do.
    pub(crate) check: fn(&str) -> Result<(), (String, &'static str)>,
}

/// Something that can be expected of a resource.
#[derive(Clone, Copy)]
pub(crate) struct Property {
    /// The key.
    pub(crate) name: &'static str,
    /// What its value is.
    pub(crate) of: Of,
    /// One sentence for editors and docs.
    pub(crate) doc: &'static str,
    /// InSpec's words for it.
    pub(crate) aliases: &'static [&'static str],
}

/// One resource: a kind and what it is pointed at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The kind's name.
    pub kind: String,
    /// What stands behind it.
    pub subject: String,
    /// Its parameters, in one spelling.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl Target {
    /// How it is named in messages, such as `file /etc/motd`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!(
            "{} {}",
            self.kind,
            crate::text::brief(self.subject.trim().as_bytes())
        )
    }

    /// A parameter, or what is meant without it.
    pub(crate) fn parameter<'t>(&'t self, name: &str, absent: &'t str) -> &'t str {
        self.parameters.get(name).map_or(absent, String::as_str)
    }
}

/// A target and the properties that somebody asks for.
pub(crate) struct Asked<'a> {
    pub(crate) target: &'a Target,
    pub(crate) properties: BTreeSet<String>,
}

impl Kind {
    /// The property of a key.
    pub(crate) fn property(&self, key: &str) -> Option<&Property> {
        let named = self
            .properties
            .iter()
            .find(|p| p.name == key || p.aliases.contains(&key));
        named.or(self.open.as_ref())
    }
}

impl Property {
    pub(crate) const fn new(name: &'static str, of: Of, doc: &'static str) -> Self {
        Self {
            name,
            of,
            doc,
            aliases: &[],
        }
    }

    /// The same with InSpec's words for it.
    pub(crate) const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// For subjects and parameters of which everything is right.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands where others can refuse"
)]
pub(crate) fn anything(_: &str) -> Result<(), (String, &'static str)> {
    Ok(())
}

/// For subjects that are a word of their list.
pub(crate) const fn words(
    name: &'static str,
    doc: &'static str,
    words: &'static [&'static str],
) -> Subject {
    Subject {
        name,
        doc,
        words,
        check: anything,
    }
}

/// An absolute path without `.`, `..` and empty parts.
pub(crate) fn absolute(path: &str) -> Result<(), (String, &'static str)> {
    let wrong = |what: &str, help| Err((what.to_owned(), help));
    if !path.starts_with('/') {
        return wrong("it must be absolute", "start it with `/`");
    }
    if path.len() > 4096 || path.contains(['\0', '\n']) {
        return wrong(
            "it can't have line breaks, NUL or more than 4096 bytes",
            "shorten it",
        );
    }
    if path != "/"
        && path[1..]
            .split('/')
            .any(|part| matches!(part, "" | "." | ".."))
    {
        return wrong(
            "it can't have empty parts, `.` or `..`",
            "write the plain path",
        );
    }
    Ok(())
}
