//! Prints to the terminal: data to stdout, messages to stderr.

#![expect(clippy::print_stderr, reason = "only this module prints")]

pub mod code_quality;
pub mod progress;
pub mod snippet;
pub mod table;

use std::io::{IsTerminal as _, Write as _};

use crate::error::Error;

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

/// Prints a message to stderr.
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Prints an error with its causes and hints to stderr.
pub fn error(error: &Error) {
    let chain = error.chain();
    eprintln!("error: {}", chain.first().map_or("", String::as_str));
    for cause in chain.iter().skip(1) {
        eprintln!("  caused by: {cause}");
    }
    for hint in error.hints() {
        eprintln!("hint: {hint}");
    }
}

/// Returns true if stdout supports colors.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns true if stderr supports colors and progress lines.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}
