//! Renders templates with automatic quoting of all values.

pub mod block;
mod error;
pub mod file_template;
pub mod packer;
mod platform_check;
pub mod provision;
mod provision_scripts;
pub mod quote;
mod script_values;
pub mod slack;
#[cfg(test)]
mod tests;
pub mod visible;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Serialize;

pub use error::RenderError;
use error::find_first_use;

use crate::catalog::{Catalog, Image};

/// Language of a rendered text. It determines the quoting of values, so a template cannot forget to
/// quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// HCL2-JSON of Packer.
    Packer,
    /// POSIX shell.
    Shell,
    /// JSON of Slack with mrkdwn texts.
    Slack,
    /// HTML: text and quoted attributes.
    Html,
}

impl Language {
    fn as_str(self) -> &'static str {
        match self {
            Self::Packer => "packer",
            Self::Shell => "shell",
            Self::Slack => "slack",
            Self::Html => "html",
        }
    }
}

/// Returns the templates of an image. They are part of its recipe.
#[must_use]
pub fn template_paths(image: &Image) -> Vec<&str> {
    let mut paths = vec![packer::template_of(image)];
    paths.extend(provision_scripts::templates(image));
    paths
}

/// Renders a template of the catalog.
///
/// # Errors
/// Fails if the template is missing or invalid, uses an undefined variable, or a value cannot be
/// quoted.
pub fn render(
    catalog: &Catalog,
    path: &str,
    language: Language,
    values: &impl Serialize,
) -> Result<String, RenderError> {
    let error = |message: String| RenderError {
        at: None,
        template: path.to_owned(),
        message,
    };
    let text = catalog
        .files
        .get(path)
        .ok_or_else(|| error("the template does not exist".to_owned()))?;
    let text =
        std::str::from_utf8(text).map_err(|_| error("the template is not UTF-8".to_owned()))?;
    render_text(path, text, language, values)
}

/// Renders the text of a template. `path` is its name in messages.
///
/// # Errors
/// Fails if the template is invalid, uses an undefined variable, or a value cannot be quoted.
pub fn render_text(
    path: &str,
    text: &str,
    language: Language,
    values: &impl Serialize,
) -> Result<String, RenderError> {
    let error = |message: String| RenderError {
        at: None,
        template: path.to_owned(),
        message,
    };
    let parsed = parse_template(path, text, language)
        .map_err(|e| file_template::template_error(path, text, &e))?;
    let context = tera::Context::from_serialize(values).map_err(|e| error(e.to_string()))?;
    if let Some(name) = parsed.used.iter().find(|name| !context.contains_key(name)) {
        let available: Vec<String> = variable_names(values);
        let near = crate::diagnostic::nearest(name, available.iter().map(String::as_str));
        let help = near.map_or_else(
            || format!("available: {}", available.join(", ")),
            |n| format!("did you mean `{n}`?"),
        );
        let message = format!("undefined template variable `{name}`; {help}");
        return Err(RenderError {
            at: find_first_use(text, name, [("@{", "}@"), ("@%", "%@")]),
            ..error(message)
        });
    }
    parsed.tera.render(path, &context).map_err(|e| {
        match (e.kind(), std::error::Error::source(&e)) {
            // Tera wraps the errors of `quote` as failures to write the output.
            (tera::ErrorKind::Io(_), Some(cause)) => error(cause.to_string()),
            _ => file_template::template_error(path, text, &e),
        }
    })
}

/// Parsed template and the names of the variables that it uses.
struct ParsedTemplate {
    text: String,
    tera: tera::Tera,
    used: BTreeSet<String>,
}

/// Parsed templates by path and language.
type TemplateCache = BTreeMap<(String, &'static str), Rc<ParsedTemplate>>;

thread_local! {
    /// Cache of parsed templates. Catalogs have thousands of images but few templates.
    static TEMPLATE_CACHE: RefCell<TemplateCache> = const { RefCell::new(BTreeMap::new()) };
}

/// Parses a template, or returns it from the cache if the text is the same.
fn parse_template(
    path: &str,
    text: &str,
    language: Language,
) -> Result<Rc<ParsedTemplate>, tera::Error> {
    let key = (path.to_owned(), language.as_str());
    let known = TEMPLATE_CACHE.with_borrow(|all| all.get(&key).filter(|p| p.text == text).cloned());
    if let Some(known) = known {
        return Ok(known);
    }
    let tera = create_engine(path, text, language)?;
    let used = tera
        .get_template_variables(path)?
        .into_iter()
        .map(str::to_owned)
        .collect();
    let parsed = Rc::new(ParsedTemplate {
        text: text.to_owned(),
        tera,
        used,
    });
    TEMPLATE_CACHE.with_borrow_mut(|all| all.insert(key, Rc::clone(&parsed)));
    Ok(parsed)
}

fn variable_names(values: &impl Serialize) -> Vec<String> {
    match serde_json::to_value(values) {
        Ok(serde_json::Value::Object(map)) => map.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Creates a Tera instance with one template, and without functions for environment, clock or
/// files.
///
/// The delimiters conflict neither with Packer (`{{`, `${`, `%{`) nor with the shell.
fn create_engine(path: &str, text: &str, language: Language) -> Result<tera::Tera, tera::Error> {
    let mut tera = tera::Tera::new();
    tera.set_delimiters(tera::Delimiters {
        block_start: "@%".into(),
        block_end: "%@".into(),
        variable_start: "@{".into(),
        variable_end: "}@".into(),
        comment_start: "@#".into(),
        comment_end: "#@".into(),
    })?;
    tera.autoescape_on([""]);
    tera.set_escape_fn(match language {
        Language::Packer => quote::packer,
        Language::Shell => quote::shell,
        Language::Slack => quote::slack,
        Language::Html => quote::html,
    });
    tera.add_raw_template(path, text)?;
    Ok(tera)
}
