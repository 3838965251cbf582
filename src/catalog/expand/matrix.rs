//! Expands the matrix of an image file to combinations.

use super::describe::describe_value;
use super::scope::{Definition, Level, check_variable_name};
use crate::catalog::checker::quote_text;
use crate::catalog::codes;
use crate::catalog::yaml::node::{Key, Node, Value};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::diagnostic::nearest;

/// Largest number of images of one file.
const MAX_IMAGES: usize = 256;
/// Keys of a matrix that are not variables.
const INCLUDE: &str = "include";
const EXCLUDE: &str = "exclude";

/// Combination of values by variable.
pub(super) type Combination<'a> = Level<'a>;

/// Returns all combinations of a matrix, or `None` after an error.
pub(super) fn expand_matrix<'a>(
    node: &Node,
    file: SourceFile<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Combination<'a>>> {
    let before = diagnostics.error_count();
    let mut matrix = MatrixReader { file, diagnostics };
    let axes = matrix.read_axes(node)?;
    let excluded = matrix.read_list(node, EXCLUDE, &axes);
    let included = matrix.read_list(node, INCLUDE, &axes);
    let count = axes
        .iter()
        .try_fold(1usize, |count, (_, values)| count.checked_mul(values.len()))
        .unwrap_or(usize::MAX);
    if count.saturating_add(included.len()) > MAX_IMAGES {
        let message = format!("the matrix has more than {MAX_IMAGES} images");
        matrix
            .diagnostics
            .error(codes::MATRIX, file.span(node.span.clone()), message)
            .help("split it into several files");
        return None;
    }
    let mut combinations = combine(&axes, file);
    for entry in &excluded {
        let count = combinations.len();
        combinations.retain(|combination| !matches_entry(combination, entry));
        if combinations.len() == count {
            matrix.report_unused_exclude(entry, &axes);
        }
    }
    for entry in included {
        let missing = axes.iter().find(|(key, _)| entry.get(&key.text).is_none());
        if let Some((key, _)) = missing {
            matrix
                .error(&entry, format!("`include` has no value for `{}`", key.text))
                .help("give each variable of the matrix a value");
            continue;
        }
        let combination = entry.into_entries().into_iter();
        combinations.push(
            combination
                .map(|(key, value)| define(&key, value, file))
                .collect(),
        );
    }
    if combinations.is_empty() && diagnostics.error_count() == before {
        diagnostics
            .error(
                codes::MATRIX,
                file.span(node.span.clone()),
                "the matrix has no images",
            )
            .help("remove an `exclude`, or remove the file");
    }
    (diagnostics.error_count() == before).then_some(combinations)
}

fn define<'a>(key: &Key, value: Node, file: SourceFile<'a>) -> (String, Definition<'a>) {
    let definition = Definition {
        file,
        span: value.span.clone(),
        value,
        // The variables of a matrix are replaced before its combinations are computed.
        is_literal: true,
    };
    (key.text.clone(), definition)
}

/// Returns the product of all axes.
fn combine<'a>(axes: &[(Key, Vec<Node>)], file: SourceFile<'a>) -> Vec<Combination<'a>> {
    let mut out = vec![Combination::new()];
    for (key, values) in axes {
        out = out
            .iter()
            .flat_map(|known| {
                values.iter().map(|value| {
                    let mut more = known.clone();
                    more.extend([define(key, value.clone(), file)]);
                    more
                })
            })
            .collect();
    }
    out
}

fn matches_entry(combination: &Combination<'_>, entry: &Node) -> bool {
    entry.entries().iter().all(|(key, value)| {
        combination
            .get(&key.text)
            .is_some_and(|known| has_same_value(&known.value, value))
    })
}

/// Returns true if two values are equal. Positions and types of scalars do not count.
fn has_same_value(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar { text: a, .. }, Value::Scalar { text: b, .. }) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| has_same_value(a, b))
        }
        (Value::Map(a), Value::Map(map)) => {
            a.len() == map.len()
                && a.iter()
                    .all(|(key, a)| b.get(&key.text).is_some_and(|b| has_same_value(a, b)))
        }
        _ => false,
    }
}

struct MatrixReader<'a, 'd> {
    file: SourceFile<'a>,
    diagnostics: &'d mut Diagnostics,
}

impl MatrixReader<'_, '_> {
    fn error(
        &mut self,
        node: &Node,
        message: impl Into<String>,
    ) -> crate::catalog::yaml::source::DiagnosticBuilder<'_> {
        let span = self.file.span(node.span.clone());
        self.diagnostics.error(codes::MATRIX, span, message)
    }

    /// Returns the variables with their values.
    fn read_axes(&mut self, node: &Node) -> Option<Vec<(Key, Vec<Node>)>> {
        if node.entries().is_empty() {
            self.error(
                node,
                format!("`matrix` must be a map, not {}", node.describe()),
            )
            .help("write `matrix: {NAME: [VALUE, VALUE]}`");
            return None;
        }
        let mut axes = Vec::new();
        let mut is_valid = true;
        for (key, values) in node.entries() {
            if matches!(key.text.as_str(), INCLUDE | EXCLUDE) {
                continue;
            }
            is_valid &= check_variable_name(&key.text, self.file, &key.span, self.diagnostics);
            is_valid &= self.check_axis(key, values);
            if let Value::List(items) = &values.value {
                axes.push((key.clone(), items.clone()));
            }
        }
        is_valid.then_some(axes)
    }

    fn check_axis(&mut self, key: &Key, values: &Node) -> bool {
        let Value::List(items) = &values.value else {
            let message = format!("`{}` must be a list, not {}", key.text, values.describe());
            self.error(values, message)
                .help(format!("write `{}: [VALUE, VALUE]`", key.text));
            return false;
        };
        if items.is_empty() {
            self.error(values, format!("`{}` has no values", key.text))
                .help("add a value, or remove the variable");
            return false;
        }
        let mut is_valid = true;
        for (at, item) in items.iter().enumerate() {
            if item.is_null() {
                self.error(item, format!("a value of `{}` is empty", key.text))
                    .help("add a value; `\"\"` is an empty text");
                is_valid = false;
            } else if items[..at]
                .iter()
                .any(|earlier| has_same_value(earlier, item))
            {
                self.error(item, format!("duplicate value of `{}`", key.text))
                    .help("remove one of them");
                is_valid = false;
            }
        }
        is_valid
    }

    /// Returns the entries of `include` or `exclude`. Reports entries with unknown variables.
    fn read_list(&mut self, node: &Node, name: &str, axes: &[(Key, Vec<Node>)]) -> Vec<Node> {
        let Some(list) = node.get(name) else {
            return Vec::new();
        };
        let Value::List(entries) = &list.value else {
            self.error(
                list,
                format!("`{name}` must be a list, not {}", list.describe()),
            )
            .help(format!("write `{name}: [{{NAME: VALUE}}]`"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for entry in entries {
            if entry.entries().is_empty() {
                let message = format!(
                    "an entry of `{name}` must be a map, not {}",
                    entry.describe()
                );
                self.error(entry, message).help("write `{NAME: VALUE}`");
                continue;
            }
            let names = || axes.iter().map(|(key, _)| key.text.as_str());
            let unknown = |(key, _): &&(Key, Node)| !names().any(|name| name == key.text);
            if let Some((key, _)) = entry.entries().iter().find(unknown) {
                let message = format!("`{}` is not in the matrix", quote_text(&key.text));
                let help = match nearest(&key.text, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "use the variables of the matrix".to_owned(),
                };
                let span = self.file.span(key.span.clone());
                self.diagnostics
                    .error(codes::MATRIX, span, message)
                    .help(help);
                continue;
            }
            out.push(entry.clone());
        }
        out
    }

    fn report_unused_exclude(&mut self, entry: &Node, axes: &[(Key, Vec<Node>)]) {
        let unknown = entry.entries().iter().find_map(|(key, value)| {
            let (_, values) = axes.iter().find(|(axis, _)| axis.text == key.text)?;
            let is_known = values.iter().any(|known| has_same_value(known, value));
            (!is_known).then(|| (key, values.first()))
        });
        let example = unknown
            .and_then(|(key, first)| Some(format!("{}: {}", key.text, describe_value(first?))));
        self.error(entry, "`exclude` matches no combination")
            .help(match example {
                Some(example) => {
                    format!("use values of the matrix, such as `{example}`, or remove the entry")
                }
                None => "use values of the matrix, or remove the entry".to_owned(),
            });
    }
}
