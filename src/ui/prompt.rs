//! Asks questions on the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::progress;

/// Returns true if a person can read questions and answer them.
#[must_use]
pub fn can_ask() -> bool {
    !progress::is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Prints a question to stderr and returns the line that follows on stdin, or `None` at the end of
/// the input. Bytes that are not UTF-8 are replaced.
///
/// # Errors
/// Fails if the terminal cannot be read.
pub fn ask(question: &str) -> io::Result<Option<String>> {
    let mut stderr = io::stderr();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let mut line = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut line)?;
    if line.is_empty() {
        // The next message begins on a line of its own.
        writeln!(stderr)?;
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line);
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
