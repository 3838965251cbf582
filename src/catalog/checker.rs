//! Owns what free text may say on its way through Packer's configuration and EC2's tags.

use std::ops::Range;

use crate::catalog::codes;
use crate::catalog::raw::{Text, TextMap};
use crate::catalog::syntax::{self, Syntax};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::model::Tags;

/// EC2 allows 50 tags on a resource; bakeline keeps 20 of them for itself.
pub(crate) const MAX_TAGS: usize = 30;
/// EC2's limits on a tag, in Unicode characters.
pub(crate) const MAX_KEY: usize = 128;
pub(crate) const MAX_VALUE: usize = 256;

/// One text and where to complain about it.
pub(crate) struct Checker<'a, 's> {
    pub(crate) source: SourceFile<'a>,
    pub(crate) diagnostics: &'s mut Diagnostics,
}

impl Checker<'_, '_> {
    /// Adds an error at a byte range of the text.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> crate::catalog::yaml::source::DiagnosticBuilder<'_> {
        self.diagnostics
            .error(code, self.source.span(span.clone()), message)
    }

    /// Lets a name through if its syntax allows it.
    pub(crate) fn name(
        &mut self,
        code: &'static str,
        what: &str,
        text: &Text,
        syntax: &Syntax,
    ) -> Option<String> {
        if syntax.allows(&text.value) {
            return Some(text.value.clone());
        }
        self.error(
            code,
            &text.span,
            format!("`{}` is not {what}", shown(&text.value)),
        )
        .help(format!("use {}", syntax.says));
        None
    }

    /// As [`Self::name`], for an optional text with AWS's syntax.
    pub(crate) fn aws(
        &mut self,
        what: &str,
        text: Option<&Text>,
        syntax: &Syntax,
    ) -> Option<String> {
        self.name(codes::AWS_SYNTAX, what, text?, syntax)
    }

    /// A time such as `7d`.
    pub(crate) fn time(&mut self, text: &Text) -> Option<jiff::SignedDuration> {
        syntax::duration(&self.name(codes::TIME, "a time", text, &syntax::DURATION)?)
    }

    /// A time such as `7d`, or none at all.
    pub(crate) fn wait(&mut self, text: &Text) -> Option<jiff::SignedDuration> {
        syntax::duration(&self.name(codes::TIME, "a time", text, &syntax::WAIT)?)
    }

    /// Lets one line of free text through. It travels through Packer's configuration, and Packer expands `{{` even in
    /// values that come from variables; `${` and `%{` are data there once quoted.
    pub(crate) fn line(&mut self, what: &str, text: &Text, max: usize) -> Option<String> {
        let before = self.diagnostics.error_count();
        if text.value.contains(['\n', '\t']) {
            self.error(
                codes::TEXT,
                &text.span,
                format!("{what} must be one line without tabs"),
            )
            .help("write it on one line; fold a long one with `>-`");
        }
        self.value(what, text, max);
        (self.diagnostics.error_count() == before).then(|| text.value.clone())
    }

    /// Accepts one line of free text that goes into an EC2 field for ASCII only, such as an AMI's description. EC2
    /// answers `Character sets beyond ASCII are not supported`, and only when the build is done.
    pub(crate) fn ascii_line(&mut self, what: &str, text: &Text, max: usize) -> Option<String> {
        let before = self.diagnostics.error_count();
        if let Some(c) = text.value.chars().find(|c| !c.is_ascii()) {
            // An escape does not show the character; then the whole text is the span.
            let written = self.source.text.get(text.span.clone()).unwrap_or_default();
            let at = written
                .find(|w: char| !w.is_ascii())
                .filter(|at| written[*at..].starts_with(c));
            let span = at.map_or(text.span.clone(), |at| {
                text.span.start + at..text.span.start + at + c.len_utf8()
            });
            let shown = c.escape_debug();
            self.error(
                codes::ASCII,
                &span,
                format!(
                    "{what} must be ASCII, and `{shown}` (U+{:04X}) is not",
                    u32::from(c)
                ),
            )
            .help(format!(
                "{}; EC2 accepts ASCII only here, and any character in tags",
                replacement(c)
            ));
        }
        self.line(what, text, max);
        (self.diagnostics.error_count() == before).then(|| text.value.clone())
    }

    /// Lets free text of any number of lines through. `{{` is a template to Packer and to Ansible, never data.
    pub(crate) fn value(&mut self, what: &str, text: &Text, max: usize) -> Option<String> {
        let before = self.diagnostics.error_count();
        if text.value.contains("{{") {
            self.error(
                codes::TEMPLATE,
                &text.span,
                format!("{what} has `{{{{`, which would be expanded as a template"),
            )
            .help("write it without two opening braces in a row");
        }
        let length = text.value.chars().count();
        if length > max {
            self.error(
                codes::TEXT,
                &text.span,
                format!("{what} has {length} characters, more than {max}"),
            )
            .help("shorten it");
        }
        (self.diagnostics.error_count() == before).then(|| text.value.clone())
    }

    /// Lets tags through that EC2 takes and that nobody else owns.
    pub(crate) fn tags(&mut self, tags: &TextMap, environment_key: &str) -> Tags {
        let mut out = Tags::new();
        if let Some((key, _)) = tags.iter().nth(MAX_TAGS) {
            self.error(
                codes::TAG_LIMIT,
                &key.span,
                format!("{} tags, more than {MAX_TAGS}", tags.len()),
            )
            .help("EC2 allows 50 on a resource, of which bakeline needs 20");
        }
        for (key, value) in tags {
            let key_ok = self.tag_key(key, environment_key);
            let before = self.diagnostics.error_count();
            self.tag_value("a tag's value", value);
            if key_ok && self.diagnostics.error_count() == before {
                out.insert(key.value.clone(), value.value.clone());
            }
        }
        out
    }

    /// Whether a tag's value is one that EC2 takes.
    pub(crate) fn tag_value(&mut self, what: &str, value: &Text) -> Option<String> {
        let length = value.value.chars().count();
        if length > MAX_VALUE {
            self.error(
                codes::TAG_LIMIT,
                &value.span,
                format!("{what} has {length} characters, more than {MAX_VALUE}"),
            )
            .help("shorten it");
            return None;
        }
        self.line(what, value, MAX_VALUE)
    }

    fn tag_key(&mut self, key: &Text, environment_key: &str) -> bool {
        if syntax::reserved_tag(&key.value) || key.value.eq_ignore_ascii_case(environment_key) {
            self.error(codes::RESERVED_TAG, &key.span, format!("the tag key `{}` is reserved", shown(&key.value)))
                .help(format!(
                    "`{environment_key}`, `Name`, `aws:*` and `bakeline:*` are not for users; choose another"
                ));
            return false;
        }
        self.free_key(key)
    }

    /// Whether a tag's key is one that EC2 takes, whoever owns it.
    pub(crate) fn free_key(&mut self, key: &Text) -> bool {
        let length = key.value.chars().count();
        if !(1..=MAX_KEY).contains(&length) {
            self.error(
                codes::TAG_LIMIT,
                &key.span,
                format!("a tag's key has {length} characters"),
            )
            .help(format!("use 1 to {MAX_KEY}"));
            return false;
        }
        self.line("a tag's key", key, MAX_KEY).is_some()
    }
}

/// Advice on how to write a character in ASCII.
fn replacement(c: char) -> String {
    let ascii = match c {
        'ä' | 'æ' => "ae",
        'ö' | 'ø' | 'œ' => "oe",
        'ü' => "ue",
        'Ä' | 'Æ' => "Ae",
        'Ö' | 'Ø' | 'Œ' => "Oe",
        'Ü' => "Ue",
        'ß' => "ss",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2018}'..='\u{201b}' => "'",
        '\u{201c}'..='\u{201f}' | '«' | '»' => "\"",
        '…' => "...",
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' => {
            return "write a space instead".to_owned();
        }
        _ => return "remove it".to_owned(),
    };
    format!("write `{ascii}` instead")
}

/// A user's text for a message: short, on one line.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(60)
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    if text.chars().count() > 60 {
        out.push('…');
    }
    out
}
