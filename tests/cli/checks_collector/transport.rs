//! Tests the transport of scripts and facts: hostile names, bytes, secrets, sizes and quoting.

use std::path::Path;
use std::process::{Command, Stdio};

use bakeline::checks::{Outcome, parse_facts, sh_quote};
use proptest::prelude::*;

use super::{
    NONCE, assert_verdict_lines, collect_facts, collector_script, judge_all, parse_controls,
    run_script, shells, write_file,
};
use std::io::Write as _;

#[test]
fn hostile_names_and_content_are_not_executed() {
    let dir = tempfile::tempdir().expect("dir");
    let hostile = [
        "a b",
        "q'uo\"te",
        "$(touch pwned)",
        "`touch pwned`",
        "-rf",
        "*",
        "semi;colon",
        "é\t\\n",
        "#x",
        "!y",
        "~",
    ];
    let fake = "x\nn0nce end 1\n\nn0nce file 2f 0 - 0 -\n\u{1}\r\n";
    let mut yaml = String::new();
    for name in hostile {
        write_file(dir.path(), name, fake.as_bytes(), 0o640);
        let path = serde_json::to_string(&format!("/{name}")).expect("json");
        let content = serde_json::to_string(fake).expect("json");
        yaml += &format!("- {{file: {path}, mode: \"0640\", content: {content}}}\n");
    }
    let controls = parse_controls(&yaml);
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, Some(dir.path()));
        for verdict in judge_all(&controls, &facts) {
            assert_eq!(
                verdict.outcome,
                Outcome::Passed,
                "{shell:?}: {}",
                verdict.line()
            );
        }
    }
    assert!(!dir.path().join("pwned").exists() && !Path::new("pwned").exists());
}

#[test]
fn bytes_are_collected_unchanged_up_to_the_limit() {
    let dir = tempfile::tempdir().expect("dir");
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    write_file(dir.path(), "all", &all, 0o644);
    write_file(dir.path(), "empty", b"", 0o644);
    write_file(dir.path(), "full", &vec![b'x'; 256 * 1024], 0o644);
    write_file(dir.path(), "over", &vec![b'x'; 256 * 1024 + 1], 0o644);
    let controls = parse_controls(
        "- {file: /all, content: {include: abc}}\n- {file: /empty, content: \"\"}\n- {file: /full, content: \
         {match: \"\\\\Ax{9}\"}}\n- {file: /over, content: {include: x}}",
    );
    for shell in shells() {
        let facts = collect_facts(&shell, &controls, Some(dir.path()));
        let expected = [
            "passed  file:/all",
            "passed  file:/empty",
            "passed  file:/full",
            "error   file:/over  content: the content has more than 262144 bytes and cannot be judged",
        ];
        assert_verdict_lines(&controls, &facts, &expected, &shell);
        let kept = serde_json::to_value(&facts).expect("json");
        let hex = kept["readings"]["body"]["/all"]["hex"]
            .as_str()
            .expect("hex");
        let back: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex"))
            .collect();
        assert_eq!(back, all);
    }
}

#[test]
fn password_hashes_stay_on_the_target() {
    let dir = tempfile::tempdir().expect("dir");
    let shadow = "root:$y$j9T$abcSALT$HASHHASH:19000:0\nlocked:!$6$SALT$HASHHASH:1\nold:abHASHHASHxy:1\nnone:*:1\nnew:!:1\n\
        empty::1\n";
    write_file(dir.path(), "etc/shadow", shadow.as_bytes(), 0o640);
    write_file(
        dir.path(),
        "key",
        b"-----BEGIN RSA PRIVATE KEY-----\nHASHHASH\n",
        0o600,
    );
    let controls = parse_controls(
        r#"
- {file: /etc/shadow, content: {match: "^root:\\$y\\$\\.\\.\\.:19000:0$"}}
- {file: /etc/shadow, content: {match: "^locked:!\\$6\\$\\.\\.\\.:1$"}}
- {file: /etc/shadow, content: {match: "^old:\\.\\.\\.:1$"}}
- {file: /etc/shadow, content: {match: "^none:\\*:1\\nnew:!:1\\nempty::1$"}}
- {file: /key, content: {include: nothing}}
"#,
    );
    let hash: String = "HASHHASH".bytes().map(|b| format!("{b:02x}")).collect();
    for shell in shells() {
        let output = run_script(&shell, &collector_script(&controls[..4], Some(dir.path())));
        assert!(
            !String::from_utf8_lossy(&output).contains(&hash),
            "{shell:?}"
        );
        let facts = collect_facts(&shell, &controls, Some(dir.path()));
        let found = judge_all(&controls, &facts);
        assert!(
            found[..4].iter().all(|v| v.outcome == Outcome::Passed),
            "{found:?}"
        );
        assert_eq!(found[4].outcome, Outcome::Failed);
        let kept = [
            serde_json::to_string(&facts).expect("json"),
            serde_json::to_string(&found).expect("json"),
        ];
        assert!(
            kept.iter().all(|text| !text.contains("HASHHASH")),
            "{kept:?}"
        );
        assert!(
            !kept[0].contains("19000:"),
            "the facts contain a line of the file: {}",
            kept[0]
        );
    }
}

#[test]
fn truncated_script_and_output_are_errors() {
    let dir = tempfile::tempdir().expect("dir");
    let check = |i| format!("- {{file: /some/rather/long/path/number/{i}, exists: false}}\n");
    let controls = parse_controls(&(0..900).map(check).collect::<String>());
    let script = collector_script(&controls, Some(dir.path()));
    assert!(
        script.len() > 40_000,
        "the script exceeds the buffer of any shell"
    );
    for shell in shells() {
        let output = run_script(&shell, &script);
        assert_eq!(
            parse_facts(NONCE, &output).expect("facts").readings["file"].len(),
            900
        );
        assert!(parse_facts(NONCE, &output[..output.len() / 2]).is_err());
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the shell starts");
        child
            .stdin
            .take()
            .expect("stdin")
            .write_all(&script.as_bytes()[..script.len() / 2])
            .expect("it reads");
        let output = child.wait_with_output().expect("it ends").stdout;
        assert!(parse_facts(NONCE, &output).is_err());
        assert!(
            !String::from_utf8_lossy(&output).contains(NONCE),
            "the shell reads the whole group before it runs a command"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn quoted_text_is_unchanged_by_real_shells(text in "([^\\x00]|['\"$`\\\\!\n\r*~#;&|<> -]){0,60}") {
        for shell in shells() {
            let output = Command::new(shell[0])
                .args(&shell[1..])
                .arg("-c")
                .arg(format!("printf %s {}", sh_quote(&text)))
                .output()
                .expect("the shell runs");
            prop_assert_eq!(&String::from_utf8_lossy(&output.stdout), &text);
        }
    }
}
