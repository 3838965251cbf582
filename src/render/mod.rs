//! Owns the templates: which exist, which variables they get, and rendering them with every value quoted for its context.

pub mod packer;
pub mod provision;
pub mod quote;
pub mod slack;
#[cfg(test)]
mod tests;
pub mod visible;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Serialize;

use crate::catalog::{Catalog, Image};

/// What a rendered text is, and so how values in it are quoted. Quoting is automatic: a template can't forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Packer's HCL2-JSON.
    Packer,
    /// POSIX shell.
    Shell,
    /// Slack's JSON with mrkdwn texts.
    Slack,
    /// Text and quoted attributes of an HTML page.
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

/// A template that can't be used, or a value that can't travel through its language.
#[derive(Debug, Clone, thiserror::Error)]
#[error("template `{template}`: {message}")]
pub struct RenderError {
    /// The template's path.
    pub template: String,
    /// The bytes of the template that it is about, where they are known.
    pub at: Option<std::ops::Range<usize>>,
    /// What is wrong, with line and column where Tera knows them.
    pub message: String,
}

/// Every template an image is made with; part of its recipe.
#[must_use]
pub fn template_paths(image: &Image) -> Vec<&'static str> {
    let mut paths = vec![packer::TEMPLATE];
    paths.extend(provision::templates(image));
    paths
}

/// Renders one template of the catalog.
///
/// # Errors
/// The template is missing or wrong, uses a variable it does not get, or a value can't be quoted.
pub fn render(
    catalog: &Catalog,
    path: &str,
    language: Language,
    values: &impl Serialize,
) -> Result<String, RenderError> {
    let wrong = |message: String| RenderError {
        at: None,
        template: path.to_owned(),
        message,
    };
    let text = catalog
        .files
        .get(path)
        .ok_or_else(|| wrong("it does not exist".to_owned()))?;
    let text = std::str::from_utf8(text).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    render_text(path, text, language, values)
}

/// Renders the text of a template; `path` is its name in messages.
///
/// # Errors
/// The template is wrong, uses a variable it does not get, or a value can't be quoted.
pub fn render_text(
    path: &str,
    text: &str,
    language: Language,
    values: &impl Serialize,
) -> Result<String, RenderError> {
    let wrong = |message: String| RenderError {
        at: None,
        template: path.to_owned(),
        message,
    };
    let parsed = parsed(path, text, language).map_err(|e| wrong(e.to_string()))?;
    let context = tera::Context::from_serialize(values).map_err(|e| wrong(e.to_string()))?;
    if let Some(name) = parsed.used.iter().find(|name| !context.contains_key(name)) {
        let given: Vec<String> = given(values);
        let near = crate::diagnostic::nearest(name, given.iter().map(String::as_str));
        let help = near.map_or_else(
            || format!("it gets: {}", given.join(", ")),
            |n| format!("did you mean `{n}`?"),
        );
        let message = format!("it uses `{name}`, which it does not get; {help}");
        return Err(RenderError {
            at: first_use(text, name),
            ..wrong(message)
        });
    }
    parsed
        .tera
        .render(path, &context)
        .map_err(|e| wrong(crate::error::describe(&e)))
}

/// A template ready to be rendered, and the variables it uses, sorted.
struct Parsed {
    text: String,
    tera: tera::Tera,
    used: BTreeSet<String>,
}

thread_local! {
    /// The last text parsed of each template: a catalog of thousands of images has a handful of templates.
    static PARSED: RefCell<BTreeMap<(String, &'static str), Rc<Parsed>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Parses a template, or finds the very same text parsed already.
fn parsed(path: &str, text: &str, language: Language) -> Result<Rc<Parsed>, tera::Error> {
    let key = (path.to_owned(), language.as_str());
    let known = PARSED.with_borrow(|all| all.get(&key).filter(|p| p.text == text).cloned());
    if let Some(known) = known {
        return Ok(known);
    }
    let tera = engine(path, text, language)?;
    let used = tera
        .get_template_variables(path)?
        .into_iter()
        .map(str::to_owned)
        .collect();
    let made = Rc::new(Parsed {
        text: text.to_owned(),
        tera,
        used,
    });
    PARSED.with_borrow_mut(|all| all.insert(key, Rc::clone(&made)));
    Ok(made)
}

/// Where a template first uses a variable: the name as a whole word between our delimiters.
fn first_use(text: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let inside = |at: usize| {
        let before = &text[..at];
        let (open, close) = (
            before.rfind("@{").max(before.rfind("@%")),
            before.rfind("}@").max(before.rfind("%@")),
        );
        open.is_some() && open > close
    };
    text.match_indices(name)
        .map(|(at, _)| at..at + name.len())
        .find(|r| {
            inside(r.start) && !text[..r.start].ends_with(word) && !text[r.end..].starts_with(word)
        })
}

fn given(values: &impl Serialize) -> Vec<String> {
    match serde_json::to_value(values) {
        Ok(serde_json::Value::Object(map)) => map.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// A Tera with one template and no functions that could reach environment, clock or files. The delimiters collide with
/// neither Packer (`{{`, `${`, `%{`) nor the shell.
fn engine(path: &str, text: &str, language: Language) -> Result<tera::Tera, tera::Error> {
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
