//! What facts say about the options of OpenSSH's server or client: by its files, and as they are in force.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::sshd_config_merge::{Dialect, Options, Source, merge};
use super::sshd_config_parse::{Directive, parse};
use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Target};
use crate::matcher::value::Value;
use crate::resource::packaging::package;
use crate::text::brief;
use crate::text::{hex, sh_quote};

/// What stands behind the key: how to look.
pub(crate) const VIEWS: &[&str] = &["effective", "file"];

/// One of OpenSSH's programs.
pub(crate) struct Program {
    /// The kind's name.
    pub(crate) kind: &'static str,
    /// What asks it for the options in force, for messages.
    pub(crate) asks: &'static str,
    /// The kind of fact with its answer, and the collector's function for it.
    pub(crate) answer: &'static str,
    pub(crate) function: &'static str,
    /// How its files are read.
    pub(crate) dialect: Dialect,
    /// What it tells where no file sets anything, by its version in Debian.
    pub(crate) defaults: &'static [(&'static str, &'static str)],
    /// The package that it is in.
    pub(crate) package: &'static str,
    /// Options whose default depends on others, or on who asks.
    pub(crate) derived: &'static [&'static str],
    /// What it says where it can't tell though nothing is wrong with its configuration.
    pub(crate) unable: &'static [&'static str],
    /// An option's value as the program itself would tell it; none where that takes what the program knows.
    pub(crate) told: fn(&str, &str) -> Option<String>,
}

pub(crate) fn requests(program: &Program, asked: &[Asked<'_>]) -> Vec<String> {
    let main = program.dialect.main;
    let mut out = vec![format!(
        "ssh_files {} {}",
        hex(main.as_bytes()),
        sh_quote(main)
    )];
    if asked.iter().any(|one| one.target.subject != "file") {
        out.push(program.function.to_owned());
    }
    out
}

/// The collector's call for the file at a path.
pub(crate) fn request(path: &str) -> String {
    format!("config {} {}", hex(path.as_bytes()), sh_quote(path))
}

pub(crate) fn observe(
    program: &Program,
    target: &Target,
    option: &str,
    view: &View<'_>,
) -> Observed {
    let keyword = program.dialect.keyword(option);
    if target.subject == "file" {
        return by_files(program, &keyword, view, |found| {
            Observed::Value(Value::Setting(found))
        });
    }
    match answer(program, view) {
        Answer::Told(options) => match options.get(&keyword) {
            Some(values) => Observed::Value(Value::Setting(values.clone())),
            // Not every option is told: `UseLogin` is taken and means nothing.
            None => by_files(program, &keyword, view, |found| {
                Observed::Value(Value::Setting(found))
            }),
        },
        Answer::Refused(why) => Observed::Unknown(why),
        Answer::Silent(why) => match by_files(program, &keyword, view, |found| {
            as_told(program, &keyword, found, &why)
        }) {
            Observed::Missing(_) if matches!(merged(program, view), Seen::Present(_)) => {
                default(program, &keyword, &why, view)
            }
            other => other,
        },
    }
}

/// What an option is where nothing sets it: known of the versions that Debian has built in.
fn default(program: &Program, keyword: &str, why: &str, view: &View<'_>) -> Observed {
    let known =
        version(program, view).and_then(|v| program.defaults.iter().find(|(of, _)| *of == v));
    match known {
        Some((of, text)) if !program.derived.contains(&keyword) => {
            let all = view.memoized("openssh", &format!("{} {of}", program.kind), || {
                Ok(options(program, text))
            });
            all.observe("has no default", |all| match all.get(keyword) {
                Some(values) => Observed::Value(Value::Setting(values.clone())),
                None => Observed::Missing("is not set, and has no default".to_owned()),
            })
        }
        _ => Observed::Unknown(format!(
            "no file sets it, and {} could not be asked for the default: {why}",
            program.asks
        )),
    }
}

/// The version of OpenSSH, such as 9.2, where it is one of Debian's packages.
fn version(program: &Program, view: &View<'_>) -> Option<String> {
    let Seen::Present(debian) = view.parsed("os-release", "", |text| {
        Ok(text.lines().any(|line| line == "ID=debian"))
    }) else {
        return None;
    };
    let Seen::Present(rows) = view.parsed("packages", "", package::rows) else {
        return None;
    };
    let row = rows
        .get(program.package)?
        .iter()
        .find(|row| *debian && package::installed(&row.status))?;
    // Such as 1:9.2p1-2+deb12u7.
    let upstream = row
        .version
        .split_once(':')
        .map_or(row.version.as_str(), |(_, rest)| rest);
    Some(upstream.split('p').next()?.to_owned())
}

/// What the program answered.
enum Answer {
    /// Its options by keyword in lower case.
    Told(Rc<BTreeMap<String, Vec<String>>>),
    /// Nothing, and not because of its configuration; why.
    Silent(String),
    /// It can't work with its configuration, or nothing is known; why.
    Refused(String),
}

fn answer(program: &Program, view: &View<'_>) -> Answer {
    if view.identity().directory {
        return Answer::Silent("nothing runs in a directory".to_owned());
    }
    match view.parsed(program.answer, "", |text| Ok(options(program, text))) {
        Seen::Present(options) => Answer::Told(options),
        Seen::Absent => Answer::Silent("it is not there".to_owned()),
        Seen::Unknown(why) => {
            let said = view
                .raw(program.answer, "")
                .map(|r| String::from_utf8_lossy(r.body.bytes()).into_owned());
            let Some(said) = said.filter(|s| !s.is_empty()) else {
                return Answer::Refused(why);
            };
            let last = brief(
                said.trim_end()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .as_bytes(),
            );
            if program.unable.iter().any(|reason| said.contains(reason)) {
                Answer::Silent(last)
            } else {
                Answer::Refused(format!("{} says: {last}", program.asks))
            }
        }
    }
}

/// Lines of `keyword value`; several lines of one keyword are its values.
fn options(program: &Program, text: &str) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        let keyword = program.dialect.keyword(keyword);
        if !keyword.is_empty() {
            let told =
                (program.told)(&keyword, value.trim()).unwrap_or_else(|| value.trim().to_owned());
            out.entry(keyword).or_default().push(told);
        }
    }
    out
}

/// Values of files as the program would tell them.
fn as_told(program: &Program, keyword: &str, values: Vec<String>, why: &str) -> Observed {
    match values
        .iter()
        .map(|value| (program.told)(keyword, value))
        .collect()
    {
        Some(told) => Observed::Value(Value::Setting(told)),
        None => {
            let value = brief(values.join(" ").as_bytes());
            let asks = program.asks;
            Observed::Unknown(format!(
                "{value} changes what is built in, and {asks} could not be asked for that: {why}"
            ))
        }
    }
}

fn by_files(
    program: &Program,
    keyword: &str,
    view: &View<'_>,
    observed: impl FnOnce(Vec<String>) -> Observed,
) -> Observed {
    let main = program.dialect.main;
    match merged(program, view) {
        Seen::Unknown(why) => Observed::Unknown(why),
        Seen::Absent => Observed::Missing(format!("is set nowhere: there is no {main}")),
        Seen::Present(options) => match (options.get(keyword), options.conditional(keyword)) {
            (Some(found), _) => observed(found.values.clone()),
            (None, Some(place)) => Observed::Missing(format!("is set for some only ({place})")),
            (None, None) => Observed::Missing(format!("is not set in {main} and what it includes")),
        },
    }
}

fn merged(program: &Program, view: &View<'_>) -> Seen<Rc<Options>> {
    let main = program.dialect.main;
    match view.raw("config", main) {
        None => return Seen::Unknown("it was not collected".to_owned()),
        Some(reading) if reading.rc == 1 => return Seen::Absent,
        Some(_) => {}
    }
    view.memoized("openssh", program.kind, || {
        let source = Source {
            read: &|path| directives(view, path),
            matching: &|pattern| matching(main, view, pattern),
        };
        merge(&program.dialect, &source)
    })
}

fn directives(view: &View<'_>, path: &str) -> Result<Rc<Vec<Directive>>, String> {
    // A directory among what an Include matches is read as nothing.
    match view.parsed("config", path, parse) {
        Seen::Present(directives) => Ok(directives),
        Seen::Absent => Err("it does not exist".to_owned()),
        Seen::Unknown(why) => Err(why),
    }
}

/// What each pattern of an `Include` matches, or why there is no telling.
type Matches = BTreeMap<String, Result<Vec<String>, String>>;

/// Lines of `? pattern`, `= path` and `! why`.
fn matches(text: &str) -> Result<Matches, String> {
    let (mut out, mut pattern) = (Matches::new(), None);
    for line in text.lines() {
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        match (mark, &pattern) {
            ("? ", _) => {
                pattern = Some(rest.to_owned());
                out.insert(rest.to_owned(), Ok(Vec::new()));
            }
            ("= ", Some(of)) => {
                if let Some(Ok(paths)) = out.get_mut(of) {
                    paths.push(rest.to_owned());
                }
            }
            ("! ", Some(of)) => drop(out.insert(of.clone(), Err(rest.to_owned()))),
            _ => {
                return Err(format!(
                    "what is included has an unknown form: {}",
                    brief(line.as_bytes())
                ));
            }
        }
    }
    Ok(out)
}

fn matching(main: &str, view: &View<'_>, pattern: &str) -> Result<Vec<String>, String> {
    match view.parsed("include", main, matches) {
        Seen::Present(all) => all
            .get(pattern)
            .cloned()
            .unwrap_or_else(|| Err("it was not collected".to_owned())),
        Seen::Absent => Err("it was not collected".to_owned()),
        Seen::Unknown(why) => Err(why),
    }
}
