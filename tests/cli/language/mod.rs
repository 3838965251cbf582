//! Tests that names, comments, messages and documentation follow docs/contributing/style-guide.md.
//!
//! The rules are counted, so that they can be enforced. Percentages have limits; phrases of the
//! old, literary language are forbidden everywhere.

#![expect(clippy::disallowed_methods, reason = "tests read the sources")]

mod figures;
mod files;
mod flags;
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

/// Sentences of the old language, one per line, each with the kind of file in which it stood.
const PLANTED: &str = include_str!("../../data/language/planted.txt");

fn parse_kind(name: &str) -> Kind {
    match name {
        "Rust" => Kind::Rust,
        "Markdown" => Kind::Markdown,
        "Python" => Kind::Python,
        "Yaml" => Kind::Yaml,
        _ => panic!("unknown kind of file: {name}"),
    }
}

#[test]
fn sentences_of_the_old_kind_are_found() {
    let planted: Vec<(&str, &str)> = PLANTED
        .lines()
        .map(|line| line.split_once('\t').expect("kind and sentence"))
        .collect();
    assert!(planted.len() >= 10, "{planted:?}");
    let missed: Vec<_> = planted
        .iter()
        .filter(|(kind, text)| {
            phrases::find(&ProjectFile::new("planted", parse_kind(kind), text)).is_empty()
        })
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
