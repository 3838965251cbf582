//! Tests: noise, truncation and damage in the output of a collector.

use proptest::prelude::*;

use super::*;
use crate::tests::{IDENTITY, output};

const FILE: (&str, &str, i32, &str, &str) = ("file", "/a b", 1, "-", "gone");

#[test]
fn parser_ignores_noise_prefixes_and_carriage_returns() {
    let clean = output(&[IDENTITY, FILE]);
    let facts = parse_facts("n0nce", &clean).expect("clean");
    assert_eq!(facts.reading("file", "/a b").map(|r| r.rc), Some(1));
    assert_eq!(facts.identity.uid, Some(0));
    let text = String::from_utf8(clean).expect("text");
    let variants = [
        format!("Welcome!\r\nn0ncense file x\nn0nce\n{text}bye\n"),
        text.replace('\n', "\r\n"),
        text.replace("n0nce ", "    amazon-ebs: n0nce "),
        format!("no newline at the banner's end $ {}", text.trim_start()),
        text.trim_end().to_owned(),
    ];
    for variant in variants {
        assert_eq!(
            parse_facts("n0nce", variant.as_bytes()).as_ref(),
            Ok(&facts),
            "{variant}"
        );
    }
}

#[test]
fn truncated_output_is_an_error() {
    let whole = output(&[IDENTITY, FILE, FILE]);
    assert!(parse_facts("n0nce", &whole).is_ok());
    // Only the last line break may be missing.
    for end in 0..whole.len() - 1 {
        assert!(parse_facts("n0nce", &whole[..end]).is_err(), "{end}");
    }
    let text = String::from_utf8(whole).expect("text");
    let without_one: String = text
        .lines()
        .enumerate()
        .filter(|(i, _)| *i != 2)
        .map(|(_, l)| format!("{l}\n"))
        .collect();
    let missing = parse_facts("n0nce", without_one.as_bytes()).expect_err("lost");
    assert_eq!(
        missing.to_string(),
        "the output of the collector is incomplete: 2 of 3 facts"
    );
    assert_eq!(
        parse_facts("n0nce", text.replace("n0nce end 3", "").as_bytes()),
        Err(CollectError::MissingEnd(3))
    );
    assert_eq!(
        parse_facts("other", text.as_bytes()).map_err(|e| matches!(e, CollectError::NoFacts(_))),
        Err(true)
    );
    let error = parse_facts("n0nce", b"\nsudo: a password is required\n").expect_err("silent");
    assert_eq!(
        error.to_string(),
        "the collector printed no facts; last output of the target: sudo: a password is required"
    );
    assert!(
        parse_facts("n0nce", b"n0nce end 0\n").is_err(),
        "an empty collection is an error"
    );
}

#[test]
fn damaged_frame_counts_as_missing() {
    let text = String::from_utf8(output(&[IDENTITY, FILE])).expect("text");
    for (from, to) in [
        ("676f6e65", "676f6e6"),
        ("676f6e65", "676fxx65"),
        (" 4 ", " 5 "),
        ("file ", "file  "),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(
            parse_facts("n0nce", text.replace(from, to).as_bytes()),
            Err(CollectError::MissingFrames(1, 2)),
            "{to}"
        );
    }
}

proptest! {
    #[test]
    fn parser_never_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        words in "(n0nce|end|file|body|exit|services|-|[0-9a-f ]{0,6}|\\n| ){0,60}",
    ) {
        let _ = parse_facts("n0nce", &bytes).is_ok();
        let _ = parse_facts("n0nce", words.as_bytes()).is_ok();
        let _ = parse_facts("", &bytes).is_ok();
    }

    #[test]
    fn parser_accepts_any_payload(
        kind in "file|link|real|body|packages|services|exit|out|err|identity|passwd|group",
        text in "(\\PC|\\n|\\t|=){0,80}",
        rc in -1..5,
    ) {
        let _ = parse_facts("n0nce", &output(&[(&kind, "k", rc, "-", &text)])).is_ok();
    }
}
