//! Owns the reference of the control language, as Markdown: what docs/checks.md is made of.

use std::fmt::Write as _;

use crate::kind::{Kind, Of, Property};
use crate::matcher::wording::MATCHERS;
use crate::registry::KINDS;

/// What stands before the tables.
const GUIDE: &str = include_str!("reference.md");

/// The whole of docs/checks.md.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(GUIDE);
    // Writing to a String can't fail.
    out.push_str("\n## Matchers\n\n| matcher | holds when |\n|---|---|\n");
    for (name, doc) in MATCHERS {
        let _ = writeln!(out, "| `{name}` | {} |", cell(doc));
    }
    out.push_str("\n## Resources\n");
    for kind in KINDS {
        of_kind(kind, &mut out);
    }
    out
}

fn of_kind(kind: &Kind, out: &mut String) {
    let _ = write!(out, "\n### {}\n\n{}\n\n", kind.name, kind.doc);
    let _ = writeln!(
        out,
        "| key | value | |\n|---|---|---|\n| `{}` | {} | {} |",
        kind.name,
        kind.subject.name,
        cell(kind.subject.doc)
    );
    for parameter in kind.parameters {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            parameter.name,
            value(parameter.of),
            cell(parameter.doc)
        );
    }
    for property in kind.properties {
        of_property(property, out);
    }
    if let Some(property) = &kind.open {
        let _ = writeln!(
            out,
            "| any other key | {} | {} |",
            value(property.of),
            cell(property.doc)
        );
    }
    if let Some(why) = kind.not_in_directory {
        let _ = writeln!(out, "\nSkipped in a directory: {why}.");
    }
}

fn of_property(property: &Property, out: &mut String) {
    let names: Vec<String> = std::iter::once(&property.name)
        .chain(property.aliases)
        .map(|n| format!("`{n}`"))
        .collect();
    let _ = writeln!(
        out,
        "| {} | {} | {} |",
        names.join(", "),
        value(property.of),
        cell(property.doc)
    );
}

fn value(of: Of) -> String {
    match of {
        Of::Bool => "true or false".to_owned(),
        Of::Number => "whole number".to_owned(),
        Of::Mode => "octal mode in quotes".to_owned(),
        Of::Version => "version".to_owned(),
        Of::Account => "name or number".to_owned(),
        Of::Word(words) => format!("one of {}", words.join(", ")),
        Of::Text => "text".to_owned(),
        Of::Setting => "text, number or duration".to_owned(),
        Of::List => "list of texts".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
