//! Tests the resource `command`: exit status, output, time limit and remaining processes.

use std::thread;
use std::time::{Duration, Instant};

use bakeline::checks::{Control, parse_facts};

use super::{NONCE, assert_verdict_lines, collector_script, parse_controls, run_script, shells};

/// Time after which a test counts as hanging: longer than it takes on the slowest machine.
const HANG_TIMEOUT: Duration = Duration::from_secs(300);

const COMMANDS: &[(&str, &str)] = &[
    (
        r#"{id: plain, command: "printf 'out'; printf 'err' >&2; exit 3", exit_status: 3, stdout: out, stderr: err}"#,
        "passed  plain",
    ),
    (
        r#"{id: quotes, command: "echo \"a'b$(echo c)`echo d`\\\\\"", stdout: {match: "^a'bcd"}}"#,
        "passed  quotes",
    ),
    (
        r#"{id: lines, command: "echo 1\necho 2\n", stdout: "1\n2\n"}"#,
        "passed  lines",
    ),
    (
        r#"{id: stdin, command: "cat", stdout: ""}"#,
        "passed  stdin",
    ),
    (
        r#"{id: missing, command: "no-such-program-here", exit_status: 127}"#,
        "passed  missing",
    ),
    (
        r#"{id: own124, command: "exit 124", exit_status: 124}"#,
        "passed  own124",
    ),
    (
        r#"{id: signal, command: "kill -9 $$", exit_status: 137}"#,
        "passed  signal",
    ),
    (
        r#"{id: slow, command: "sleep LONG; echo no", timeout: 1, exit_status: {not: 0}}"#,
        "error   slow  exit_status: the command timed out after 1 s",
    ),
    (
        r#"{id: stubborn, command: "trap '' TERM; for i in $(seq LONG); do sleep 1; done", timeout: 1, exit_status: {not: 0}}"#,
        "error   stubborn  exit_status: the command timed out after 1 s",
    ),
    (
        r#"{id: much, command: "head -c 400000 /dev/zero", stdout: {not: {include: x}}}"#,
        "error   much  stdout: the content has more than 262144 bytes and cannot be judged",
    ),
    (
        r#"{id: status-of-much, command: "head -c 400001 /dev/zero; exit 5", exit_status: 5}"#,
        "passed  status-of-much",
    ),
    (
        r#"{id: binary, command: "printf '\\377\\000z'", stdout: {match: "\\xff\\x00z$"}}"#,
        "passed  binary",
    ),
    (
        r#"{id: path, command: "echo $PATH", stdout: {include: /usr/sbin}}"#,
        "passed  path",
    ),
];

/// Runs all commands in every shell with a changed script. Commands that would take `seconds` must
/// be stopped early.
fn assert_commands_end(change: fn(String) -> String, seconds: u64) {
    let yaml: String = COMMANDS
        .iter()
        .map(|(check, _)| format!("- {check}\n"))
        .collect();
    let controls = parse_controls(&yaml.replace("LONG", &seconds.to_string()));
    let expected: Vec<&str> = COMMANDS.iter().map(|(_, line)| *line).collect();
    let script = change(collector_script(&controls, None));
    run_in_all_shells(&script, &controls, &expected);
}

/// Runs a script in all shells at the same time and compares the verdicts.
fn run_in_all_shells(script: &str, controls: &[Control], expected: &[&str]) {
    thread::scope(|scope| {
        for shell in shells() {
            scope.spawn(move || {
                let start = Instant::now();
                let facts = parse_facts(NONCE, &run_script(&shell, script)).expect("facts");
                assert_verdict_lines(controls, &facts, expected, &shell);
                assert!(
                    start.elapsed() < HANG_TIMEOUT,
                    "{shell:?} took {:?}",
                    start.elapsed()
                );
            });
        }
    });
}

fn without_probe(script: String, probe: &str) -> String {
    assert!(script.contains(probe), "{probe}");
    script.replace(probe, "if false && ")
}

#[test]
fn commands_report_status_output_and_timeout() {
    // Two commands take a second. A wait for their remaining processes would take ten minutes.
    assert_commands_end(|script| script, 600);
}

#[test]
fn commands_end_without_timeout_program() {
    assert_commands_end(|script| without_probe(script, "if timeout -k 1 5 "), 600);
}

#[test]
fn commands_end_without_setsid_program() {
    assert_commands_end(|script| without_probe(script, "if command -v setsid "), 2);
}

#[test]
fn commands_end_without_timeout_and_setsid() {
    assert_commands_end(
        |script| {
            without_probe(
                without_probe(script, "if command -v setsid "),
                "if timeout -k 1 5 ",
            )
        },
        2,
    );
}

#[test]
fn remaining_child_does_not_block_the_collector() {
    assert_command_ends("sleep 400 & echo started");
}

#[test]
fn remaining_daemon_does_not_block_the_collector() {
    assert_command_ends("setsid sleep 401 & echo started");
}

/// Asserts that a command whose process continues in the background ends, with its output.
fn assert_command_ends(command: &str) {
    let controls = parse_controls(&format!(
        "- {{id: own, command: \"{command}\", timeout: 1, stdout: {{include: started}}}}"
    ));
    let script = collector_script(&controls, None);
    run_in_all_shells(&script, &controls, &["passed  own"]);
}
