//! Counts names, doc comments, sentences and columns.

use std::sync::LazyLock;

use regex::Regex;

use super::files::{Kind, ProjectFile};
use super::phrases::pattern;

static OPENER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(What|Whether|Where|Those|That|The same|Who|Whom|Whose|How|Why|Such as|Its|It|None|All of|One of|As )\b",
    )
});
static PARTICIPLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(\w+ed|told|made|known|given|found|held|kept|said|seen|taken|written|shown|built|left|meant|gone|torn|begun|due|wanted|whole|alone)$",
    )
});
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bfn ([a-z_0-9]+)"));
static FENCED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)```.*?```"));
static NOT_PROSE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^(\s{4,}.*|\|.*|#.*|\[.*\]:.*)$|<[^>]+>"));
static ITEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*([-*]|\d+\.)\s+"));
static SENTENCE_END: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.!?]\s+|\n\n+"));

/// Figures of the language of a set of files.
#[derive(Default)]
pub(super) struct Figures {
    doc_comments: usize,
    openers: usize,
    functions: usize,
    one_word: usize,
    participles: usize,
    lines: usize,
    wide: usize,
    /// Lengths of the sentences of the documentation in words, in order.
    sentences: Vec<usize>,
}

impl Figures {
    pub(super) fn of(files: &[ProjectFile]) -> Self {
        let mut figures = Self::default();
        for file in files {
            match file.kind {
                Kind::Rust => figures.add_rust(file),
                Kind::Markdown => figures.add_prose(&file.text),
                Kind::Python | Kind::Shell | Kind::Yaml => {}
            }
        }
        figures.sentences.sort_unstable();
        figures
    }

    fn add_rust(&mut self, file: &ProjectFile) {
        self.lines += file.text.lines().count();
        self.wide += file
            .text
            .lines()
            .filter(|line| line.chars().count() > 100)
            .count();
        let mut in_comment = false;
        for line in file.text.lines() {
            let line = line.trim_start();
            let comment = line
                .strip_prefix("///")
                .or_else(|| line.strip_prefix("//!"));
            if let Some(text) = comment.map(str::trim)
                && !in_comment
                && !text.is_empty()
            {
                self.doc_comments += 1;
                self.openers += usize::from(OPENER.is_match(text));
            }
            in_comment = comment.is_some();
        }
        if !file.is_test() {
            for name in FUNCTION.captures_iter(&file.text) {
                self.functions += 1;
                self.one_word += usize::from(!name[1].contains('_'));
                self.participles += usize::from(PARTICIPLE.is_match(&name[1]));
            }
        }
    }

    fn add_prose(&mut self, text: &str) {
        let text = FENCED.replace_all(text, "");
        let text = NOT_PROSE.replace_all(&text, "");
        let text = ITEM.replace_all(&text, "\n\n");
        let lengths = SENTENCE_END
            .split(&text)
            .map(|s| s.split_whitespace().count());
        self.sentences.extend(lengths.filter(|words| *words > 2));
    }

    pub(super) fn relative_openers(&self) -> f64 {
        percent(self.openers, self.doc_comments)
    }

    pub(super) fn participles(&self) -> f64 {
        percent(self.participles, self.functions)
    }

    pub(super) fn one_word_names(&self) -> f64 {
        percent(self.one_word, self.functions)
    }

    pub(super) fn wide_lines(&self) -> f64 {
        percent(self.wide, self.lines)
    }

    /// Returns the length in words below which this share of the sentences is.
    pub(super) fn sentence_percentile(&self, percent: usize) -> f64 {
        let at = self.sentences.len() * percent / 100;
        self.sentences.get(at).map_or(0.0, |words| *words as f64)
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
