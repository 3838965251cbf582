//! Owns the collector: one POSIX-sh script for all controls of a phase, sent on the standard input of `sh -s`.

use std::fmt::Write as _;

use super::{Control, Phase, command, file, package, service};

/// The functions that the requests call.
const FUNCTIONS: &str = include_str!("collector.sh");

/// The most bytes of one file or one output that are brought back; what is longer can't be judged.
pub(crate) const CAP: usize = 256 * 1024;

/// How a collector is made.
#[derive(Debug, Clone, Copy)]
pub struct CollectOptions<'a> {
    /// A random word that marks this run's lines: letters and digits.
    pub nonce: &'a str,
    /// Looks at this unpacked root file system and at nothing else, instead of at the running system.
    pub root: Option<&'a str>,
    /// Whose controls are collected for.
    pub phase: Phase,
}

/// The script that collects what the phase's controls need; each fact once, however many controls ask for it.
///
/// It is one `{ …; }` group, so that a shell reads it whole before it runs any of it: without that, dash was seen to stop
/// after its first buffer with status 0. It must arrive on standard input; as an argument it can be too long for the kernel.
#[must_use]
pub fn collector(controls: &[&Control], options: CollectOptions<'_>) -> String {
    let due: Vec<&Control> = controls.iter().copied().filter(|c| c.phases.contains(&options.phase)).collect();
    let mut out = String::from("{\n");
    // Writing to a String can't fail.
    let _ = writeln!(out, "N={}\nR={}\nCAP={CAP}", sh_quote(options.nonce), sh_quote(&directory(options.root)));
    out.push_str(FUNCTIONS);
    out.push_str("identity\n");
    file::requests(&due, &mut out);
    package::requests(&due, &mut out);
    if options.root.is_none() && options.phase == Phase::Boot {
        out.push_str("inventory\n");
    }
    if options.root.is_none() {
        service::requests(&due, &mut out);
        command::requests(&due, &mut out);
    }
    out.push_str("finish\nexit 0\n} </dev/null\n");
    out
}

/// A directory that no command takes for an option and to which `/path` can be appended.
fn directory(root: Option<&str>) -> String {
    match root.map(|r| (r, r.trim_end_matches('/'))) {
        None => String::new(),
        Some((_, "")) => "/.".to_owned(),
        Some((_, trimmed)) if trimmed.starts_with('/') => trimmed.to_owned(),
        Some((_, trimmed)) => format!("./{trimmed}"),
    }
}

/// A word of POSIX sh that is exactly this text: the one way user text reaches a script. Text with NUL has none.
#[must_use]
pub fn sh_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_leaves_nothing_to_expand() {
        for (text, word) in [("", "''"), ("a b", "'a b'"), ("$(id)`id`\"\\", "'$(id)`id`\"\\'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(sh_quote(text), word);
        }
    }

    #[test]
    fn a_root_is_never_an_option_nor_the_running_system() {
        for (root, shown) in [
            (None, ""),
            (Some("/"), "/."),
            (Some("/x/"), "/x"),
            (Some("-x"), "./-x"),
            (Some(""), "/."),
            (Some("."), "./."),
        ] {
            assert_eq!(directory(root), shown, "{root:?}");
        }
    }
}
