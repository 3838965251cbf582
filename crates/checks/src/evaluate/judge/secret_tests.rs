//! Tests: sensitive inputs, disabled controls, and many controls.

use super::tests::{DEBIAN, PACKAGES, control, tree};
use super::*;
use crate::tests::{IDENTITY, output};
use crate::{input_values, parse_facts, parse_inputs};

const SECRET: &str = "hunter2";

#[test]
fn secret_file_content_is_in_no_finding() {
    let key = "[tls]\nkey = -----BEGIN PRIVATE KEY-----MIIEvQ\nport = 443\n";
    let frames = [
        IDENTITY,
        ("config", "/x.ini", 0, "-", key),
        ("body", "/b", 0, "-", "bob:$6$c0ffee$abcdefgh:1::\n"),
    ];
    let facts = parse_facts("n0nce", &output(&frames)).expect("facts");
    for (check, outcome) in [
        (
            "config_file: /x.ini, tls.key: {absent: true}",
            Outcome::Failed,
        ),
        (
            "config_file: /x.ini, tls.key: {match: PRIVATE}",
            Outcome::Passed,
        ),
        ("config_file: /x.ini, tls.port: \"443\"", Outcome::Passed),
        ("file: /b, content: {match: bob}", Outcome::Error),
    ] {
        let controls = [
            control(&format!("{{id: a, {check}}}"), "{}"),
            control(&format!("{{id: b, {check}}}"), "{}"),
        ];
        for verdict in judge(&[&controls[0], &controls[1]], &facts, Phase::Boot) {
            assert_eq!(verdict.outcome, outcome, "{check}: {verdict:?}");
            let kept = serde_json::to_string(&verdict).expect("json");
            assert!(
                !kept.contains("MIIE") && !kept.contains("ffee"),
                "{check}: {kept}"
            );
        }
    }
    let kept = serde_json::to_string(&facts).expect("json");
    assert!(!kept.contains("MIIE") && !kept.contains("ffee"), "{kept}");
}

#[test]
fn sensitive_input_is_in_no_finding() {
    let facts = parse_facts("n0nce", &output(&[IDENTITY, PACKAGES, DEBIAN])).expect("facts");
    let given_inputs = format!(
        "{{a: {{default: {SECRET}, sensitive: true}}, l: {{default: [{SECRET}], sensitive: true}}, v: {{default: \"1{SECRET}\", sensitive: true}}}}"
    );
    for (check, outcome) in [
        ("os: this, name: $inputs.a", Outcome::Failed),
        ("os: this, name: {not: $inputs.a}", Outcome::Passed),
        ("os: this, name: {in: $inputs.l}", Outcome::Failed),
        ("os: this, codename: \"x${inputs.a}\"", Outcome::Failed),
        ("package: ssh, version: $inputs.v", Outcome::Failed),
        (
            "package: ssh, version: {at_least: $inputs.v}",
            Outcome::Passed,
        ),
        ("file: /x, content: {include: $inputs.a}", Outcome::Error),
        (
            "os: this, name: debian, when: inputs.a == \"x\"",
            Outcome::Skipped,
        ),
        (
            "any_of: [{os: this, name: $inputs.a}, {package: ntp}]",
            Outcome::Failed,
        ),
    ] {
        let verdict = judge(
            &[&control(&format!("{{{check}}}"), &given_inputs)],
            &facts,
            Phase::Boot,
        )
        .remove(0);
        assert_eq!(verdict.outcome, outcome, "{check}: {verdict:?}");
        let kept = serde_json::to_string(&verdict).expect("json");
        assert!(
            !kept.contains(SECRET) && !verdict.line().contains(SECRET),
            "{check}: {kept}"
        );
        assert!(
            kept.contains("***") || outcome == Outcome::Skipped,
            "{check}: {kept}"
        );
    }
    let same = judge(
        &[&control(
            "{os: this, name: $inputs.a}",
            "{a: {default: debian, sensitive: true}}",
        )],
        &facts,
        Phase::Boot,
    );
    assert_eq!(
        (same[0].outcome, same[0].findings[0].actual.as_deref()),
        (Outcome::Passed, Some("***")),
        "the value of the input is masked"
    );
    let (inputs, _) = parse_inputs(&tree(
        &given_inputs.replace("v: ", "plain: {default: 1}, w: "),
    ));
    let shown: Vec<(String, Option<Tree>)> = input_values(&inputs, &facts)
        .into_iter()
        .map(|g| (g.name, g.value))
        .collect();
    let hidden = || Some(Tree::Text("***".to_owned()));
    assert_eq!(
        shown,
        [
            ("a", hidden()),
            ("l", hidden()),
            ("plain", Some(Tree::Int(1))),
            ("w", hidden())
        ]
        .map(|(n, v)| (n.to_owned(), v))
    );
}

#[test]
fn facts_with_sensitive_input_are_not_stored() {
    let command = format!("community {SECRET}\n");
    let mut facts = parse_facts(
        "n0nce",
        &output(&[
            IDENTITY,
            PACKAGES,
            DEBIAN,
            ("command", "x", 0, "-", &command),
        ]),
    )
    .expect("facts");
    let control = control(
        "{id: t, os: this, name: {not: $inputs.a}}",
        &format!("{{a: {{default: {SECRET}, sensitive: true}}}}"),
    );
    crate::evaluate::input_values::conceal(&mut facts, &[&control]);
    assert_eq!(
        facts.reading("command", "x").expect("it").body.bytes(),
        command.as_bytes()
    );
    let kept = serde_json::to_string(&facts).expect("json");
    assert!(!kept.contains(SECRET) && kept.contains("chrony"), "{kept}");
}

#[test]
fn disabled_control_is_skipped_with_its_reason() {
    let facts = parse_facts("n0nce", &output(&[IDENTITY, PACKAGES, DEBIAN])).expect("facts");
    let off = Control {
        disabled: Some("we have another".to_owned()),
        ..control("{id: t, package: ntp}", "{}")
    };
    let verdict = judge(&[&off], &facts, Phase::Boot).remove(0);
    assert_eq!(
        (verdict.outcome, verdict.findings.len()),
        (Outcome::Skipped, 1)
    );
    assert_eq!(verdict.line(), "skipped t  disabled: we have another");
    let script = crate::collector(
        &[&off],
        crate::CollectOptions {
            nonce: "n",
            root: None,
            phase: Phase::Boot,
            seal: false,
        },
    );
    let none = crate::collector(
        &[],
        crate::CollectOptions {
            nonce: "n",
            root: None,
            phase: Phase::Boot,
            seal: false,
        },
    );
    assert_eq!(
        script, none,
        "no facts are collected for a disabled control"
    );
}

#[test]
fn exploding_pattern_is_an_error_of_its_control() {
    let os = format!(
        "ID=debian\nVERSION_ID=12\nVERSION_CODENAME={}b\n",
        "a".repeat(60)
    );
    let facts = parse_facts(
        "n0nce",
        &output(&[IDENTITY, PACKAGES, ("os-release", "", 0, "-", &os)]),
    )
    .expect("facts");
    let bad = control(
        "{id: bad, os: this, codename: {match: \"^((?=a)a+)+$\"}}",
        "{}",
    );
    let good = control("{id: good, package: ssh}", "{}");
    let verdicts = judge(&[&bad, &good], &facts, Phase::Boot);
    assert_eq!(
        [verdicts[0].outcome, verdicts[1].outcome],
        [Outcome::Error, Outcome::Passed]
    );
    assert!(
        verdicts[0].line().contains("steps on this text"),
        "{}",
        verdicts[0].line()
    );
}

/// Load for a profiler. The test does not measure time.
#[test]
fn ten_thousand_controls_are_judged() {
    let facts = parse_facts("n0nce", &output(&[IDENTITY, PACKAGES, DEBIAN])).expect("facts");
    let kinds = [
        "os: this, codename: {not: {match: \"^(book|trix)\\\\d{1,20}$\"}}, when: os.name == \"debian\" and package(\"ssh\").installed",
        "package: ssh, version: {at_least: \"1:9\"}",
        "any_of: [{package: ntp}, {package: chrony}]",
        "package: \"${p}\", for_each: {p: [ssh, chrony]}, if_absent: skip",
        "os: this, name: {in: $inputs.names}",
    ];
    let inputs = "{names: {by_os: {debian: [debian, x]}, default: [y]}}";
    let made: Vec<Control> = kinds
        .iter()
        .map(|check| control(&format!("{{{check}}}"), inputs))
        .collect();
    let many: Vec<&Control> = made.iter().cycle().take(10_000).collect();
    let verdicts = judge(&many, &facts, Phase::Boot);
    assert_eq!(verdicts.len(), 10_000);
    let failed: Vec<String> = verdicts
        .iter()
        .filter(|v| v.outcome != Outcome::Passed)
        .map(Verdict::line)
        .collect();
    assert!(
        failed.iter().all(|line| line.contains("codename")),
        "{:?}",
        failed.first()
    );
}
