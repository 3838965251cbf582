//! Owns what a person sees: stdout is data, stderr is talk.

#![expect(clippy::print_stderr, reason = "this is the place they are kept to")]

pub mod progress;
pub mod snippet;
pub mod table;

use std::io::{IsTerminal as _, Write as _};

use crate::error::Error;

/// Prints data: what a script would read. A closed pipe is the reader's right.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _written = out.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') {
            Ok(())
        } else {
            out.write_all(b"\n")
        }
    });
    let _flushed = out.flush();
}

/// Prints data as JSON.
pub fn json(value: &impl serde::Serialize) {
    data(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Says something to the person at the terminal.
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Says an error: the chain from the outside in, then, apart from it, what to do next.
pub fn error(error: &Error) {
    let chain = error.chain();
    eprintln!("error: {}", chain.first().map_or("", String::as_str));
    for cause in chain.iter().skip(1) {
        eprintln!("  because: {cause}");
    }
    for hint in error.hints() {
        eprintln!("hint: {hint}");
    }
}

/// Whether colours make sense on stdout.
#[must_use]
pub fn colours() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether colours and moving lines make sense on stderr.
#[must_use]
pub fn fancy() -> bool {
    std::io::stderr().is_terminal()
}
