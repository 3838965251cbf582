//! The `config_file` resource: settings of a configuration file in a common format.

use super::config_file_formats::{FORMATS, Settings, parse};
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::{Parsed, View};
use crate::matcher::pattern;
use crate::matcher::value::Value;
use crate::resource::filesystem::file::is_secret_path;
use crate::resource::ssh::sshd_config_view::request;
use crate::resource_type::{
    InvalidValue, Parameter, Property, RequestedResource, ResourceRef, ResourceType, Subject,
    ValueType, absolute_path,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "config_file",
    "Settings of a configuration file by name. By default, the file must exist. A setting in a \
     section, map or list has a name with dots, such as `server.ports.0`. If a name occurs \
     more than once, or its value is a list of scalars, the value is the list of all of them. \
     A file in another format is an error.",
    Subject::new("path", "Absolute path in the image.", check_path),
    observe,
)
.with_parameters(&[
    Parameter::new(
        "format",
        ValueType::Word(FORMATS),
        "key_value, space (the name ends at white space), ini, json, yaml or toml. The \
         default depends on the file extension, else key_value.",
    ),
    Parameter::new(
        "comment",
        ValueType::Text,
        "Characters that begin a comment at the start of a line, in key_value, space and \
         ini. The default is `#;`.",
    ),
    Parameter::new(
        "assignment",
        ValueType::Text,
        "Regular expression with two groups, name and value, that replaces the syntax of \
         key_value. Other lines are ignored.",
    )
    .with_check(check_assignment),
])
.with_properties(&[
    Property::new("exists", ValueType::Bool, "True if the file exists.").or(&["exist"]),
])
.with_open_property(ValueType::Setting, "Setting of the file.")
.with_defaults(&["exists"])
.with_presence("exists")
.with_collection(include_str!("../config_file.sh"), requests);

/// Checks the path of a file whose content may be kept.
pub(crate) fn check_path(path: &str) -> Result<(), InvalidValue> {
    absolute_path(path)?;
    if is_secret_path(path) {
        return Err(InvalidValue::new(
            "the file contains password hashes",
            "use the resource `shadow`, or `file` with `content`",
        ));
    }
    Ok(())
}

pub(crate) fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    asked
        .iter()
        .map(|one| request(&one.target.subject))
        .collect()
}

fn check_assignment(pattern: &str) -> Result<(), InvalidValue> {
    let help = "use an expression such as `^\\s*(\\w+)\\s+(.*)$`";
    match pattern::plain(pattern) {
        Ok(regex) if regex.captures_len() == 3 => Ok(()),
        Ok(_) => Err(InvalidValue::new(
            "the expression needs two groups: the name and the value",
            help,
        )),
        Err(why) => Err(InvalidValue::new(why.to_string(), help)),
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

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let path = &target.subject;
    let there = match view.reading("config", path).map(|reading| reading.rc) {
        None => return Observation::not_collected(),
        Some(0) => true,
        Some(1) => false,
        Some(2) => return ReadError::PermissionDenied.into(),
        Some(_) => true,
    };
    if property == "exists" {
        return Observation::bool(there);
    }
    if let Some(observed) = observe_directory(target, view) {
        return observed;
    }
    let text = view.parse_reading("config", path, |text| Ok(text.to_owned()));
    text.and_then(|text| read_settings(target, &text, view))
        .observe("does not exist", |settings| match settings.get(property) {
            Some(values) => Observation::Value(Value::Setting(values.clone())),
            None => Observation::Missing(format!("is not set in {path}")),
        })
}

/// Returns the observation for a path that is a directory.
pub(crate) fn observe_directory(target: &ResourceRef, view: &View<'_>) -> Option<Observation> {
    let is = view
        .reading("config", &target.subject)
        .is_some_and(|reading| reading.flags.contains('d'));
    is.then(|| Observation::Unknown(format!("{} is a directory", target.subject)))
}

/// Parses a file once for each combination of parameters.
fn read_settings(target: &ResourceRef, text: &str, view: &View<'_>) -> Parsed<Settings> {
    let format = target.parameter("format", format_of_path(&target.subject));
    let (comment, assignment) = (
        target.parameter("comment", "#;"),
        target.parameter("assignment", ""),
    );
    let way = [&target.subject, format, comment, assignment].join("\0");
    view.compute_once("config_file", &way, || {
        Ok(parse(format, comment, assignment, text)?)
    })
}

#[cfg(test)]
mod tests;
