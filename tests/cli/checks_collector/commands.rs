//! Every awkward way a command can end, and that nothing is left of it.

use std::thread;
use std::time::{Duration, Instant};

use bakeline::checks::parse_facts;

use super::{NONCE, assert_lines, controls, run, script, shells};

/// Longer than it takes on the slowest machine, shorter than anything that is waited for in vain.
const HANG: Duration = Duration::from_secs(300);

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

/// Runs all commands in every shell at once, with the script's text changed by `change`: those that would take `long` seconds
/// are ended early, or at least all of it comes to an end.
fn all(change: fn(String) -> String, long: u64) {
    let yaml: String = COMMANDS
        .iter()
        .map(|(check, _)| format!("- {check}\n"))
        .collect();
    let controls = controls(&yaml.replace("LONG", &long.to_string()));
    let expected: Vec<&str> = COMMANDS.iter().map(|(_, line)| *line).collect();
    let script = change(script(&controls, None));
    thread::scope(|scope| {
        for shell in shells() {
            let (script, controls, expected) = (&script, &controls, &expected);
            scope.spawn(move || {
                let start = Instant::now();
                let facts = parse_facts(NONCE, &run(&shell, script)).expect("facts");
                assert_lines(controls, &facts, expected, &shell);
                assert!(
                    start.elapsed() < HANG,
                    "{shell:?} took {:?}",
                    start.elapsed()
                );
            });
        }
    });
}

fn without(script: String, probe: &str) -> String {
    assert!(script.contains(probe), "{probe}");
    script.replace(probe, "if false && ")
}

#[test]
fn commands_end_in_every_way_and_are_told_apart() {
    // Two commands take their second; had anything waited for what they left behind, it would be ten minutes.
    all(|script| script, 600);
}

#[test]
fn without_timeout_the_shell_ends_commands_itself() {
    all(|script| without(script, "if timeout -k 1 5 "), 600);
}

#[test]
fn without_setsid_timeout_ends_commands() {
    all(|script| without(script, "if command -v setsid "), 9);
}

#[test]
fn with_neither_the_shell_still_ends_commands() {
    all(
        |script| {
            without(
                without(script, "if command -v setsid "),
                "if timeout -k 1 5 ",
            )
        },
        9,
    );
}

#[test]
fn what_a_command_leaves_behind_does_not_hang_the_collector() {
    let controls = controls(
        "- {id: child, command: \"sleep 400 & echo started\", timeout: 1, stdout: {include: started}}\n\
         - {id: daemon, command: \"setsid sleep 401 & echo started\", timeout: 1, stdout: {include: started}}",
    );
    for shell in shells() {
        let start = Instant::now();
        let facts = parse_facts(NONCE, &run(&shell, &script(&controls, None))).expect("facts");
        assert_lines(
            &controls,
            &facts,
            &["passed  child", "passed  daemon"],
            &shell,
        );
        assert!(
            start.elapsed() < HANG,
            "{shell:?} took {:?}",
            start.elapsed()
        );
    }
}
