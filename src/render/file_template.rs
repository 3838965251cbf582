//! Renders files of the catalog that are templates, with the standard delimiters of Tera.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::{RenderError, find_first_use};

/// Delimiters of values and of blocks.
const DELIMITERS: [(&str, &str); 2] = [("{{", "}}"), ("{%", "%}")];

/// Renders the text of a file with the variables of an image. `path` is its name in messages.
///
/// Values are inserted verbatim, because the language of the file is unknown.
///
/// # Errors
/// Fails with the position if the template is invalid or uses an undefined variable.
pub fn render_file_template(
    path: &str,
    text: &str,
    variables: &BTreeMap<String, Value>,
) -> Result<String, RenderError> {
    let engine = parse(path, text)?;
    let used = used_variables(path, &engine);
    if let Some(name) = used.iter().find(|name| !variables.contains_key(*name)) {
        let near = crate::diagnostic::nearest(name, variables.keys().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if variables.is_empty() => "the image has no variables".to_owned(),
            None => {
                let names: Vec<&str> = variables.keys().map(String::as_str).collect();
                format!("available: {}", names.join(", "))
            }
        };
        return Err(RenderError {
            template: path.to_owned(),
            at: find_first_use(text, name, DELIMITERS),
            message: format!("undefined template variable `{name}`; {help}"),
        });
    }
    let error = |error: tera::Error| template_error(path, text, &error);
    let context = tera::Context::from_serialize(variables).map_err(error)?;
    engine.render(path, &context).map_err(error)
}

/// Returns the names of the variables that a template uses. Empty for an invalid template.
#[must_use]
pub fn template_variables(text: &str) -> BTreeSet<String> {
    const NAME: &str = "template";
    parse(NAME, text).map_or_else(|_| BTreeSet::new(), |engine| used_variables(NAME, &engine))
}

/// Parses one template, without functions for environment, clock or files.
fn parse(path: &str, text: &str) -> Result<tera::Tera, RenderError> {
    let mut engine = tera::Tera::new();
    engine.autoescape_on(Vec::<&str>::new());
    engine
        .add_raw_template(path, text)
        .map_err(|e| template_error(path, text, &e))?;
    Ok(engine)
}

fn used_variables(path: &str, engine: &tera::Tera) -> BTreeSet<String> {
    let names = engine.get_template_variables(path).unwrap_or_default();
    names.into_iter().map(str::to_owned).collect()
}

/// Returns an error of Tera with its position in the template.
pub(super) fn template_error(path: &str, text: &str, error: &tera::Error) -> RenderError {
    let (at, message) = match error.kind() {
        tera::ErrorKind::SyntaxError(report) | tera::ErrorKind::RenderingError(report) => (
            Some(report.span().range.clone()),
            report.message().to_owned(),
        ),
        // Unknown functions and filters are reported as a text with the position.
        _ => {
            let report = crate::error::describe(error);
            let first = report.lines().next().unwrap_or_default();
            let message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
            (reported_position(path, text, &report), message)
        }
    };
    RenderError {
        template: path.to_owned(),
        at,
        message,
    }
}

/// Returns the position in a line ` --> path:line:column` of a report.
fn reported_position(path: &str, text: &str, report: &str) -> Option<std::ops::Range<usize>> {
    let prefix = format!("--> {path}:");
    let mut numbers = report
        .lines()
        .find_map(|line| line.trim().strip_prefix(&prefix))?
        .split(':')
        .map(str::parse::<usize>);
    let (line, column) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let before: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let at = before + column.saturating_sub(1);
    text.is_char_boundary(at).then_some(at..at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{render_file_template, template_variables};

    fn variables() -> BTreeMap<String, Value> {
        let Value::Object(map) = json!({
            "port": 8080, "hosts": ["a", "b"], "text": "<&'\"{{ x }} ${y} $(id)", "app": {"name": "shop"},
        }) else {
            unreachable!()
        };
        map.into_iter().collect()
    }

    #[test]
    fn values_arrive_verbatim() {
        let text =
            "{% for h in hosts %}{{ h }}:{{ port }} {% endfor %}{{ text }} {{ app.name }}\n@{ x }@";
        assert_eq!(
            render_file_template("f", text, &variables()).expect("rendered"),
            "a:8080 b:8080 <&'\"{{ x }} ${y} $(id) shop\n@{ x }@"
        );
    }

    #[test]
    fn undefined_variable_has_position() {
        for (text, range, words) in [
            ("prot {{ prot }}", 8..12, "did you mean `port`?"),
            ("{% if zzzzz %}a{% endif %}", 6..11, "available: app, hosts"),
            ("a\n{{ app.nam }}", 9..12, "nam"),
            ("a {{ port", 0..0, ""),
            ("a\n{{ get_env(name='HOME') }}", 5..5, "get_env"),
            ("{{ port | nope }}", 0..0, "nope"),
        ] {
            let error = render_file_template("f", text, &variables()).expect_err(text);
            assert!(error.message.contains(words), "{text}: {error}");
            let at = error
                .at
                .unwrap_or_else(|| panic!("{text}: {}", error.message));
            assert!(
                range.is_empty() || at == range,
                "{text}: {at:?} {}",
                error.message
            );
        }
        let none = render_file_template("f", "{{ a }}", &BTreeMap::new()).expect_err("undefined");
        assert!(none.message.contains("no variables"), "{none}");
    }

    #[test]
    fn used_variables_are_listed() {
        let text = "{% for h in hosts %}{{ h }}{% endfor %}{% set a = port %}{{ a }}{{ app.name }}";
        let names: Vec<String> = template_variables(text).into_iter().collect();
        assert_eq!(names, ["app", "hosts", "port"]);
    }
}
