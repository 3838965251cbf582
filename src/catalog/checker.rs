//! Validates names, free text and tags of the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::catalog::codes;
use crate::catalog::defaults::{MAX_TAGS_OF_EC2, RESERVED_TAGS};
use crate::catalog::raw::{TagMap, Text};
use crate::catalog::syntax::{self, Syntax};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};
use crate::model::Tags;

/// Number of tags for users: `builder.tags` and those of the image together.
pub(crate) const MAX_TAGS: usize = MAX_TAGS_OF_EC2 - RESERVED_TAGS;
/// EC2's limits for the key and value of a tag, in Unicode characters.
pub(crate) const MAX_KEY: usize = 128;
pub(crate) const MAX_VALUE: usize = 256;

/// A file to check, and the collector of its diagnostics.
pub(crate) struct Checker<'a, 's> {
    pub(crate) source: SourceFile<'a>,
    pub(crate) diagnostics: &'s mut Diagnostics,
}

impl Checker<'_, '_> {
    /// Adds an error at a byte range of the file.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        range: &Range<usize>,
        message: impl Into<String>,
    ) -> crate::catalog::yaml::source::DiagnosticBuilder<'_> {
        self.diagnostics
            .error(code, self.source.span(range.clone()), message)
    }

    /// Returns true if the text is not in `seen`, and adds it. Reports a duplicate.
    pub(crate) fn check_unique(
        &mut self,
        seen: &mut BTreeMap<String, Range<usize>>,
        text: &Text,
        code: &'static str,
        what: &str,
    ) -> bool {
        if let Some(earlier) = seen.get(&text.value) {
            let earlier = self.source.span(earlier.clone());
            let message = format!("duplicate {what} `{}`", quote_text(&text.value));
            self.error(code, &text.span, message)
                .help("remove one of them")
                .add_related(earlier, "first defined here");
            return false;
        }
        seen.insert(text.value.clone(), text.span.clone());
        true
    }

    /// Returns the name if its syntax is valid, and reports it otherwise.
    pub(crate) fn check_name(
        &mut self,
        code: &'static str,
        what: &str,
        text: &Text,
        syntax: &Syntax,
    ) -> Option<String> {
        if syntax.matches(&text.value) {
            return Some(text.value.clone());
        }
        self.error(
            code,
            &text.span,
            format!("`{}` is not {what}", quote_text(&text.value)),
        )
        .help(format!("use {}", syntax.advice));
        None
    }

    /// Checks an optional name with AWS syntax.
    pub(crate) fn check_aws_name(
        &mut self,
        what: &str,
        text: Option<&Text>,
        syntax: &Syntax,
    ) -> Option<String> {
        self.check_name(codes::AWS_SYNTAX, what, text?, syntax)
    }

    /// Parses a duration above zero, such as `7d`.
    pub(crate) fn parse_duration(&mut self, text: &Text) -> Option<jiff::SignedDuration> {
        self.check_duration(text, &syntax::DURATION)
    }

    /// Parses a duration that can be zero, such as `7d` or `0s`.
    pub(crate) fn parse_delay(&mut self, text: &Text) -> Option<jiff::SignedDuration> {
        self.check_duration(text, &syntax::DELAY)
    }

    /// Parses a duration with a syntax of its own.
    pub(crate) fn check_duration(
        &mut self,
        text: &Text,
        syntax: &Syntax,
    ) -> Option<jiff::SignedDuration> {
        let name = self.check_name(codes::TIME, "a duration", text, syntax)?;
        let duration = syntax::parse_duration(&name);
        if duration.is_none() {
            self.error(
                codes::TIME,
                &text.span,
                format!("the duration `{name}` is too long"),
            )
            .help("use at most `99999w`");
        }
        duration
    }

    /// Returns one line of free text, and reports invalid text.
    ///
    /// Packer expands `{{` even in the values of variables. `${` and `%{` are data once quoted.
    pub(crate) fn check_line(&mut self, what: &str, text: &Text, max: usize) -> Option<String> {
        let before = self.diagnostics.error_count();
        if text.value.contains(['\n', '\t']) {
            self.error(
                codes::TEXT,
                &text.span,
                format!("{what} must be a single line without tabs"),
            )
            .help("write it on one line, or fold it with `>-`");
        }
        self.check_value(what, text, max);
        (self.diagnostics.error_count() == before).then(|| text.value.clone())
    }

    /// Returns one line of free text for an ASCII-only field of EC2, such as the description of an
    /// AMI.
    ///
    /// EC2 reports `Character sets beyond ASCII are not supported` only after the build.
    pub(crate) fn check_ascii_line(
        &mut self,
        what: &str,
        text: &Text,
        max: usize,
    ) -> Option<String> {
        let before = self.diagnostics.error_count();
        if let Some(c) = text.value.chars().find(|c| !c.is_ascii()) {
            // If the character was written as an escape sequence, the source text does not contain
            // it. The error then covers the whole text.
            let written = self.source.text.get(text.span.clone()).unwrap_or_default();
            let at = written
                .find(|w: char| !w.is_ascii())
                .filter(|at| written[*at..].starts_with(c));
            let span = at.map_or(text.span.clone(), |at| {
                text.span.start + at..text.span.start + at + c.len_utf8()
            });
            let escaped = c.escape_debug();
            self.error(
                codes::ASCII,
                &span,
                format!(
                    "{what} must be ASCII, and `{escaped}` (U+{:04X}) is not",
                    u32::from(c)
                ),
            )
            .help(format!(
                "{}; EC2 accepts ASCII only here, but any character in tags",
                ascii_advice(c)
            ));
        }
        self.check_line(what, text, max);
        (self.diagnostics.error_count() == before).then(|| text.value.clone())
    }

    /// Returns free text with any number of lines. Packer and Ansible treat `{{` as a template.
    pub(crate) fn check_value(&mut self, what: &str, text: &Text, max: usize) -> Option<String> {
        let before = self.diagnostics.error_count();
        if text.value.contains("{{") {
            self.error(
                codes::TEMPLATE,
                &text.span,
                format!("{what} contains `{{{{`, which would be expanded as a template"),
            )
            .help("remove the two opening braces");
        }
        let length = text.value.chars().count();
        if length > max {
            self.error(
                codes::TEXT,
                &text.span,
                format!("{what} has {length} characters; the limit is {max}"),
            )
            .help("shorten it");
        }
        (self.diagnostics.error_count() == before).then(|| text.value.clone())
    }

    /// Returns the tags that EC2 accepts and that are not reserved.
    pub(crate) fn check_tags(&mut self, tags: &TagMap, environment_key: &str) -> Tags {
        let mut out = Tags::new();
        if let Some((key, _)) = tags.iter().nth(MAX_TAGS) {
            self.error(
                codes::TAG_LIMIT,
                &key.span,
                format!("{} tags exceed the limit of {MAX_TAGS}", tags.len()),
            )
            .help(tag_limit_help());
        }
        for (key, value) in tags {
            let is_key_valid = self.check_user_tag_key(key, environment_key);
            let before = self.diagnostics.error_count();
            let value = Text {
                value: value.value.to_string(),
                span: value.span.clone(),
            };
            self.check_tag_value("the value of a tag", &value);
            if is_key_valid && self.diagnostics.error_count() == before {
                out.insert(key.value.clone(), value.value);
            }
        }
        out
    }

    /// Returns the tags of an image. Reports them if they exceed the limit together with those of the
    /// builder.
    pub(crate) fn check_image_tags(
        &mut self,
        tags: &TagMap,
        environment_key: &str,
        of_builder: &BTreeSet<String>,
    ) -> Tags {
        let checked = self.check_tags(tags, environment_key);
        let mut own = tags.keys().filter(|key| !of_builder.contains(&key.value));
        let first_above = MAX_TAGS.saturating_sub(of_builder.len());
        if let Some(key) = own.nth(first_above).filter(|_| tags.len() <= MAX_TAGS) {
            let count = first_above + 1 + own.count() + of_builder.len();
            self.error(
                codes::TAG_LIMIT,
                &key.span,
                format!("`tags` and `builder.tags` have {count} keys; the limit is {MAX_TAGS}"),
            )
            .help(tag_limit_help());
        }
        checked
    }

    /// Returns the value of a tag if EC2 accepts it.
    pub(crate) fn check_tag_value(&mut self, what: &str, value: &Text) -> Option<String> {
        let length = value.value.chars().count();
        if length > MAX_VALUE {
            self.error(
                codes::TAG_LIMIT,
                &value.span,
                format!("{what} has {length} characters; the limit is {MAX_VALUE}"),
            )
            .help("shorten it");
            return None;
        }
        self.check_line(what, value, MAX_VALUE)
    }

    fn check_user_tag_key(&mut self, key: &Text, environment_key: &str) -> bool {
        if syntax::is_reserved_tag(&key.value) || key.value.eq_ignore_ascii_case(environment_key) {
            let message = format!("the tag key `{}` is reserved", quote_text(&key.value));
            self.error(codes::RESERVED_TAG, &key.span, message)
                .help(format!(
                    "`{environment_key}`, `Name`, `aws:*` and `bakeline:*` are reserved; \
                     use another key"
                ));
            return false;
        }
        self.check_tag_key(key)
    }

    /// Returns true if EC2 accepts the key of a tag, reserved or not.
    pub(crate) fn check_tag_key(&mut self, key: &Text) -> bool {
        let length = key.value.chars().count();
        if !(1..=MAX_KEY).contains(&length) {
            self.error(
                codes::TAG_LIMIT,
                &key.span,
                format!("the key of a tag has {length} characters"),
            )
            .help(format!("use 1 to {MAX_KEY} characters"));
            return false;
        }
        self.check_line("the key of a tag", key, MAX_KEY).is_some()
    }
}

fn tag_limit_help() -> String {
    format!(
        "EC2 allows {MAX_TAGS_OF_EC2} tags on a resource, and bakeline needs {RESERVED_TAGS} of them"
    )
}

/// Returns advice on how to write a character in ASCII.
fn ascii_advice(c: char) -> String {
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

/// Shortens the text of a user for a message and escapes control characters.
pub(crate) fn quote_text(text: &str) -> String {
    escape_text(text, 60)
}

/// Returns a path for a message. Paths of files in roles are long, and their end is important.
pub(crate) fn quote_path(path: &str) -> String {
    escape_text(path, 250)
}

/// Returns at most `limit` characters of a text, with control characters escaped.
fn escape_text(text: &str, limit: usize) -> String {
    let mut out: String = text
        .chars()
        .take(limit)
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    if text.chars().count() > limit {
        out.push('…');
    }
    out
}
