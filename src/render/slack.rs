//! Owns the Slack message: its values and its template.

use serde::Serialize;

use super::{Language, RenderError, render};
use crate::catalog::Catalog;

/// The template.
pub const TEMPLATE: &str = "templates/notify/slack.json";
/// The longest text of a section or context block (Block Kit reference: 3,000 characters).
const LONGEST: usize = 2900;
/// The longest header (Block Kit reference).
const HEADER: usize = 150;

/// What the message says.
#[derive(Debug, Clone, Serialize)]
pub struct Values {
    /// One line: what happened.
    pub headline: String,
    /// One line for each image, already in Slack's plain words.
    pub lines: Vec<String>,
    /// What failed, or empty.
    pub failures: Vec<String>,
    /// Run, commit and caller.
    pub footer: String,
}

/// The JSON to post; long lists are cut at Slack's limits with a word about the rest.
///
/// # Errors
/// The template is missing or wrong.
pub fn message(catalog: &Catalog, values: &Values) -> Result<serde_json::Value, RenderError> {
    let cut = Values {
        headline: shorten(&values.headline, HEADER),
        lines: chunks(&values.lines),
        failures: chunks(&values.failures),
        footer: shorten(&values.footer, LONGEST),
    };
    let text = render(catalog, TEMPLATE, Language::Slack, &cut)?;
    serde_json::from_str(&text).map_err(|e| RenderError {
        at: None,
        template: TEMPLATE.to_owned(),
        message: format!("it does not render to JSON: {e}"),
    })
}

/// Joins lines into as few texts as Slack's limit allows; at most twenty texts.
fn chunks(lines: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in lines {
        let line = shorten(line, LONGEST);
        match out.last_mut() {
            Some(last) if weight(last) + 1 + weight(&line) <= LONGEST => {
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

/// The characters of a text once it is escaped, which is what Slack's limits count.
fn weight(text: &str) -> usize {
    text.chars().map(escaped).sum()
}

fn escaped(c: char) -> usize {
    match c {
        '&' => 5,
        '<' | '>' => 4,
        _ => 1,
    }
}

/// Cuts a text so that it holds at most `longest` characters once it is escaped.
fn shorten(text: &str, longest: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect();
    if weight(&plain) <= longest {
        return plain;
    }
    let mut left = longest.saturating_sub(1);
    let fits = |c: &char| {
        let room = left.checked_sub(escaped(*c));
        left = room.unwrap_or(0);
        room.is_some()
    };
    let mut out: String = plain.chars().take_while(fits).collect();
    out.push('…');
    out
}
