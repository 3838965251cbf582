//! Owns the way from one resource as written, with what is expected of it, to an [`Expectation`].

use std::collections::BTreeMap;

use crate::kind::{Kind, Of, Parameter, Target};
use crate::language::control::{Expectation, Expected, IfAbsent};
use crate::language::draft::Draft;
use crate::language::open;
use crate::matcher::Matcher;
use crate::matcher::tree::Tree;
use crate::matcher::value::operand;
use crate::problem::Problem;

impl Draft<'_> {
    pub(super) fn expectation(
        &mut self,
        check: &Tree,
        kind: &'static Kind,
        besides: &[&str],
    ) -> Expectation {
        let subject = self.subject(check, kind).unwrap_or_default();
        let mut target = Target {
            kind: kind.name.to_owned(),
            subject,
            parameters: BTreeMap::new(),
        };
        let mut expect = BTreeMap::new();
        for (key, value) in check.entries() {
            if key == kind.name || besides.contains(&key.as_str()) {
                continue;
            }
            if let Some(parameter) = kind.parameters.iter().find(|p| p.name == key) {
                if let Some(text) = self.parameter(parameter, value) {
                    target.parameters.insert(key.clone(), text);
                }
            } else if let Some((name, expected)) = self.property(kind, key, value) {
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
                .map(|property| by_default(kind, property))
                .collect();
            if expect.is_empty() {
                let names: Vec<&str> = kind.properties.iter().map(|p| p.name).collect();
                let help = format!("add one of {}", names.join(", "));
                self.problem(Problem::new(
                    format!("nothing is expected of this {}", kind.name),
                    help,
                ));
            }
        }
        self.contradiction(kind, &expect);
        self.shown.get_or_insert_with(|| {
            format!(
                "{}:{}",
                kind.name,
                crate::text::brief(target.subject.trim().as_bytes())
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

    /// How to look: a value that fits, whatever its loops and inputs turn out to be.
    fn parameter(&mut self, parameter: &Parameter, value: &Tree) -> Option<String> {
        let key = parameter.name;
        let mut problems = open::check(value, &self.loops, self.inputs);
        problems.extend(open::exposed(value, self.inputs));
        let wrong =
            |what: &str, help: Option<String>| Problem::maybe(format!("{key}: {what}"), help);
        let text = written(value, parameter.of)
            .map_err(|(what, help)| problems.push(wrong(&what, help)))
            .ok();
        if let Some(text) = text.as_ref().filter(|_| problems.is_empty()) {
            let parameters = BTreeMap::from([(key.to_owned(), text.clone())]);
            let alone = Target {
                kind: String::new(),
                subject: String::new(),
                parameters,
            };
            let all = open::targets(&alone, &self.for_each, self.inputs);
            let bad = all
                .iter()
                .find_map(|target| (parameter.check)(target.parameter(key, "")).err());
            problems.extend(bad.map(|(what, help)| wrong(&what, Some(help.to_owned()))));
        }
        let fine = problems.is_empty();
        self.problems
            .extend(problems.into_iter().map(|p| p.under(key)));
        text.filter(|_| fine)
    }

    fn subject(&mut self, check: &Tree, kind: &Kind) -> Option<String> {
        let value = check.get(kind.name)?;
        let number = match value {
            Tree::Int(n) if kind.subject.name == "number" => Some(n.to_string()),
            _ => None,
        };
        let Some(subject) = number.as_deref().or_else(|| value.text()) else {
            let message = format!("{}: it must be text, not {}", kind.name, value.describe());
            let help = format!(
                "write its {} behind it: `{}: …`",
                kind.subject.name, kind.name
            );
            self.problem(Problem::new(message, help).under(kind.name));
            return None;
        };
        let words = kind.subject.words;
        if !words.is_empty() && !words.contains(&subject) {
            let help = format!("use {}", words.join(" or "));
            let message = format!("{}: there is no `{}`", kind.name, subject.escape_debug());
            self.problem(Problem::new(message, help).under(kind.name));
            return None;
        }
        let alone = Target {
            kind: kind.name.to_owned(),
            subject: subject.to_owned(),
            parameters: BTreeMap::new(),
        };
        for sample in open::targets(&alone, &self.for_each, self.inputs) {
            if let Err((what, help)) = (kind.subject.check)(&sample.subject) {
                self.problem(Problem::new(format!("{}: {what}", kind.name), help).under(kind.name));
                return None;
            }
        }
        if let Some(problem) = open::exposed(value, self.inputs) {
            self.problem(problem.under(kind.name));
        }
        if kind.name != "command" {
            let problems = open::check(value, &self.loops, self.inputs);
            self.problems
                .extend(problems.into_iter().map(|p| p.under(kind.name)));
        }
        Some(subject.to_owned())
    }

    fn property(&mut self, kind: &Kind, key: &str, value: &Tree) -> Option<(String, Expected)> {
        let Some(property) = kind.property(key) else {
            let names = kind
                .properties
                .iter()
                .map(|p| p.name)
                .chain(kind.parameters.iter().map(|p| p.name));
            let help = match bakeline_diagnostic::nearest(key, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "a {} has {}",
                    kind.name,
                    names.collect::<Vec<_>>().join(", ")
                ),
            };
            self.problem(
                Problem::new(
                    format!("the key `{}` is not known here", key.escape_debug()),
                    help,
                )
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
        let problems = open::check(value, &self.loops, self.inputs);
        if open::refers(value, &self.loops) {
            let fine = problems.is_empty();
            self.problems
                .extend(problems.into_iter().map(|p| p.under(key)));
            if fine {
                for sample in open::sample_trees(value, &self.loops, self.inputs) {
                    if let Err(mut problem) = Matcher::read(&sample, property.of) {
                        let given = |name: &&str| {
                            self.inputs.get(*name).is_some_and(|input| input.sensitive)
                        };
                        if let Some(name) = open::inputs_in(value).iter().find(|name| given(name)) {
                            "it does not fit here".clone_into(&mut problem.message);
                            problem.help = Some(format!("look at the sensitive input `{name}`"));
                        }
                        self.named(key, problem);
                        break;
                    }
                }
            }
            return Some((name, Expected::Open(value.clone())));
        }
        match Matcher::read(value, property.of) {
            Ok(matcher) => Some((name, Expected::Fixed(matcher))),
            Err(problem) => {
                self.named(key, problem);
                None
            }
        }
    }

    fn named(&mut self, key: &str, mut problem: Problem) {
        problem.message = format!("{key}: {}", problem.message);
        self.problem(problem.under(key));
    }

    fn contradiction(&mut self, kind: &Kind, expect: &BTreeMap<String, Expected>) {
        let Some(presence) = kind.presence else {
            return;
        };
        let absent = expect.get(presence) == Some(&Expected::Fixed(Matcher::bool(false)));
        if absent && expect.len() > 1 {
            let message = format!(
                "`{presence}: false` and an expectation of what is there contradict each other"
            );
            self.problem(Problem::new(message, "remove one of them"));
        }
    }
}

/// One expectation of [`Kind::by_default`].
fn by_default(kind: &Kind, written: &str) -> (String, Expected) {
    let name = written.trim_start_matches('!');
    let wanted = name == written;
    let matcher = match kind.property(name).map(|p| p.of) {
        Some(Of::List) => Matcher::Empty(!wanted),
        _ => Matcher::bool(wanted),
    };
    (name.to_owned(), Expected::Fixed(matcher))
}

/// A parameter's value; of a list each item is a line.
fn written(value: &Tree, of: Of) -> Result<String, (String, Option<String>)> {
    match value {
        Tree::List(items) if of == Of::List => {
            let items: Result<Vec<String>, _> =
                items.iter().map(|item| operand(item, Of::Text)).collect();
            Ok(items?.join("\n"))
        }
        _ => operand(value, of),
    }
}
