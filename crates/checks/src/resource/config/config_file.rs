//! The `config_file` resource: settings of a configuration file in a common format.

use super::config_file_formats::{FORMATS, Settings, parse};
use super::login_defs::{check_path, observe_directory, requests};
use crate::facts::observation::Observation;
use crate::facts::view::{ParsedReading, View};
use crate::kind::{Kind, Parameter, Property, Subject, Target, ValueType, any_subject};
use crate::matcher::pattern;
use crate::matcher::value::Value;
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "config_file",
    doc: "Settings of a configuration file by name. By default, the file must exist. A setting in \
          a section, map or list has a name with dots, such as `server.ports.0`. A name with \
          several values, or a list of plain values, has all of them. A file in another format is \
          an error.",
    subject: Subject {
        name: "path",
        doc: "Absolute path in the image.",
        words: &[],
        check: check_path,
    },
    parameters: &[
        Parameter {
            name: "format",
            of: ValueType::Word(FORMATS),
            doc: "key_value, space (the name ends at white space), ini, json, yaml or toml. The \
                  default depends on the file extension, else key_value.",
            check: any_subject,
        },
        Parameter {
            name: "comment",
            of: ValueType::Text,
            doc: "Characters that begin a comment at the start of a line, in key_value, space and \
                  ini. The default is `#;`.",
            check: any_subject,
        },
        Parameter {
            name: "assignment",
            of: ValueType::Text,
            doc: "Regular expression with two groups, name and value, that replaces the syntax of \
                  key_value. Other lines are ignored.",
            check: check_assignment,
        },
    ],
    properties: &[
        Property::new("exists", ValueType::Bool, "True if the file exists.").or(&["exist"]),
    ],
    open: Some(Property::new(
        "",
        ValueType::Setting,
        "Setting of the file.",
    )),
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
    let help = "use an expression such as `^\\s*(\\w+)\\s+(.*)$`";
    match pattern::plain(pattern) {
        Ok(regex) if regex.captures_len() == 3 => Ok(()),
        Ok(_) => Err((
            "the expression needs two groups: the name and the value".to_owned(),
            help,
        )),
        Err(error) => Err((error.to_string(), help)),
    }
}

/// Returns the default format of a file by its extension.
fn format_of_path(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "json" => "json",
        "yaml" | "yml" => "yaml",
        "toml" => "toml",
        "ini" => "ini",
        _ => "key_value",
    }
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observation {
    let path = &target.subject;
    let there = match view.raw("config", path).map(|reading| reading.rc) {
        None => return Observation::uncollected(),
        Some(0) => true,
        Some(1) => false,
        Some(2) => return Observation::Unknown("permission denied".to_owned()),
        Some(_) => true,
    };
    if property == "exists" {
        return Observation::bool(there);
    }
    if let Some(observed) = observe_directory(target, view) {
        return observed;
    }
    let text = view.parsed("config", path, |text| Ok(text.to_owned()));
    text.and_then(|text| read_settings(target, &text, view))
        .observe("does not exist", |settings| match settings.get(property) {
            Some(values) => Observation::Value(Value::Setting(values.clone())),
            None => Observation::Missing(format!("is not set in {path}")),
        })
}

/// Parses a file once for each combination of parameters.
fn read_settings(
    target: &Target,
    text: &str,
    view: &View<'_>,
) -> ParsedReading<std::rc::Rc<Settings>> {
    let format = target.parameter("format", format_of_path(&target.subject));
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
