//! Prints to the terminal: data to stdout, messages to stderr.

pub mod code_quality;
pub mod progress;
pub mod prompt;
pub mod snippet;
pub mod table;
pub mod width;

use std::io::{IsTerminal as _, Write as _};

use crate::error::Error;
pub use crate::model::count;

/// Prints data to stdout. Ignores a closed pipe.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ignored = out.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') {
            Ok(())
        } else {
            out.write_all(b"\n")
        }
    });
    let _ignored = out.flush();
}

/// Prints data as JSON to stdout.
pub fn json(value: &impl serde::Serialize) {
    data(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a table to stdout, at the width of its terminal.
pub fn table(table: &table::Table) {
    data(&table.render(width::stdout_width()));
}

/// Prints a table to stderr, at the width of its terminal.
pub fn say_table(table: &table::Table) {
    say(&table.render(width::stderr_width()));
}

/// Prints a message to stderr.
pub fn say(text: &str) {
    if progress::is_json() {
        return line(&serde_json::json!({ "event": "message", "text": text }).to_string());
    }
    line(text);
}

/// Prints a line to stderr. Ignores a closed pipe.
fn line(text: &str) {
    let _ignored = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a message to stderr, wrapped at the width of its terminal.
pub fn say_wrapped(text: &str) {
    let lines = width::wrap(text, width::stderr_width() - 2);
    say(&lines.join("\n  "));
}

/// Prints a long message to stderr. Only a terminal wraps it: in a log it stays one line.
pub fn say_message(text: &str) {
    if progress::is_json() {
        return say(text);
    }
    message(text);
}

/// Prints a message to stderr, wrapped on a terminal.
fn message(text: &str) {
    if stderr_is_terminal() {
        return line(&width::wrap_message(text, width::stderr_width()));
    }
    line(text);
}

/// Prints an error with its causes and hints to stderr.
pub fn error(error: &Error) {
    let chain = error.chain();
    if progress::is_json() {
        let (causes, hints) = (chain.get(1..), error.hints());
        let object = serde_json::json!({
            "event": "error", "text": chain.first(), "causes": causes, "hints": hints,
        });
        return line(&object.to_string());
    }
    message(&format!(
        "error: {}",
        chain.first().map_or("", String::as_str)
    ));
    for cause in chain.iter().skip(1) {
        message(&format!("  caused by: {cause}"));
    }
    for hint in error.hints() {
        message(&format!("hint: {hint}"));
    }
}

/// Returns true if stdout is a terminal on which colors are wanted (`NO_COLOR`, `CLICOLOR`).
#[must_use]
pub fn stdout_has_color() -> bool {
    std::io::stdout().is_terminal() && console::colors_enabled()
}

/// Returns true if stderr is a terminal on which colors are wanted (`NO_COLOR`, `CLICOLOR`).
#[must_use]
pub fn stderr_has_color() -> bool {
    std::io::stderr().is_terminal() && console::colors_enabled_stderr()
}

/// Returns true if a person reads stdout.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns true if a person reads stderr, and it shows progress lines that change.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}
