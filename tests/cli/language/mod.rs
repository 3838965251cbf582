//! Tests that names, comments, messages and documentation follow docs/contributing/style-guide.md.
//!
//! The rules are counted, so that they can be enforced. Percentages have limits; phrases of the
//! old, literary language are forbidden everywhere.

#![expect(clippy::disallowed_methods, reason = "tests read the sources")]

mod figures;
mod files;
mod phrases;

use figures::Figures;
use files::{Kind, ProjectFile, project_files};

/// Reports all violations in a set of files, one line each.
fn violations(files: &[ProjectFile]) -> Vec<String> {
    let figures = Figures::of(files);
    let limits = [
        (
            "% of doc comments begin with a relative clause or pronoun",
            figures.relative_openers(),
            3.0,
        ),
        (
            "% of functions have a bare participle as their name",
            figures.participles(),
            4.0,
        ),
        (
            "% of functions have a one-word name",
            figures.one_word_names(),
            50.0,
        ),
        (
            "words in the median sentence of the documentation",
            figures.sentence_percentile(50),
            14.0,
        ),
        (
            "words in the 90th percentile of these sentences",
            figures.sentence_percentile(90),
            26.0,
        ),
        (
            "% of Rust lines have more than 100 columns",
            figures.wide_lines(),
            1.0,
        ),
    ];
    let mut found: Vec<String> = limits
        .iter()
        .filter(|(_, value, limit)| value > limit)
        .map(|(text, value, limit)| format!("{value:.1} {text} (at most {limit})"))
        .collect();
    found.extend(files.iter().flat_map(phrases::find));
    found
}

#[test]
fn language_follows_the_style_guide() {
    let files = project_files();
    assert!(files.len() > 400, "only {} files were read", files.len());
    let found = violations(&files);
    assert!(
        found.is_empty(),
        "{} violations of docs/contributing/style-guide.md:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Sentences of the old language, each with the kind of file in which it stood.
const PLANTED: [(Kind, &str); 16] = [
    (Kind::Markdown, "What is there is left."),
    (
        Kind::Markdown,
        "A place that fails is taken back and said (exit 4).",
    ),
    (
        Kind::Markdown,
        "What nobody can make again is said and is no reason for exit 5.",
    ),
    (
        Kind::Markdown,
        "A pointer is such a decision, unless the tags bear it out.",
    ),
    (
        Kind::Markdown,
        "Cut in the middle it is done again, and goes no further.",
    ),
    (Kind::Markdown, "What is said closest to an image is meant."),
    (
        Kind::Rust,
        "/// What a pointer is: for messages about one that is none.",
    ),
    (
        Kind::Rust,
        "/// Whether everything is known that it should have.",
    ),
    (
        Kind::Rust,
        "//! Owns the fence around a run's effects: what a run may still do, which is nothing.",
    ),
    (
        Kind::Rust,
        "let text = \"SLACK is not set, so nobody is told\";",
    ),
    (
        Kind::Rust,
        "let text = \"a candidate: not prune's business\";",
    ),
    (
        Kind::Rust,
        "let text = \"1 would go; run with --apply to move them down the ladder\";",
    ),
    (
        Kind::Rust,
        "// What is wrong with it has been said where its file was read.",
    ),
    (
        Kind::Rust,
        "let text = \"it can't be told whether it applies\";",
    ),
    (Kind::Yaml, "title: What runs when is root's business"),
    (
        Kind::Python,
        "\"\"\"What the world looks like to whoever reads it anew.\"\"\"",
    ),
];

#[test]
fn sentences_of_the_old_kind_are_found() {
    let missed: Vec<_> = PLANTED
        .iter()
        .filter(|(kind, text)| phrases::find(&ProjectFile::new("planted", *kind, text)).is_empty())
        .collect();
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

#[test]
fn plain_sentences_are_accepted() {
    for text in [
        "Existing AMIs are not changed.",
        "It is not a valid number, so the plan exits with code 1.",
        "bakeline shows what changed and waits until the AMI is available.",
    ] {
        let file = ProjectFile::new("plain", Kind::Markdown, text);
        assert_eq!(phrases::find(&file), Vec::<String>::new());
    }
}

#[test]
fn figures_count_what_the_style_guide_names() {
    let rust = "/// What it is.\n/// The rest.\nfn told() {}\n\n/// Returns it.\nfn load_it() {}\n";
    let prose = "One two three four. Five six seven.\n\n    code is not prose\n";
    let figures = Figures::of(&[
        ProjectFile::new("src/a.rs", Kind::Rust, rust),
        ProjectFile::new("a.md", Kind::Markdown, prose),
    ]);
    assert_eq!(figures.relative_openers(), 50.0);
    assert_eq!(figures.participles(), 50.0);
    assert_eq!(figures.one_word_names(), 50.0);
    assert_eq!(figures.sentence_percentile(50), 4.0);
    assert_eq!(figures.wide_lines(), 0.0);
}
