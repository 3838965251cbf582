//! Defines resource types: name, subject, properties, collection and observation.
//!
//! Each resource has its own file in `resource/`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::facts::observation::Observation;
use crate::facts::view::View;
pub(crate) use crate::matcher::value_type::ValueType;
use crate::phase::Phase;

/// Type of a resource, such as `file`.
pub(crate) struct ResourceType {
    /// Key in YAML.
    pub(crate) name: &'static str,
    /// Description for editors and documentation.
    pub(crate) doc: &'static str,
    /// Value of the key.
    pub(crate) subject: Subject,
    /// Keys that control the collection.
    pub(crate) parameters: &'static [Parameter],
    /// Properties that expectations can use.
    pub(crate) properties: &'static [Property],
    /// Property for all other keys, such as the options of a configuration file.
    pub(crate) open: Option<Property>,
    /// Default expectations. `name` means `true` (or not empty for a list), `!name` means `false`
    /// (or empty).
    pub(crate) by_default: &'static [&'static str],
    /// Pairs of a property and others: the property must be `true` unless the check uses one of the
    /// others.
    pub(crate) implied: &'static [(&'static str, &'static [&'static str])],
    /// Property that is false if the resource does not exist.
    pub(crate) presence: Option<&'static str>,
    /// Default phases.
    pub(crate) phases: &'static [Phase],
    /// Reason for skipping the resource in a directory.
    pub(crate) not_in_directory: Option<&'static str>,
    /// POSIX shell functions of the collector; they can use the functions of `collector.sh`.
    pub(crate) shell: &'static str,
    /// Returns the calls of the collector, one per line.
    pub(crate) requests: fn(&[RequestedResource<'_>]) -> Vec<String>,
    /// Observes a property in the facts.
    pub(crate) observe: fn(&ResourceRef, &str, &View<'_>) -> Observation,
    /// Returns a remark for the results, such as excluded paths.
    pub(crate) remark: fn(&ResourceRef, &View<'_>) -> Option<String>,
    /// Returns details about a failed property, such as the output of a command.
    pub(crate) details: fn(&ResourceRef, &str, &View<'_>) -> Option<String>,
}

/// Value of the key of a resource.
pub(crate) struct Subject {
    /// Name for messages, such as `path`.
    pub(crate) name: &'static str,
    /// Description for editors and documentation.
    pub(crate) doc: &'static str,
    /// Allowed values; empty if any value is allowed. Conditions use the first one by default.
    pub(crate) words: &'static [&'static str],
    /// Validates a value.
    pub(crate) check: fn(&str) -> Result<(), InvalidValue>,
}

/// Reason why the value of a subject or parameter is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidValue {
    /// Message.
    pub(crate) message: String,
    /// Hint.
    pub(crate) help: &'static str,
}

impl InvalidValue {
    /// Creates the reason with its hint.
    pub(crate) fn new(message: impl Into<String>, help: &'static str) -> Self {
        Self {
            message: message.into(),
            help,
        }
    }
}

/// Key that controls the collection.
pub(crate) struct Parameter {
    /// Key in YAML.
    pub(crate) name: &'static str,
    /// Type of the value.
    pub(crate) of: ValueType,
    /// Description for editors and documentation.
    pub(crate) doc: &'static str,
    /// Validates a value.
    pub(crate) check: fn(&str) -> Result<(), InvalidValue>,
}

/// Property of a resource.
#[derive(Clone, Copy)]
pub(crate) struct Property {
    /// Key in YAML.
    pub(crate) name: &'static str,
    /// Type of the value.
    pub(crate) of: ValueType,
    /// Description for editors and documentation.
    pub(crate) doc: &'static str,
    /// InSpec aliases.
    pub(crate) aliases: &'static [&'static str],
}

/// Reference to a resource in a control: its type and subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceRef {
    /// Name of the resource type.
    pub kind: String,
    /// Subject, such as a path.
    pub subject: String,
    /// Parameters with normalized values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl ResourceRef {
    /// Returns the name for messages, such as `file /etc/motd`.
    #[must_use]
    pub fn display_name(&self) -> String {
        format!(
            "{} {}",
            self.kind,
            crate::text::truncate_for_display(self.subject.trim().as_bytes())
        )
    }

    /// Returns a parameter or its default.
    pub(crate) fn parameter<'t>(&'t self, name: &str, default: &'t str) -> &'t str {
        self.parameters.get(name).map_or(default, String::as_str)
    }
}

/// Referenced resource with the properties that controls use.
pub(crate) struct RequestedResource<'a> {
    pub(crate) target: &'a ResourceRef,
    pub(crate) properties: BTreeSet<String>,
}

impl ResourceType {
    /// Creates a type without properties. Its checks run in both phases, and it collects nothing.
    pub(crate) const fn new(
        name: &'static str,
        doc: &'static str,
        subject: Subject,
        observe: fn(&ResourceRef, &str, &View<'_>) -> Observation,
    ) -> Self {
        Self {
            name,
            doc,
            subject,
            parameters: &[],
            properties: &[],
            open: None,
            by_default: &[],
            implied: &[],
            presence: None,
            phases: &[Phase::Build, Phase::Boot],
            not_in_directory: None,
            shell: "",
            requests: no_requests,
            observe,
            remark: no_remark,
            details: no_details,
        }
    }

    /// Sets the function that returns a remark for the results.
    pub(crate) const fn with_remark(
        mut self,
        remark: fn(&ResourceRef, &View<'_>) -> Option<String>,
    ) -> Self {
        self.remark = remark;
        self
    }

    /// Sets the function that returns details about a failed property.
    pub(crate) const fn with_details(
        mut self,
        details: fn(&ResourceRef, &str, &View<'_>) -> Option<String>,
    ) -> Self {
        self.details = details;
        self
    }

    /// Sets the keys that control the collection.
    pub(crate) const fn with_parameters(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    /// Sets the properties that can be expected.
    pub(crate) const fn with_properties(mut self, properties: &'static [Property]) -> Self {
        self.properties = properties;
        self
    }

    /// Accepts all other keys as properties of this type.
    pub(crate) const fn with_open_property(mut self, of: ValueType, doc: &'static str) -> Self {
        self.open = Some(Property::new("", of, doc));
        self
    }

    /// Sets the default expectations.
    pub(crate) const fn with_defaults(mut self, by_default: &'static [&'static str]) -> Self {
        self.by_default = by_default;
        self
    }

    /// Sets the properties that must be `true` unless the check uses one of the listed properties.
    pub(crate) const fn with_implied(
        mut self,
        implied: &'static [(&'static str, &'static [&'static str])],
    ) -> Self {
        self.implied = implied;
        self
    }

    /// Sets the property that is false if the resource does not exist.
    pub(crate) const fn with_presence(mut self, property: &'static str) -> Self {
        self.presence = Some(property);
        self
    }

    /// Sets the default phases.
    pub(crate) const fn with_phases(mut self, phases: &'static [Phase]) -> Self {
        self.phases = phases;
        self
    }

    /// Skips the resource in a directory, for this reason.
    pub(crate) const fn without_directories(mut self, reason: &'static str) -> Self {
        self.not_in_directory = Some(reason);
        self
    }

    /// Sets the shell functions of the collector, and the function that returns their calls.
    pub(crate) const fn with_collection(
        mut self,
        shell: &'static str,
        requests: fn(&[RequestedResource<'_>]) -> Vec<String>,
    ) -> Self {
        self.shell = shell;
        self.requests = requests;
        self
    }

    /// Returns the property of a key.
    pub(crate) fn property(&self, key: &str) -> Option<&Property> {
        let named = self
            .properties
            .iter()
            .find(|p| p.name == key || p.aliases.contains(&key));
        named.or(self.open.as_ref())
    }
}

/// Returns no calls, for facts that every collection has.
fn no_requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    Vec::new()
}

fn no_remark(_: &ResourceRef, _: &View<'_>) -> Option<String> {
    None
}

fn no_details(_: &ResourceRef, _: &str, _: &View<'_>) -> Option<String> {
    None
}

impl Subject {
    /// Creates a subject with any value that the validator accepts.
    pub(crate) const fn new(
        name: &'static str,
        doc: &'static str,
        check: fn(&str) -> Result<(), InvalidValue>,
    ) -> Self {
        Self {
            name,
            doc,
            words: &[],
            check,
        }
    }

    /// Creates a subject with a fixed list of values.
    pub(crate) const fn one_of(
        name: &'static str,
        doc: &'static str,
        words: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            doc,
            words,
            check: accept_any_value,
        }
    }
}

impl Parameter {
    /// Creates a parameter that accepts any value of its type.
    pub(crate) const fn new(name: &'static str, of: ValueType, doc: &'static str) -> Self {
        Self {
            name,
            of,
            doc,
            check: accept_any_value,
        }
    }

    /// Sets the validator of a value.
    pub(crate) const fn with_check(mut self, check: fn(&str) -> Result<(), InvalidValue>) -> Self {
        self.check = check;
        self
    }
}

impl Property {
    /// Creates a property without aliases.
    pub(crate) const fn new(name: &'static str, of: ValueType, doc: &'static str) -> Self {
        Self {
            name,
            of,
            doc,
            aliases: &[],
        }
    }

    /// Adds InSpec aliases.
    pub(crate) const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// Accepts any subject or parameter.
#[expect(clippy::unnecessary_wraps, reason = "the signature of all validators")]
pub(crate) fn accept_any_value(_: &str) -> Result<(), InvalidValue> {
    Ok(())
}

/// Validates an absolute path without `.`, `..` and empty parts.
pub(crate) fn check_absolute_path(path: &str) -> Result<(), InvalidValue> {
    let wrong = |message: &str, help| Err(InvalidValue::new(message, help));
    if !path.starts_with('/') {
        return wrong("the path must be absolute", "start it with `/`");
    }
    if path.len() > 4096 || path.contains(['\0', '\n']) {
        return wrong(
            "the path cannot contain line breaks or NUL, or more than 4096 bytes",
            "shorten it",
        );
    }
    if path != "/"
        && path[1..]
            .split('/')
            .any(|part| matches!(part, "" | "." | ".."))
    {
        return wrong(
            "the path cannot contain empty parts, `.` or `..`",
            "write the plain path",
        );
    }
    Ok(())
}
