//! Parses the subject and the parameters of a resource.

use std::collections::BTreeMap;

use crate::exclusion::{Exclusion, parse_exclusions};
use crate::language::parse::parser::CheckParser;
use crate::language::{interpolate, placeholder};
use crate::matcher::operand::{OperandError, parse_operand};
use crate::matcher::tree::Tree;
use crate::problem::Problem;
use crate::resource_type::{Parameter, ResourceRef, ResourceType, ValueType};

impl CheckParser<'_> {
    /// Parses a parameter; checks it for every possible value of loops and inputs.
    pub(super) fn parse_parameter(
        &mut self,
        parameter: &Parameter,
        value: &Tree,
    ) -> Option<String> {
        let key = parameter.name;
        let mut problems = placeholder::find_unknown_names(value, &self.variables, self.inputs);
        problems.extend(placeholder::find_exposed_secret(value, self.inputs));
        let text = parse_parameter_value(value, parameter.of)
            .map_err(|error| {
                problems.push(Problem {
                    message: format!("{key}: {}", error.message),
                    ..error
                });
            })
            .ok();
        if let Some(text) = text.as_ref().filter(|_| problems.is_empty()) {
            let alone = ResourceRef {
                kind: String::new(),
                subject: String::new(),
                parameters: BTreeMap::from([(key.to_owned(), text.clone())]),
            };
            let error = interpolate::possible_targets(&alone, &self.for_each, self.inputs)
                .iter()
                .find_map(|target| (parameter.check)(target.parameter(key, "")).err());
            problems.extend(error.map(|e| Problem::new(format!("{key}: {}", e.message), e.help)));
        }
        let is_valid = problems.is_empty();
        self.report_under(key, problems);
        text.filter(|_| is_valid)
    }

    /// Parses the value of the key that names the resource.
    pub(super) fn parse_subject(&mut self, check: &Tree, kind: &ResourceType) -> Option<String> {
        let value = check.get(kind.name)?;
        let subject = match subject_text(value, kind) {
            Ok(subject) => subject,
            Err(problem) => {
                self.report(problem.under(kind.name));
                return None;
            }
        };
        let alone = ResourceRef {
            kind: kind.name.to_owned(),
            subject: subject.clone(),
            parameters: BTreeMap::new(),
        };
        for sample in interpolate::possible_targets(&alone, &self.for_each, self.inputs) {
            if let Err(invalid) = (kind.subject.check)(&sample.subject) {
                let message = format!("{}: {}", kind.name, invalid.message);
                self.report(Problem::new(message, invalid.help).under(kind.name));
                return None;
            }
        }
        self.report_under(
            kind.name,
            placeholder::find_exposed_secret(value, self.inputs),
        );
        if kind.name != "command" {
            let problems = placeholder::find_unknown_names(value, &self.variables, self.inputs);
            self.report_under(kind.name, problems);
        }
        Some(subject)
    }
}

/// Returns the text of a subject. An unquoted number is accepted for resources whose subject is a
/// number, such as `port`.
fn subject_text(value: &Tree, kind: &ResourceType) -> Result<String, Problem> {
    let text = match value {
        Tree::Int(n) if kind.subject.name == "number" => n.to_string(),
        Tree::Text(text) => text.clone(),
        _ => {
            let message = format!("{}: it must be text, not {}", kind.name, value.describe());
            let help = format!(
                "write the {} as the value: `{}: …`",
                kind.subject.name, kind.name
            );
            return Err(Problem::new(message, help));
        }
    };
    let words = kind.subject.words;
    if !words.is_empty() && !words.contains(&text.as_str()) {
        let help = format!("use {}", words.join(" or "));
        let message = format!("{}: unknown value `{}`", kind.name, text.escape_debug());
        return Err(Problem::new(message, help));
    }
    Ok(text)
}

/// Parses the value of a parameter; joins the items of a list with line breaks.
fn parse_parameter_value(value: &Tree, of: ValueType) -> Result<String, Problem> {
    match value {
        Tree::List(_) if of == ValueType::Exclusions => {
            let lines = parse_exclusions(value)?
                .iter()
                .map(Exclusion::as_line)
                .collect::<Vec<_>>();
            Ok(lines.join("\n"))
        }
        Tree::List(items) if of == ValueType::List => {
            let items: Result<Vec<String>, OperandError> = items
                .iter()
                .map(|item| parse_operand(item, ValueType::Text))
                .collect();
            Ok(items?.join("\n"))
        }
        _ => Ok(parse_operand(value, of)?),
    }
}
