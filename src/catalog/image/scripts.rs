//! Checks the scripts of an image.

use std::collections::BTreeMap;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::files::read_named_file;
use crate::catalog::image::draft::ImageContext;
use crate::catalog::raw::{RawScript, RawScriptOptions, RawWord, Text};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, syntax};
use crate::diagnostic::Span;
use crate::provision::Provision;
use crate::provision::script::{Script, lacks_errexit};

/// Length of the longest environment variable or argument in characters.
const MAX_WORD_LENGTH: usize = 32 * 1024;

/// Returns the scripts in order, and adds their texts to the context.
pub(super) fn parse_scripts(
    list: &[Spanned<RawScript>],
    context: &mut ImageContext<'_>,
    checker: &mut Checker<'_, '_>,
) -> Vec<Provision> {
    let mut out = Vec::new();
    for entry in list {
        let none = RawScriptOptions::default();
        let (path, options) = match &entry.value {
            RawScript::Path(path) => {
                let path = Spanned {
                    value: path.clone(),
                    span: entry.span.clone(),
                };
                (Some(path), &none)
            }
            RawScript::Options(options) => (options.path.clone(), &**options),
        };
        let errors_before = checker.diagnostics.error_count();
        let script = parse_options(options, checker);
        let Some(path) = path else { continue };
        let Some(bytes) = read_named_file(checker, context.files, &path) else {
            continue;
        };
        check_errexit(&path, &bytes, context.known.require_errexit, checker);
        context.contents.insert(path.value.clone(), bytes);
        if checker.diagnostics.error_count() == errors_before {
            out.push(Provision::Script(Script {
                path: path.value,
                ..script
            }));
        }
    }
    out
}

/// Returns the valid options of a script, without its path.
fn parse_options(raw: &RawScriptOptions, checker: &mut Checker<'_, '_>) -> Script {
    let mut env = BTreeMap::new();
    for (name, value) in &raw.env {
        let known = checker.check_name(
            codes::VARIABLE,
            "the name of an environment variable",
            name,
            &syntax::VARIABLE,
        );
        if known.as_ref().is_some_and(|n| n.starts_with("BAKELINE_")) {
            let message = format!("the variable `{}` is reserved", quote_text(&name.value));
            checker
                .error(codes::VARIABLE, &name.span, message)
                .help("use a name that does not start with `BAKELINE_`");
            continue;
        }
        let value = parse_word("an environment variable", value, checker);
        env.extend(known.zip(value));
    }
    let args = raw
        .args
        .iter()
        .filter_map(|word| parse_word("an argument", word, checker));
    Script {
        path: String::new(),
        env,
        args: args.collect(),
        timeout: raw
            .timeout
            .as_ref()
            .and_then(|t| checker.parse_duration(t))
            .and_then(|d| u64::try_from(d.as_secs()).ok()),
        reboot: raw.reboot.unwrap_or(false),
        user: raw
            .user
            .as_ref()
            .and_then(|u| checker.check_name(codes::OWNER, "a user", u, &syntax::ACCOUNT_NAME))
            .filter(|user| !matches!(user.as_str(), "root" | "0")),
    }
}

/// Returns a word of a command. It reaches neither Packer nor a template, so only its length is
/// limited.
fn parse_word(
    what: &str,
    word: &Spanned<RawWord>,
    checker: &mut Checker<'_, '_>,
) -> Option<String> {
    let text = word.value.to_string();
    let length = text.chars().count();
    if length > MAX_WORD_LENGTH {
        let message = format!("{what} has {length} characters; the limit is {MAX_WORD_LENGTH}");
        checker
            .error(codes::TEXT, &word.span, message)
            .help("write the value to a file, and copy it with `files`");
        return None;
    }
    Some(text)
}

/// Reports a shell script that continues after a failed command, once at its first line.
fn check_errexit(path: &Text, bytes: &[u8], required: bool, checker: &mut Checker<'_, '_>) {
    if !lacks_errexit(bytes) {
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or_default().len();
    let span = Span::from_range(path.value.clone(), &text, 0..first);
    if checker.diagnostics.has_diagnostic_in(&span) {
        return;
    }
    let message = format!(
        "the script `{}` continues after a failed command",
        quote_text(&path.value)
    );
    if required {
        checker
            .diagnostics
            .error(codes::ERREXIT, span, message)
            .help("add the line `set -e`; `scripts: {require_errexit: true}` requires it");
    } else {
        checker
            .diagnostics
            .warning(codes::ERREXIT, span, message)
            .help("add the line `set -e`, so that a failed command fails the build");
    }
}
