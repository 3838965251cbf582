//! Tests each action of each changing command with each kind of fault. The judge compares the complete
//! inventory of the cloud, and every statement of the run, after the run, after a sweep, and after the
//! next run.

mod commands;
mod inventory;
mod judge;
mod kinds;
mod statements;

use commands::{Command, FinishedRun, sweep};
use inventory::CloudInventory;
use kinds::{Cell, cells};
use statements::Facts;

use super::IMAGES;
use super::TestEnv;
use super::killed_retirement::at_time;
use super::lifecycle::{Operation, on_day, state_table, version};
use crate::lifecycle::candidate::awaits_checks;
use crate::matrix::select_rotating;
use crate::model::{AmiId, RunId};

/// Number of cells of a command in a sample.
const SAMPLE: usize = 8;

/// Number of leaks and false statements of a product.
#[derive(Default)]
struct Report {
    cells: usize,
    /// Cells whose fault took effect.
    failing: usize,
    leaks: Vec<String>,
    false_statements: Vec<String>,
}

impl Report {
    fn add(&mut self, facts: &Facts<'_>, context: &str) {
        let leaks = facts.leaks_after_run();
        let statements = facts.false_statements();
        self.leaks
            .extend(leaks.iter().map(|text| format!("{context}: {text}")));
        self.false_statements
            .extend(statements.iter().map(|text| format!("{context}: {text}")));
    }
}

/// Returns the environment for a later run on the same cloud, after the resources have expired.
fn later(setup: &TestEnv) -> TestEnv {
    let time = setup.now + jiff::SignedDuration::from_hours(13);
    at_time(setup, &time.to_string())
}

/// State in which the next run must end.
struct WantedEnd {
    inventory: CloudInventory,
    clean: TestEnv,
}

/// Repeats the command without a fault and returns what is different from a run without a fault.
async fn leaks_after_next_run(
    command: Command,
    setup: &TestEnv,
    before: &CloudInventory,
    wanted: &WantedEnd,
) -> Vec<String> {
    let found = match command {
        Command::UndoneRelease => {
            let now = CloudInventory::of(setup);
            (now != *before)
                .then(|| format!("{:?} {:?}", now.without(before), before.without(&now)))
        }
        Command::Release => repeat_release(setup, before).await,
        Command::Promote | Command::Rollback | Command::Revoke => {
            repeat_move(command, setup, wanted).await
        }
        Command::Deprecate | Command::Disable | Command::Deregister | Command::Sweep => {
            repeat_removal(command, setup, wanted).await
        }
    };
    let found = found.into_iter();
    found
        .map(|text| format!("after the next run: {text}"))
        .collect()
}

/// Repairs the locations, as the message of a stuck run says.
async fn run_doctor(setup: &TestEnv) -> Option<String> {
    let ran = Operation::Doctor.execute(setup).await;
    ran.kind().map(|_| format!("{ran:?}"))
}

async fn repeat_release(setup: &TestEnv, before: &CloudInventory) -> Option<String> {
    let next = at_time(setup, &setup.now.to_string());
    if let Some(text) = run_doctor(&next).await {
        return Some(text);
    }
    let next = at_time(&next, &next.now.to_string());
    let ran = next.release("fault2").await;
    if ran.kind().is_some() {
        return Some(format!("{ran:?}"));
    }
    let leftovers = next.cloud.state(|state| state.temporary());
    if !leftovers.is_empty() {
        return Some(format!("{leftovers:?}"));
    }
    IMAGES.iter().find_map(|(image, _)| {
        let (pointer, found) = next.latest(image, "Test");
        let found = found.map(|ami| ami.0);
        let is_new = found.as_ref().is_some_and(|ami| !before.has_id(ami));
        (!is_new || pointer != found).then(|| format!("{image}: {pointer:?} {found:?}"))
    })
}

async fn repeat_move(command: Command, setup: &TestEnv, wanted: &WantedEnd) -> Option<String> {
    let operation = match command {
        Command::Promote => Operation::Promote(&["base"]),
        Command::Rollback => Operation::Rollback(version(1)),
        _ => Operation::Revoke("base", version(2)),
    };
    let next = on_day(setup, 29);
    if let Some(text) = run_doctor(&next).await {
        return Some(text);
    }
    let next = on_day(&next, 29);
    let repeated = operation.execute(&next).await;
    if repeated.kind().is_some() {
        return Some(format!("{repeated:?}"));
    }
    let now = state_table(&next);
    (now != state_table(&wanted.clean)).then(|| format!("{now:?}"))
}

async fn repeat_removal(command: Command, setup: &TestEnv, wanted: &WantedEnd) -> Option<String> {
    let next = command.copy_of(setup);
    match command.run(&next, "fault2").await {
        Ok(FinishedRun { outcome, .. }) if outcome.kind().is_none() => {}
        Ok(ran) => return Some(format!("{:?}", ran.outcome)),
        Err(error) => return Some(error.to_string()),
    }
    let now = CloudInventory::of(&next);
    let (more, less) = (
        now.without(&wanted.inventory),
        wanted.inventory.without(&now),
    );
    (now.stable() != wanted.inventory.stable()).then(|| format!("{more:?} {less:?}"))
}

/// Removes the candidates that wait for their boot checks, with their snapshots, and returns their IDs.
fn remove_kept_candidates(setup: &TestEnv) -> Vec<AmiId> {
    setup.cloud.state(|state| {
        let own = state.own().into_iter();
        let kept: Vec<_> = own.filter(|ami| awaits_checks(&ami.tags)).collect();
        for ami in &kept {
            state.images.remove(&ami.id);
            state.snapshots.retain(|id, _| !ami.snapshots.contains(id));
        }
        kept.into_iter().map(|ami| ami.id).collect()
    })
}

async fn judge_cell(
    command: Command,
    start: &TestEnv,
    (before, wanted): (&CloudInventory, &WantedEnd),
    cell: Cell,
    report: &mut Report,
) {
    let context = format!("{}, {}", command.name(), cell.describe());
    let setup = command.copy_of(start);
    cell.inject(&setup);
    report.cells += 1;
    let ran = command.run(&setup, "fault1").await;
    report.failing += usize::from(setup.cloud.failed_calls() > 0);
    let now = CloudInventory::of(&setup);
    let Ok(ran) = ran else {
        if now != *before {
            report
                .leaks
                .push(format!("{context}: changed before the first step"));
        }
        return;
    };
    let facts = Facts {
        command,
        ran: &ran,
        before,
        now: &now,
        clean: &wanted.inventory,
    };
    report.add(&facts, &context);
    if facts.has_stuck_scope() && cell.kind.is_survived() {
        report
            .leaks
            .push(format!("{context}: stuck although the fault ended"));
    }
    // The next run would adopt a candidate that waits for its boot checks. The output must name it.
    for ami in remove_kept_candidates(&setup) {
        if !format!("{:?}", ran.outcome).contains(&format!("kept: candidate {ami} ")) {
            report.leaks.push(format!("{context}: {ami} is not named"));
        }
    }
    let swept = later(&setup);
    match sweep(&swept, RunId::from("sweep1")).await {
        Ok(ran) if ran.outcome.kind().is_none() => {}
        Ok(ran) => report
            .leaks
            .push(format!("{context}: sweep {:?}", ran.outcome)),
        Err(error) => report.leaks.push(format!("{context}: sweep {error}")),
    }
    let mut leaks = facts.leaks_after_sweep(&CloudInventory::of(&swept));
    leaks.extend(leaks_after_next_run(command, &swept, before, wanted).await);
    report
        .leaks
        .extend(leaks.iter().map(|text| format!("{context}: {text}")));
}

/// Runs the product of a command, prints its summary and fails if it has a leak or a false statement.
#[expect(clippy::print_stderr, reason = "`make faults` reads the summary")]
async fn judge_command(command: Command) {
    let start = command.prepare().await;
    let before = CloudInventory::of(&command.copy_of(&start));
    let clean = command.copy_of(&start);
    let ran = command.run(&clean, "fault1").await.expect("no fault");
    let expected =
        (command == Command::UndoneRelease).then_some(crate::error::ErrorKind::StepFailed);
    assert_eq!(ran.outcome.kind(), expected, "{:?}", ran.outcome);
    let all = cells(&clean.cloud.calls());
    let wanted = WantedEnd {
        inventory: CloudInventory::of(&clean),
        clean,
    };
    let mut report = Report::default();
    for cell in select_rotating(command.name(), SAMPLE, all) {
        judge_cell(command, &start, (&before, &wanted), cell, &mut report).await;
    }
    let Report {
        cells,
        failing,
        leaks,
        false_statements,
    } = &report;
    let name = command.name();
    for text in leaks.iter().take(40) {
        eprintln!("leak: {text}");
    }
    for text in false_statements.iter().take(40) {
        eprintln!("false statement: {text}");
    }
    eprintln!(
        "faults of {name} on the fake cloud: {cells} cells, {} leaks, {} false statements",
        leaks.len(),
        false_statements.len()
    );
    assert!(
        failing * 10 >= cells * 9,
        "only {failing} of {cells} faults took effect"
    );
    assert!(leaks.is_empty() && false_statements.is_empty(), "{name}");
}

macro_rules! products {
    ($($test:ident: $command:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $test() {
            judge_command(Command::$command).await;
        })*
    };
}

products! {
    release_with_any_fault_is_undone_or_reported: Release,
    undo_with_any_fault_is_completed_or_reported: UndoneRelease,
    promotion_with_any_fault_is_undone_or_reported: Promote,
    rollback_with_any_fault_is_undone_or_reported: Rollback,
    revocation_with_any_fault_can_be_completed: Revoke,
    deprecation_with_any_fault_is_undone_or_reported: Deprecate,
    disabling_with_any_fault_is_undone_or_reported: Disable,
    deregistration_with_any_fault_can_be_completed: Deregister,
    sweep_with_any_fault_can_be_completed: Sweep,
}
