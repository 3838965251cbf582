//! Parses the resource of a check and its expected properties into an [`Expectation`].

use std::collections::BTreeMap;

use crate::kind::{Kind, Parameter, Target, ValueType};
use crate::language::control::{Expectation, Expected, IfAbsent};
use crate::language::interpolate;
use crate::language::parse::CheckParser;
use crate::matcher::Matcher;
use crate::matcher::tree::Tree;
use crate::matcher::value::operand;
use crate::problem::Problem;

impl CheckParser<'_> {
    /// Parses one resource; `ignored` keys belong to the check.
    pub(super) fn parse_expectation(
        &mut self,
        check: &Tree,
        kind: &'static Kind,
        ignored: &[&str],
    ) -> Expectation {
        let subject = self.parse_subject(check, kind).unwrap_or_default();
        let mut target = Target {
            kind: kind.name.to_owned(),
            subject,
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
            expect = kind
                .by_default
                .iter()
                .map(|property| default_expectation(kind, property))
                .collect();
            if expect.is_empty() {
                let names: Vec<&str> = kind.properties.iter().map(|p| p.name).collect();
                let help = format!("add one of {}", names.join(", "));
                self.report(Problem::new(
                    format!("the check of this {} expects nothing", kind.name),
                    help,
                ));
            }
        }
        self.reject_contradiction(kind, &expect);
        self.default_id.get_or_insert_with(|| {
            format!(
                "{}:{}",
                kind.name,
                crate::text::truncate_for_display(target.subject.trim().as_bytes())
            )
        });
        let if_absent = match check.get("if_absent").and_then(Tree::text) {
            Some("skip") => Some(IfAbsent::Skip),
            Some("pass") => Some(IfAbsent::Pass),
            Some("fail") => Some(IfAbsent::Fail),
            _ => None,
        };
        Expectation {
            target,
            expect,
            if_absent,
        }
    }

    /// Parses a parameter; checks it for every possible value of loops and inputs.
    fn parse_parameter(&mut self, parameter: &Parameter, value: &Tree) -> Option<String> {
        let key = parameter.name;
        let mut problems = interpolate::find_unknown_names(value, &self.variables, self.inputs);
        problems.extend(interpolate::find_exposed_secret(value, self.inputs));
        let wrong =
            |what: &str, help: Option<String>| Problem::with_help(format!("{key}: {what}"), help);
        let text = parse_parameter_value(value, parameter.of)
            .map_err(|(what, help)| problems.push(wrong(&what, help)))
            .ok();
        if let Some(text) = text.as_ref().filter(|_| problems.is_empty()) {
            let parameters = BTreeMap::from([(key.to_owned(), text.clone())]);
            let alone = Target {
                kind: String::new(),
                subject: String::new(),
                parameters,
            };
            let all = interpolate::possible_targets(&alone, &self.for_each, self.inputs);
            let error = all
                .iter()
                .find_map(|target| (parameter.check)(target.parameter(key, "")).err());
            problems.extend(
                error.map(|invalid| wrong(&invalid.message, Some(invalid.help.to_owned()))),
            );
        }
        let is_valid = problems.is_empty();
        self.problems
            .extend(problems.into_iter().map(|p| p.under(key)));
        text.filter(|_| is_valid)
    }

    fn parse_subject(&mut self, check: &Tree, kind: &Kind) -> Option<String> {
        let value = check.get(kind.name)?;
        let number = match value {
            Tree::Int(n) if kind.subject.name == "number" => Some(n.to_string()),
            _ => None,
        };
        let Some(subject) = number.as_deref().or_else(|| value.text()) else {
            let message = format!("{}: it must be text, not {}", kind.name, value.describe());
            let help = format!(
                "write the {} as the value: `{}: …`",
                kind.subject.name, kind.name
            );
            self.report(Problem::new(message, help).under(kind.name));
            return None;
        };
        let words = kind.subject.words;
        if !words.is_empty() && !words.contains(&subject) {
            let help = format!("use {}", words.join(" or "));
            let message = format!("{}: unknown value `{}`", kind.name, subject.escape_debug());
            self.report(Problem::new(message, help).under(kind.name));
            return None;
        }
        let alone = Target {
            kind: kind.name.to_owned(),
            subject: subject.to_owned(),
            parameters: BTreeMap::new(),
        };
        for sample in interpolate::possible_targets(&alone, &self.for_each, self.inputs) {
            if let Err(invalid) = (kind.subject.check)(&sample.subject) {
                let message = format!("{}: {}", kind.name, invalid.message);
                self.report(Problem::new(message, invalid.help).under(kind.name));
                return None;
            }
        }
        if let Some(problem) = interpolate::find_exposed_secret(value, self.inputs) {
            self.report(problem.under(kind.name));
        }
        if kind.name != "command" {
            let problems = interpolate::find_unknown_names(value, &self.variables, self.inputs);
            self.problems
                .extend(problems.into_iter().map(|p| p.under(kind.name)));
        }
        Some(subject.to_owned())
    }

    fn parse_property(
        &mut self,
        kind: &Kind,
        key: &str,
        value: &Tree,
    ) -> Option<(String, Expected)> {
        let Some(property) = kind.property(key) else {
            let names = kind
                .properties
                .iter()
                .map(|p| p.name)
                .chain(kind.parameters.iter().map(|p| p.name));
            let help = match bakeline_diagnostic::nearest(key, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "`{}` accepts {}",
                    kind.name,
                    names.collect::<Vec<_>>().join(", ")
                ),
            };
            self.report(
                Problem::new(format!("unknown key `{}`", key.escape_debug()), help)
                    .at_key()
                    .under(key),
            );
            return None;
        };
        let name = if property.name.is_empty() {
            key.to_owned()
        } else {
            property.name.to_owned()
        };
        let problems = interpolate::find_unknown_names(value, &self.variables, self.inputs);
        if interpolate::has_placeholders(value, &self.variables) {
            let is_valid = problems.is_empty();
            self.problems
                .extend(problems.into_iter().map(|p| p.under(key)));
            if is_valid {
                for sample in interpolate::sample_values(value, &self.variables, self.inputs) {
                    if let Err(mut problem) = Matcher::parse(&sample, property.of) {
                        let is_sensitive = |name: &&str| {
                            self.inputs.get(*name).is_some_and(|input| input.sensitive)
                        };
                        if let Some(name) = interpolate::input_names(value)
                            .iter()
                            .find(|name| is_sensitive(name))
                        {
                            "invalid value".clone_into(&mut problem.message);
                            problem.help = Some(format!("check the sensitive input `{name}`"));
                        }
                        self.report_property(key, problem);
                        break;
                    }
                }
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

    fn reject_contradiction(&mut self, kind: &Kind, expect: &BTreeMap<String, Expected>) {
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

/// Parses an entry of [`Kind::by_default`].
fn default_expectation(kind: &Kind, written: &str) -> (String, Expected) {
    let name = written.trim_start_matches('!');
    let expected = name == written;
    let matcher = match kind.property(name).map(|p| p.of) {
        Some(ValueType::List) => Matcher::Empty(!expected),
        _ => Matcher::bool(expected),
    };
    (name.to_owned(), Expected::Fixed(matcher))
}

/// Parses the value of a parameter; joins the items of a list with line breaks.
fn parse_parameter_value(value: &Tree, of: ValueType) -> Result<String, (String, Option<String>)> {
    match value {
        Tree::List(items) if of == ValueType::List => {
            let items: Result<Vec<String>, _> = items
                .iter()
                .map(|item| operand(item, ValueType::Text))
                .collect();
            Ok(items?.join("\n"))
        }
        _ => operand(value, of),
    }
}
