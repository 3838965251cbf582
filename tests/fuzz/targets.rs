//! Fuzz targets: parse the bytes and assert what holds for any input.

use std::collections::BTreeMap;

use bakeline::catalog::load;
use bakeline::checks::{self, CollectOptions, Facts, Phase};
use bakeline::model::ImageName;

/// Function that parses the bytes.
pub(crate) type Target = fn(&[u8]);

/// Targets by the name of their corpus.
pub(crate) const TARGETS: [(&str, Target); 3] = [
    ("frames", frames),
    ("profile", profile),
    ("sshd_config", sshd_config),
];

/// Nonce of the parsed output. The corpus contains it.
const NONCE: &str = "n0nce";

/// Parses the output of a target. Facts are accepted only with the collector's last line, and survive a round trip through JSON.
fn frames(bytes: &[u8]) {
    let Ok(facts) = checks::parse_facts(NONCE, bytes) else {
        return;
    };
    assert!(
        String::from_utf8_lossy(bytes).contains("n0nce end "),
        "facts without an end"
    );
    let kept = serde_json::to_string(&facts).expect("facts are written");
    let again: Facts = serde_json::from_str(&kept).expect("facts are read back");
    assert_eq!(
        serde_json::to_string(&again).expect("facts are written"),
        kept,
        "facts change in a round trip"
    );
}

/// Loads a profile in an otherwise valid catalog. The result is diagnostics, or controls that can be
/// collected and judged.
fn profile(bytes: &[u8]) {
    let text = |text: &str| text.as_bytes().to_vec();
    let files = BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            text("name: fuzz\nregions: [eu-west-1]\n"),
        ),
        (
            "images/base.yaml".to_owned(),
            text("source: {owner: '136693071363', name: 'x-*'}\nprofiles: [fuzzed]\n"),
        ),
        ("profiles/fuzzed.yaml".to_owned(), bytes.to_vec()),
    ]);
    let (catalog, findings) = load(&files);
    let Some(catalog) = catalog else {
        assert!(!findings.is_empty(), "no catalog and no diagnostics");
        return;
    };
    let controls = catalog.controls(&ImageName::from("base"));
    for phase in [Phase::Build, Phase::Boot] {
        let script = checks::collector(
            &controls,
            CollectOptions {
                nonce: NONCE,
                root: None,
                phase,
                seal: false,
            },
        );
        assert!(
            script.starts_with("{\n") && script.ends_with("} </dev/null\n"),
            "one group"
        );
        drop(checks::judge(&controls, &Facts::default(), phase));
    }
}

/// Parses `sshd_config`, where each `Include` refers to the text itself.
fn sshd_config(bytes: &[u8]) {
    checks::fuzz::sshd_config(&String::from_utf8_lossy(bytes));
}
