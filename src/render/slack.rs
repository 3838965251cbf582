//! Renders the Slack message.

use serde::Serialize;

use super::{Language, RenderError, render};
use crate::catalog::Catalog;

/// Path of the template.
pub const TEMPLATE: &str = "templates/notify/slack.json";
/// Length of the longest text of a section or context block (Block Kit: 3,000 characters).
const MAX_SECTION: usize = 2900;
/// Length of the longest header (Block Kit).
const MAX_HEADER: usize = 150;

/// Content of the message.
#[derive(Debug, Clone, Serialize)]
pub struct Values {
    /// Headline.
    pub headline: String,
    /// Lines, one for each image.
    pub lines: Vec<String>,
    /// Failures, or empty.
    pub failures: Vec<String>,
    /// Run, commit and caller.
    pub footer: String,
}

/// Returns the JSON of the message. Long lists are shortened to the limits of Slack.
///
/// Fails if the template is missing or invalid.
pub fn message(catalog: &Catalog, values: &Values) -> Result<serde_json::Value, RenderError> {
    let cut = Values {
        headline: shorten(&values.headline, MAX_HEADER),
        lines: join_lines(&values.lines),
        failures: join_lines(&values.failures),
        footer: shorten(&values.footer, MAX_SECTION),
    };
    let text = render(catalog, TEMPLATE, Language::Slack, &cut)?;
    serde_json::from_str(&text).map_err(|e| RenderError {
        at: None,
        template: TEMPLATE.to_owned(),
        message: format!("the rendered template is not valid JSON: {e}"),
    })
}

/// Joins lines into at most 20 texts within the limit of a section.
fn join_lines(lines: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in lines {
        let line = shorten(line, MAX_SECTION);
        match out.last_mut() {
            Some(last) if escaped_length(last) + 1 + escaped_length(&line) <= MAX_SECTION => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => out.push(line),
        }
    }
    if out.len() > 20 {
        let rest: usize = out[19..].iter().map(|text| text.lines().count()).sum();
        out.truncate(19);
        out.push(format!("… and {rest} more lines"));
    }
    out
}

/// Returns the length of a text with escapes, which the limits of Slack count.
fn escaped_length(text: &str) -> usize {
    text.chars().map(escaped_char_length).sum()
}

fn escaped_char_length(c: char) -> usize {
    match c {
        '&' => 5,
        '<' | '>' => 4,
        _ => 1,
    }
}

/// Shortens a text to at most `longest` characters with escapes.
fn shorten(text: &str, longest: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect();
    if escaped_length(&plain) <= longest {
        return plain;
    }
    let mut left = longest.saturating_sub(1);
    let fits = |c: &char| {
        let room = left.checked_sub(escaped_char_length(*c));
        left = room.unwrap_or(0);
        room.is_some()
    };
    let mut out: String = plain.chars().take_while(fits).collect();
    out.push('…');
    out
}
