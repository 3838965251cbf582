//! Parses the resource of a check and its expected properties into an [`Expectation`].

use std::collections::BTreeMap;

use crate::language::control::{Expectation, Expected, IfAbsent};
use crate::language::parse::parser::CheckParser;
use crate::language::{interpolate, placeholder};
use crate::matcher::Matcher;
use crate::matcher::tree::Tree;
use crate::problem::Problem;
use crate::resource_type::{ResourceRef, ResourceType, ValueType};
use crate::text::truncate_for_display;

impl CheckParser<'_> {
    /// Parses one resource; `ignored` keys belong to the check.
    pub(super) fn parse_expectation(
        &mut self,
        check: &Tree,
        kind: &'static ResourceType,
        ignored: &[&str],
    ) -> Expectation {
        let mut target = ResourceRef {
            kind: kind.name.to_owned(),
            subject: self.parse_subject(check, kind).unwrap_or_default(),
            parameters: BTreeMap::new(),
        };
        let mut expect = BTreeMap::new();
        for (key, value) in check.entries() {
            if key == kind.name || ignored.contains(&key.as_str()) {
                continue;
            }
            if let Some(parameter) = kind.parameters.iter().find(|p| p.name == key) {
                if let Some(text) = self.parse_parameter(parameter, value) {
                    target.parameters.insert(key.clone(), text);
                }
            } else if let Some((name, expected)) = self.parse_property(kind, key, value) {
                expect.insert(name, expected);
            }
        }
        for (implied, unless) in kind.implied {
            if !unless.iter().any(|name| check.get(name).is_some()) {
                expect.insert((*implied).to_owned(), Expected::Fixed(Matcher::bool(true)));
            }
        }
        if expect.is_empty() && self.problems.is_empty() {
            expect = self.default_expectations(kind);
        }
        self.reject_contradiction(kind, &expect);
        self.default_id.get_or_insert_with(|| {
            let subject = truncate_for_display(target.subject.trim().as_bytes());
            format!("{}:{subject}", kind.name)
        });
        Expectation {
            target,
            expect,
            if_absent: parse_if_absent(check),
        }
    }

    /// Returns the default expectations of a resource; reports a problem if it has none.
    fn default_expectations(&mut self, kind: &ResourceType) -> BTreeMap<String, Expected> {
        if kind.by_default.is_empty() {
            let names: Vec<&str> = kind.properties.iter().map(|p| p.name).collect();
            self.report(Problem::new(
                format!("the check of `{}` has no expected property", kind.name),
                format!("add one of {}", names.join(", ")),
            ));
        }
        kind.by_default
            .iter()
            .map(|property| default_expectation(kind, property))
            .collect()
    }

    fn parse_property(
        &mut self,
        kind: &ResourceType,
        key: &str,
        value: &Tree,
    ) -> Option<(String, Expected)> {
        let Some(property) = kind.property(key) else {
            self.report(unknown_key(kind, key));
            return None;
        };
        let name = if property.name.is_empty() {
            key.to_owned()
        } else {
            property.name.to_owned()
        };
        if placeholder::has_placeholders(value, &self.variables) {
            if let Err(problem) = self.check_samples(key, value, property.of) {
                self.report_property(key, problem);
            }
            return Some((name, Expected::Open(value.clone())));
        }
        match Matcher::parse(value, property.of) {
            Ok(matcher) => Some((name, Expected::Fixed(matcher))),
            Err(problem) => {
                self.report_property(key, problem);
                None
            }
        }
    }

    fn report_property(&mut self, key: &str, mut problem: Problem) {
        problem.message = format!("{key}: {}", problem.message);
        self.report(problem.under(key));
    }

    /// Checks a value with placeholders against all values of its inputs. Returns the first
    /// problem, and reports unknown names itself.
    fn check_samples(
        &mut self,
        key: &str,
        value: &Tree,
        value_type: ValueType,
    ) -> Result<(), Problem> {
        let unknown = placeholder::find_unknown_names(value, &self.variables, self.inputs);
        if !unknown.is_empty() {
            self.report_under(key, unknown);
            return Ok(());
        }
        let inputs = self.inputs;
        let is_sensitive = |name: &&str| inputs.get(*name).is_some_and(|input| input.sensitive);
        let sensitive = placeholder::input_names(value)
            .into_iter()
            .find(is_sensitive);
        for sample in interpolate::sample_values(value, &self.variables, inputs) {
            Matcher::parse(&sample, value_type).map_err(|problem| match sensitive {
                None => problem,
                // The message could contain the value.
                Some(name) => Problem {
                    message: "invalid value".to_owned(),
                    help: Some(format!("check the sensitive input `{name}`")),
                    ..problem
                },
            })?;
        }
        Ok(())
    }

    fn reject_contradiction(&mut self, kind: &ResourceType, expect: &BTreeMap<String, Expected>) {
        let Some(presence) = kind.presence else {
            return;
        };
        let absent = expect.get(presence) == Some(&Expected::Fixed(Matcher::bool(false)));
        if absent && expect.len() > 1 {
            let message = format!("`{presence}: false` contradicts the other expected properties");
            self.report(Problem::new(message, "remove one of them"));
        }
    }
}

/// Returns the problem of a key that is neither a property nor a parameter of the resource.
fn unknown_key(kind: &ResourceType, key: &str) -> Problem {
    let properties = kind.properties.iter().map(|p| p.name);
    let names: Vec<&str> = properties
        .chain(kind.parameters.iter().map(|p| p.name))
        .collect();
    let help = match bakeline_diagnostic::nearest(key, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`{}` accepts {}", kind.name, names.join(", ")),
    };
    Problem::new(format!("unknown key `{}`", key.escape_debug()), help)
        .at_key()
        .under(key)
}

fn parse_if_absent(check: &Tree) -> Option<IfAbsent> {
    match check.get("if_absent").and_then(Tree::text) {
        Some("skip") => Some(IfAbsent::Skip),
        Some("pass") => Some(IfAbsent::Pass),
        Some("fail") => Some(IfAbsent::Fail),
        _ => None,
    }
}

/// Parses an entry of [`ResourceType::by_default`].
fn default_expectation(kind: &ResourceType, written: &str) -> (String, Expected) {
    let name = written.trim_start_matches('!');
    let expected = name == written;
    let matcher = match kind.property(name).map(|p| p.of) {
        Some(ValueType::List) => Matcher::Empty(!expected),
        _ => Matcher::bool(expected),
    };
    (name.to_owned(), Expected::Fixed(matcher))
}
