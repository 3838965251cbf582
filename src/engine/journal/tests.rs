//! Tests the hash chain and the phases of the journal.

use super::*;
use crate::adapters::fake::MemoryJournal;

fn build() -> StepId {
    "jdk/build".parse().expect("a step ID")
}

fn three_lines() -> Vec<String> {
    let journal = MemoryJournal::default();
    record_phases(
        &journal,
        &build(),
        &[Phase::Started, Phase::Failed, Phase::UndoStarted],
    );
    journal.text().lines().map(str::to_owned).collect()
}

#[test]
fn parse_detects_changes_and_ignores_incomplete_last_line() {
    let lines = three_lines();
    let text = lines.join("\n") + "\n";
    assert_eq!(read(&text).expect("complete").len(), 3);
    assert_eq!(read(&text[..text.len() - 5]).expect("cut").len(), 2);
    assert!(
        read(&text.replace("\"n\":1", "\"n\":2")).is_err(),
        "changed"
    );
    assert!(
        read(&format!("{}\n{}\n", lines[0], lines[2])).is_err(),
        "left out"
    );
}

#[test]
fn unwritten_line_does_not_count() {
    let (full, journal) = (MemoryJournal::default(), MemoryJournal::default());
    *full.room.lock().expect("no panic") = Some(0);
    let (time, data) = (Timestamp::UNIX_EPOCH, &Value::Null);
    let line = |journal| NewLine {
        time,
        data,
        journal,
    };
    let mut recorder = Recorder::default();
    recorder
        .start(&build(), line(&full))
        .expect_err("the journal is full");
    let started = recorder.start(&build(), line(&journal)).expect("written");
    let (finished, written) = started.fail(&mut recorder, line(&full));
    written.expect_err("the journal is full");
    let undoing = finished.start_undo(&mut recorder, line(&journal));
    undoing
        .and_then(|undoing| undoing.succeed(&mut recorder, line(&journal)))
        .expect("written");
    let lines = read(&journal.text()).expect("the chain holds");
    let phases: Vec<Phase> = lines.iter().map(|line| line.phase).collect();
    assert_eq!(phases, [Phase::Started, Phase::UndoStarted, Phase::Undone]);
}

#[test]
fn duplicate_step_is_rejected() {
    let (journal, data) = (MemoryJournal::default(), &Value::Null);
    let line = NewLine {
        time: Timestamp::UNIX_EPOCH,
        data,
        journal: &journal,
    };
    let mut recorder = Recorder::default();
    recorder.start(&build(), line).expect("the first start");
    let error = recorder.start(&build(), line).expect_err("a second start");
    assert!(error.one_line().contains("jdk/build twice"), "{error}");
}
