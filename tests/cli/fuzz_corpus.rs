//! The corpus of the fuzz targets, and neighbours of each of its files, read by the targets without libFuzzer.

#![expect(clippy::disallowed_methods, reason = "a test reads files of its own")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/targets.rs"]
mod targets;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    files
        .map(|file| fs::read(file.expect("an entry").path()).expect("a file"))
        .collect()
}

#[test]
fn no_file_of_the_corpus_breaks_its_target() {
    for (name, target) in targets::TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 6, "{name}: the corpus is there to be read");
        files.iter().for_each(|bytes| target(bytes));
    }
}

/// A file with a piece taken out, doubled, or put in from elsewhere.
fn neighbour(
    mut bytes: Vec<u8>,
    (kind, from, length): (u8, usize, usize),
    other: &[u8],
) -> Vec<u8> {
    let from = from % (bytes.len() + 1);
    let to = (from + length).min(bytes.len());
    match kind {
        0 => drop(bytes.drain(from..to)),
        1 => {
            let piece = bytes[from..to].to_vec();
            drop(bytes.splice(to..to, piece));
        }
        2 => drop(bytes.splice(from..to, other[..length.min(other.len())].iter().copied())),
        _ => bytes[from..to].iter_mut().for_each(|b| *b ^= 0x20),
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_neighbour_of_the_corpus_breaks_its_target(
        pick in any::<prop::sample::Index>(),
        with in any::<prop::sample::Index>(),
        change in (0u8..4, 0usize..4096, 0usize..40),
        again in (0u8..4, 0usize..4096, 0usize..40),
    ) {
        for (name, target) in targets::TARGETS {
            let files = corpus(name);
            let (bytes, other) = (pick.get(&files).clone(), with.get(&files));
            target(&neighbour(neighbour(bytes, change, other), again, other));
        }
    }
}
