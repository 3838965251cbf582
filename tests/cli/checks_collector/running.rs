//! Tests resources of a running system: ports and pending updates.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::SystemTime;

use bakeline::checks::{Outcome, Verdict};

use super::{collect_facts, judge_all, parse_controls, shells};

fn judge_yaml(shell: &[&str], yaml: &str) -> Vec<Verdict> {
    let controls = parse_controls(yaml);
    judge_all(&controls, &collect_facts(shell, &controls, None))
}

#[test]
fn port_is_listening_only_while_a_process_listens() {
    let (tcp, udp) = (
        TcpListener::bind("127.0.0.1:0").expect("tcp"),
        UdpSocket::bind("[::1]:0")
            .or_else(|_| UdpSocket::bind("127.0.0.1:0"))
            .expect("udp"),
    );
    let (stream, datagram) = (
        tcp.local_addr().expect("address"),
        udp.local_addr().expect("address"),
    );
    let yaml = format!(
        "- {{port: {}, listening: true, addresses: {{same_set: [\"127.0.0.1\"]}}, processes: {{count: 1}}}}\n\
         - {{port: udp/{}, addresses: {{same_set: [\"{}\"]}}}}\n- {{port: all, listening_ports: {{include: tcp/{}}}}}\n",
        stream.port(),
        datagram.port(),
        datagram.ip(),
        stream.port(),
    );
    for shell in shells() {
        for verdict in judge_yaml(&shell, &yaml) {
            assert_eq!(
                verdict.outcome,
                Outcome::Passed,
                "{shell:?} {}",
                verdict.line()
            );
        }
    }
    drop((tcp, udp));
    for shell in shells() {
        for verdict in judge_yaml(&shell, &yaml) {
            assert_eq!(
                verdict.outcome,
                Outcome::Failed,
                "{shell:?} {}",
                verdict.line()
            );
        }
    }
}

/// Returns the modification times of a directory and its files.
fn modification_times(path: &str) -> Vec<(std::path::PathBuf, SystemTime)> {
    let entries = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let all = entries.chain([path.into()]);
    let mut times: Vec<_> = all
        .filter_map(|at| Some((at.clone(), fs::metadata(at).ok()?.modified().ok()?)))
        .collect();
    times.sort();
    times
}

#[test]
fn update_check_leaves_apt_unchanged() {
    let directories = [
        "/var/log/apt",
        "/var/cache/apt",
        "/var/lib/apt/lists",
        "/var/lib/dpkg",
    ];
    let before = directories.map(modification_times);
    let verdicts = judge_yaml(
        &shells()[0],
        "- {updates: all, phase: [boot], count: {at_least: 0}}",
    );
    let lists = fs::read_dir("/var/lib/apt/lists")
        .into_iter()
        .flatten()
        .flatten();
    let any = lists
        .into_iter()
        .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"));
    let expected = if Path::new("/usr/bin/apt-get").exists() && any {
        Outcome::Passed
    } else {
        Outcome::Error
    };
    assert_eq!(verdicts[0].outcome, expected, "{}", verdicts[0].line());
    assert_eq!(directories.map(modification_times), before);
}
