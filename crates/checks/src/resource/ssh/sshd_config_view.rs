//! Observes options of the OpenSSH server and client: those of the files, and the effective ones.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::sshd_config_merge::{ConditionalOption, Dialect, Options, Source, merge};
use super::sshd_config_parse::{Directive, parse};
use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::{Parsed, View};
use crate::matcher::value::Value;
use crate::resource::packaging::package;
use crate::resource_type::{RequestedResource, ResourceRef};
use crate::text::truncate_for_display;
use crate::text::{hex, sh_quote};

/// Values of the subject: the source of the options.
pub(crate) const VIEWS: &[&str] = &["effective", "file"];

/// OpenSSH program.
pub(crate) struct Program {
    /// Name of the resource.
    pub(crate) kind: &'static str,
    /// Command that prints the effective options, for messages.
    pub(crate) asks: &'static str,
    /// Kind of the fact with its output, and the collector function.
    pub(crate) answer: &'static str,
    pub(crate) function: &'static str,
    /// Syntax rules of its files.
    pub(crate) dialect: Dialect,
    /// Default options by version in Debian.
    pub(crate) defaults: &'static [(&'static str, &'static str)],
    /// Package that contains it.
    pub(crate) package: &'static str,
    /// Options whose default depends on other options or on the user.
    pub(crate) derived: &'static [&'static str],
    /// Messages of the program if it cannot print options although the configuration is valid.
    pub(crate) unable: &'static [&'static str],
    /// Normalizes a value as the program prints it; none if only the program can.
    pub(crate) normalize: fn(&str, &str) -> Option<String>,
}

pub(crate) fn requests(program: &Program, asked: &[RequestedResource<'_>]) -> Vec<String> {
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

/// Returns the collector call for a file.
pub(crate) fn request(path: &str) -> String {
    format!("config {} {}", hex(path.as_bytes()), sh_quote(path))
}

pub(crate) fn observe(
    program: &Program,
    target: &ResourceRef,
    option: &str,
    view: &View<'_>,
) -> Observation {
    let keyword = program.dialect.keyword(option);
    if target.subject == "file" {
        return observe_files(program, &keyword, view, |found| {
            Observation::Value(Value::Setting(found))
        });
    }
    match program_output(program, view) {
        ProgramOutput::Options(options) => match options.get(&keyword) {
            Some(values) => Observation::Value(Value::Setting(values.clone())),
            // The program does not print every option: it accepts and ignores `UseLogin`.
            None => observe_files(program, &keyword, view, |found| {
                Observation::Value(Value::Setting(found))
            }),
        },
        ProgramOutput::Invalid(why) => Observation::Unknown(why),
        ProgramOutput::Unavailable(why) => match observe_files(program, &keyword, view, |found| {
            normalize_values(program, &keyword, found, &why)
        }) {
            Observation::Missing(_) if matches!(merge_files(program, view), Read::Present(_)) => {
                default_value(program, &keyword, &why, view)
            }
            other => other,
        },
    }
}

/// Returns the default of an option, for versions in Debian.
fn default_value(program: &Program, keyword: &str, why: &str, view: &View<'_>) -> Observation {
    let known = openssh_version(program, view)
        .and_then(|v| program.defaults.iter().find(|(version, _)| *version == v));
    match known {
        Some((version, text)) if !program.derived.contains(&keyword) => {
            let all = view.compute_once("openssh", &format!("{} {version}", program.kind), || {
                Ok(parse_options(program, text))
            });
            all.observe("has no default", |all| match all.get(keyword) {
                Some(values) => Observation::Value(Value::Setting(values.clone())),
                None => Observation::Missing("is not set and has no default".to_owned()),
            })
        }
        _ => Observation::Unknown(format!(
            "no file sets it, and {} could not print the default: {why}",
            program.asks
        )),
    }
}

/// Returns the version of OpenSSH, such as 9.2, if it is a package of Debian.
fn openssh_version(program: &Program, view: &View<'_>) -> Option<String> {
    let Read::Present(debian) = view.parse_reading("os-release", "", |text| {
        Ok(text.lines().any(|line| line == "ID=debian"))
    }) else {
        return None;
    };
    let Read::Present(rows) = view.parse_reading("packages", "", package::parse_packages) else {
        return None;
    };
    let row = rows
        .get(program.package)?
        .iter()
        .find(|row| *debian && package::is_installed(&row.status))?;
    // The version is similar to 1:9.2p1-2+deb12u7.
    let upstream = row
        .version
        .split_once(':')
        .map_or(row.version.as_str(), |(_, rest)| rest);
    Some(upstream.split('p').next()?.to_owned())
}

/// Output of the program.
enum ProgramOutput {
    /// Options by keyword in lower case.
    Options(Rc<BTreeMap<String, Vec<String>>>),
    /// No output for a reason other than the configuration.
    Unavailable(String),
    /// Invalid configuration, or no collected output.
    Invalid(String),
}

fn program_output(program: &Program, view: &View<'_>) -> ProgramOutput {
    if view.identity().directory {
        return ProgramOutput::Unavailable("nothing runs in a directory".to_owned());
    }
    match view.parse_reading(program.answer, "", |text| Ok(parse_options(program, text))) {
        Read::Present(options) => ProgramOutput::Options(options),
        Read::Absent => ProgramOutput::Unavailable("it is not installed".to_owned()),
        Read::Unreadable(why) => {
            let said = view
                .reading(program.answer, "")
                .map(|r| String::from_utf8_lossy(r.body.bytes()).into_owned());
            let Some(said) = said.filter(|s| !s.is_empty()) else {
                return ProgramOutput::Invalid(why.to_string());
            };
            let last = truncate_for_display(
                said.trim_end()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .as_bytes(),
            );
            if program.unable.iter().any(|reason| said.contains(reason)) {
                ProgramOutput::Unavailable(last)
            } else {
                ProgramOutput::Invalid(format!("{} says: {last}", program.asks))
            }
        }
    }
}

/// Parses lines of `keyword value`. Several lines of a keyword are its values.
fn parse_options(program: &Program, text: &str) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        let keyword = program.dialect.keyword(keyword);
        if !keyword.is_empty() {
            let normalized = (program.normalize)(&keyword, value.trim())
                .unwrap_or_else(|| value.trim().to_owned());
            out.entry(keyword).or_default().push(normalized);
        }
    }
    out
}

/// Normalizes values of files as the program prints them.
fn normalize_values(
    program: &Program,
    keyword: &str,
    values: Vec<String>,
    why: &str,
) -> Observation {
    match values
        .iter()
        .map(|value| (program.normalize)(keyword, value))
        .collect()
    {
        Some(normalized) => Observation::Value(Value::Setting(normalized)),
        None => {
            let value = truncate_for_display(values.join(" ").as_bytes());
            let asks = program.asks;
            Observation::Unknown(format!(
                "{value} changes the built-in list, and {asks} could not print it: {why}"
            ))
        }
    }
}

fn observe_files(
    program: &Program,
    keyword: &str,
    view: &View<'_>,
    observed: impl FnOnce(Vec<String>) -> Observation,
) -> Observation {
    let main = program.dialect.main;
    match merge_files(program, view) {
        Read::Unreadable(why) => why.into(),
        Read::Absent => Observation::Missing(format!("is not set: {main} does not exist")),
        Read::Present(options) => match (options.get(keyword), options.conditional(keyword)) {
            (Some(found), _) => observed(found.values.clone()),
            (None, Some(place)) => {
                Observation::Missing(format!("is set only conditionally ({place})"))
            }
            (None, None) => {
                Observation::Missing(format!("is not set in {main} and included files"))
            }
        },
    }
}

/// Returns the options of conditional blocks: `FILE:LINE: keyword value (Match CRITERIA)`.
pub(crate) fn observe_blocks(program: &Program, view: &View<'_>) -> Observation {
    let show = |option: &ConditionalOption| {
        let value = match option.keyword.as_str() {
            // Variables can contain secrets.
            "setenv" => "...".to_owned(),
            keyword => {
                (program.normalize)(keyword, &option.value).unwrap_or_else(|| option.value.clone())
            }
        };
        let text = format!(
            "{}: {} {value} (Match {})",
            option.place, option.keyword, option.criteria
        );
        text.escape_debug().to_string()
    };
    match merge_files(program, view) {
        Read::Unreadable(why) => why.into(),
        Read::Absent => Observation::list([]),
        Read::Present(options) => Observation::list(options.conditional_options().iter().map(show)),
    }
}

fn merge_files(program: &Program, view: &View<'_>) -> Parsed<Options> {
    let main = program.dialect.main;
    match view.reading("config", main) {
        None => return Read::Unreadable(ReadError::NotCollected),
        Some(reading) if reading.rc == 1 => return Read::Absent,
        Some(_) => {}
    }
    view.compute_once("openssh", program.kind, || {
        let source = Source {
            read: &|path| file_directives(view, path),
            matching: &|pattern| matching_paths(main, view, pattern),
        };
        Ok(merge(&program.dialect, &source)?)
    })
}

fn file_directives(view: &View<'_>, path: &str) -> Result<Rc<Vec<Directive>>, ReadError> {
    // A directory that an Include matches is ignored.
    match view.parse_reading("config", path, |text| Ok(parse(text)?)) {
        Read::Present(directives) => Ok(directives),
        Read::Absent => Err(ReadError::NoSuchFile),
        Read::Unreadable(why) => Err(why),
    }
}

/// Matches of each `Include` pattern, or the reason why they are unknown.
type Matches = BTreeMap<String, Result<Vec<String>, ReadError>>;

/// Parses lines of `? pattern`, `= path` and `! reason`.
fn parse_matches(text: &str) -> Result<Matches, ReadError> {
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
            ("! ", Some(of)) => {
                drop(out.insert(of.clone(), Err(ReadError::TargetMessage(rest.to_owned()))))
            }
            _ => {
                return Err(ReadError::unknown_line("included files", line));
            }
        }
    }
    Ok(out)
}

fn matching_paths(main: &str, view: &View<'_>, pattern: &str) -> Result<Vec<String>, ReadError> {
    match view.parse_reading("include", main, parse_matches) {
        Read::Present(all) => all
            .get(pattern)
            .cloned()
            .unwrap_or(Err(ReadError::NotCollected)),
        Read::Absent => Err(ReadError::NotCollected),
        Read::Unreadable(why) => Err(why),
    }
}
