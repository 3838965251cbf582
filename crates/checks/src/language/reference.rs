//! Generates docs/reference/checks.md, the reference of the check language.

use std::fmt::Write as _;

use crate::matcher::parse::names::MATCHERS;
use crate::registry::RESOURCE_TYPES;
use crate::resource_type::{Property, ResourceType, ValueType};

/// Text before the tables.
const GUIDE: &str = include_str!("reference.md");

/// Text before the tables of resources.
const RESOURCE_GUIDE: &str = include_str!("resources.md");
/// Text after the table of matchers.
const MATCHER_GUIDE: &str = include_str!("matchers.md");

/// Returns the content of docs/reference/checks.md.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(GUIDE);
    out.push_str("\n## Matchers\n\n| matcher | meaning |\n|---|---|\n");
    for (name, doc) in MATCHERS {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| `{name}` | {} |", escape_cell(doc));
    }
    out.push_str(MATCHER_GUIDE);
    out.push_str(RESOURCE_GUIDE);
    for kind in RESOURCE_TYPES {
        write_kind(kind, &mut out);
    }
    out
}

fn write_kind(kind: &ResourceType, out: &mut String) {
    let _ = write!(out, "\n### {}\n\n{}\n\n", kind.name, kind.doc);
    let _ = writeln!(
        out,
        "| key | value | |\n|---|---|---|\n| `{}` | {} | {} |",
        kind.name,
        kind.subject.name,
        escape_cell(kind.subject.doc)
    );
    for parameter in kind.parameters {
        let _ = writeln!(
            out,
            "| `{}` (parameter) | {} | {} |",
            parameter.name,
            type_name(parameter.of),
            escape_cell(parameter.doc)
        );
    }
    for property in kind.properties {
        write_property(property, out);
    }
    if let Some(property) = &kind.open {
        let _ = writeln!(
            out,
            "| any other key | {} | {} |",
            type_name(property.of),
            escape_cell(property.doc)
        );
    }
    if let Some(why) = kind.not_in_directory {
        let _ = writeln!(out, "\nSkipped in a directory: {why}.");
    }
}

fn write_property(property: &Property, out: &mut String) {
    let names: Vec<String> = std::iter::once(&property.name)
        .chain(property.aliases)
        .map(|n| format!("`{n}`"))
        .collect();
    let _ = writeln!(
        out,
        "| {} | {} | {} |",
        names.join(", "),
        type_name(property.of),
        escape_cell(property.doc)
    );
}

fn type_name(value_type: ValueType) -> String {
    match value_type {
        ValueType::Bool => "true or false".to_owned(),
        ValueType::Number => "whole number".to_owned(),
        ValueType::Mode => "octal mode in quotes".to_owned(),
        ValueType::Version => "version".to_owned(),
        ValueType::Account => "name or number".to_owned(),
        ValueType::Word(words) => format!("one of {}", words.join(", ")),
        ValueType::Text => "text".to_owned(),
        ValueType::Setting => "scalar".to_owned(),
        ValueType::List => "list of texts".to_owned(),
        ValueType::Exclusions => "list of `{path, reason}`".to_owned(),
    }
}

fn escape_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
