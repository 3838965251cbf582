//! Runs the fuzz targets without libFuzzer, on their corpus and on mutations of its files.

#![expect(clippy::disallowed_methods, reason = "the tests read the corpus")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/targets.rs"]
mod targets;

fn read_corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name);
    let files = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    files
        .map(|file| fs::read(file.expect("entry").path()).expect("file"))
        .collect()
}

#[test]
fn corpus_files_break_no_target() {
    for (name, target) in targets::TARGETS {
        let files = read_corpus(name);
        assert!(files.len() >= 6, "{name}: the corpus has too few files");
        files.iter().for_each(|bytes| target(bytes));
    }
}

/// Mutates a file: removes or repeats a part, inserts a part of another file, or flips bits.
fn mutate(mut bytes: Vec<u8>, (kind, from, length): (u8, usize, usize), other: &[u8]) -> Vec<u8> {
    let from = from % (bytes.len() + 1);
    let to = (from + length).min(bytes.len());
    match kind {
        0 => {
            bytes.drain(from..to);
        }
        1 => {
            let piece = bytes[from..to].to_vec();
            bytes.splice(to..to, piece);
        }
        2 => {
            bytes.splice(from..to, other[..length.min(other.len())].iter().copied());
        }
        _ => bytes[from..to].iter_mut().for_each(|b| *b ^= 0x20),
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_corpus_files_break_no_target(
        pick in any::<prop::sample::Index>(),
        with in any::<prop::sample::Index>(),
        first in (0u8..4, 0usize..4096, 0usize..40),
        second in (0u8..4, 0usize..4096, 0usize..40),
    ) {
        for (name, target) in targets::TARGETS {
            let files = read_corpus(name);
            let (bytes, other) = (pick.get(&files).clone(), with.get(&files));
            target(&mutate(mutate(bytes, first, other), second, other));
        }
    }
}
