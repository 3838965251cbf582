//! The `config_file` resource: settings of a file in one of the usual formats.

use super::config_file_formats::{FORMATS, Settings, parse};
use super::login_defs::{directory, readable, requests};
use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Kind, Of, Parameter, Property, Subject, Target, anything};
use crate::matcher::pattern;
use crate::matcher::value::Value;
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "config_file",
    doc: "The settings of a configuration file, by any name; with nothing else: the file must exist. What is within a section, a map or \
          a list is named with dots, such as `server.ports.0`; a name that is there several times, and a list of plain values, has all \
          of them. A file that is not in its format is an error.",
    subject: Subject {
        name: "path",
        doc: "The absolute path in the image.",
        words: &[],
        check: readable,
    },
    parameters: &[
        Parameter {
            name: "format",
            of: Of::Word(FORMATS),
            doc: "key_value, space (the name ends at white space), ini, json, yaml or toml; by the path's ending where it says so, else key_value.",
            check: anything,
        },
        Parameter {
            name: "comment",
            of: Of::Text,
            doc: "The characters that begin a comment at the start of a line, in key_value, space and ini; `#;` by default.",
            check: anything,
        },
        Parameter {
            name: "assignment",
            of: Of::Text,
            doc: "A regular expression with two groups, name and value, instead of key_value's own; lines that it does not match are left out.",
            check: check_assignment,
        },
    ],
    properties: &[
        Property::new("exists", Of::Bool, "Whether there is such a file.").or(&["exist"]),
    ],
    open: Some(Property::new("", Of::Setting, "A setting of the file.")),
    by_default: &["exists"],
    implied: &[],
    presence: Some("exists"),
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("config_file.sh"),
    requests,
    observe,
};

fn check_assignment(pattern: &str) -> Result<(), (String, &'static str)> {
    let help = "write one such as `^\\s*(\\w+)\\s+(.*)$`";
    match pattern::plain(pattern) {
        Ok(regex) if regex.captures_len() == 3 => Ok(()),
        Ok(_) => Err((
            "it needs two groups: the name and the value".to_owned(),
            help,
        )),
        Err(why) => Err((why, help)),
    }
}

/// The format of a file that nobody names.
fn by_name(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "json" => "json",
        "yaml" | "yml" => "yaml",
        "toml" => "toml",
        "ini" => "ini",
        _ => "key_value",
    }
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let path = &target.subject;
    let there = match view.raw("config", path).map(|reading| reading.rc) {
        None => return Observed::uncollected(),
        Some(0) => true,
        Some(1) => false,
        Some(2) => return Observed::Unknown("permission denied".to_owned()),
        Some(_) => true,
    };
    if property == "exists" {
        return Observed::bool(there);
    }
    if let Some(observed) = directory(target, view) {
        return observed;
    }
    let text = view.parsed("config", path, |text| Ok(text.to_owned()));
    text.and_then(|text| read(target, &text, view))
        .observe("does not exist", |settings| match settings.get(property) {
            Some(values) => Observed::Value(Value::Setting(values.clone())),
            None => Observed::Missing(format!("is not set in {path}")),
        })
}

/// Read once for each way in which it is read.
fn read(target: &Target, text: &str, view: &View<'_>) -> Seen<std::rc::Rc<Settings>> {
    let format = target.parameter("format", by_name(&target.subject));
    let (comment, assignment) = (
        target.parameter("comment", "#;"),
        target.parameter("assignment", ""),
    );
    let way = [&target.subject, format, comment, assignment].join("\0");
    view.memoized("config_file", &way, || {
        parse(format, comment, assignment, text)
    })
}

#[cfg(test)]
#[path = "config_file_tests.rs"]
mod tests;
