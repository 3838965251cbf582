//! Helpers for the tests of this crate, and tests of the whole crate.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Parses checks.
pub(super) fn controls(yaml: &str) -> Vec<Control> {
    let mut ids = IdAllocator::default();
    let raw: Vec<Tree> = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
    let inputs = BTreeMap::new();
    let mut parse = |raw: &Tree| {
        parse_control(
            raw,
            ParseContext {
                ids: &mut ids,
                inputs: &inputs,
                defined_at: SourceLocation::default(),
            },
        )
    };
    raw.iter()
        .map(|r| parse(r).unwrap_or_else(|e| panic!("{yaml}: {e:?}")))
        .collect()
}

/// Returns the messages and hints for an invalid check.
pub(super) fn refusal(yaml: &str) -> String {
    let raw = match serde_saphyr::from_str::<Tree>(yaml) {
        Err(e) => return e.to_string(),
        Ok(raw) => raw,
    };
    let context = ParseContext {
        ids: &mut IdAllocator::default(),
        inputs: &BTreeMap::new(),
        defined_at: SourceLocation::default(),
    };
    match parse_control(&raw, context) {
        Err(all) => all
            .iter()
            .map(|p| format!("{} [{}]\n", p.message, p.help.as_deref().unwrap_or("")))
            .collect(),
        Ok(control) => panic!("{yaml} is valid: {control:?}"),
    }
}

/// Formats frames of (kind, key, rc, flags, payload) as the output of a collector.
pub(super) fn output(frames: &[(&str, &str, i32, &str, &str)]) -> Vec<u8> {
    let mut out = String::from("\n");
    let word = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text::hex(text.as_bytes())
        }
    };
    for (kind, key, rc, flags, payload) in frames {
        out += &format!(
            "n0nce {kind} {} {rc} {flags} {} {}\n",
            word(key),
            payload.len(),
            word(payload)
        );
    }
    out += &format!("n0nce end {}\n", frames.len());
    out.into_bytes()
}

/// Judges checks by frames in phase boot and returns the verdicts as lines. Judges again by the
/// stored facts, which must give the same verdicts.
pub(super) fn lines(yaml: &str, frames: &[(&str, &str, i32, &str, &str)]) -> Vec<String> {
    let controls = controls(yaml);
    let refs: Vec<&Control> = controls.iter().collect();
    let facts = parse_facts("n0nce", &output(frames)).expect("facts");
    let stored = serde_json::to_string(&facts).expect("json");
    let lines: Vec<String> = judge(&refs, &facts, Phase::Boot)
        .iter()
        .map(Verdict::line)
        .collect();
    if !stored.contains("\"secret\"") {
        let again: Facts = serde_json::from_str(&stored).expect("stored facts");
        let judged: Vec<String> = judge(&refs, &again, Phase::Boot)
            .iter()
            .map(Verdict::line)
            .collect();
        assert_eq!(judged, lines, "stored facts give the same verdicts");
    }
    lines
}

/// Identity of a running Linux system with a service manager.
pub(super) const IDENTITY: (&str, &str, i32, &str, &str) = (
    "identity",
    "",
    0,
    "-",
    "uid=0\nkernel=Linux 6.1 x86_64\nservice_manager=yes\nmachine_id=present\ndirectory=\n",
);

const ALL: &str = r#"
- {package: nginx}
- {package: telnetd, installed: false}
- {package: nginx, version: {at_least: "1.22"}}
- {service: nginx, enabled: true, running: true}
- {file: /etc/nginx/nginx.conf, owner: root, group: root, mode: "0644", type: file}
- {file: /root/.ssh/authorized_keys, exists: false, phase: [boot]}
- {file: /etc/motd, content: {include: hello}}
- {command: "nginx -t", exit_status: 0, stderr: {match: "successful"}, timeout: 10}
"#;

#[test]
fn documented_checks_are_parsed() {
    let controls = controls(ALL);
    let ids: Vec<&str> = controls.iter().map(|c| c.id.as_str()).collect();
    let expected = [
        "package:nginx",
        "package:telnetd",
        "package:nginx#2",
        "service:nginx",
        "file:/etc/nginx/nginx.conf",
        "file:/root/.ssh/authorized_keys",
        "file:/etc/motd",
        "command:nginx -t",
    ];
    assert_eq!(ids, expected);
    assert_eq!(controls[3].phases, BTreeSet::from([Phase::Boot]));
    assert_eq!(
        controls[0].phases,
        BTreeSet::from([Phase::Build, Phase::Boot])
    );
    assert_eq!(
        controls[2].title,
        "package nginx: version at least \"1.22\""
    );
    let json = serde_json::to_string(&controls).expect("json");
    let again: Vec<Control> = serde_json::from_str(&json).expect("again");
    assert_eq!(again, controls, "the JSON can be parsed");
}

#[test]
fn digest_ignores_the_notation() {
    let digest = |yaml: &str| digest(&controls(yaml).iter().collect::<Vec<_>>());
    let base = digest("- {file: /a, mode: \"0644\", owner: root}\n- {package: nginx}");
    assert_eq!(base.len(), 64);
    assert_eq!(
        base,
        digest("- {package: nginx}\n- {owner: root, file: /a, mode: {eq: \"0644\"}}")
    );
    assert_eq!(
        base,
        digest("- {file: /a, mode: \"644\", owner: root}\n- {package: nginx}")
    );
    let changed = [
        "- {file: /a, mode: \"0640\", owner: root}\n- {package: nginx}",
        "- {file: /a, mode: {not: \"0644\"}, owner: root}\n- {package: nginx}",
        "- {file: /b, mode: \"0644\", owner: root}\n- {package: nginx}",
        "- {file: /a, mode: \"0644\", owner: root}",
        "- {file: /a, mode: \"0644\", owner: root, impact: 0.9}\n- {package: nginx}",
        "- {file: /a, mode: \"0644\", owner: root, phase: [boot]}\n- {package: nginx}",
        "- {file: /a, mode: \"0644\", owner: root}\n- {package: nginx, title: other}",
    ];
    let digests: BTreeSet<String> = changed
        .iter()
        .map(|yaml| digest(yaml))
        .chain([base])
        .collect();
    assert_eq!(
        digests.len(),
        changed.len() + 1,
        "each change has its own digest"
    );
}

#[test]
fn schema_describes_resources_and_matchers() {
    let schema = serde_json::to_string(&schemars::schema_for!(Vec<WrittenCheck>)).expect("json");
    for part in [
        "at_most",
        "link_target",
        "exit_status",
        "additionalProperties",
        "ExpectMode",
        "unpacked and configured",
    ] {
        assert!(schema.contains(part), "{part} is missing in {schema}");
    }
}
