//! Tests that every step can be performed twice and undone twice.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::TestEnv;
use super::faults::second_release;
use crate::adapters::fake::FakeCloudState;
use crate::engine::{Effects, Outputs, StepContext, StepOutput};
use crate::lifecycle::tags;
use crate::model::{RunId, Timestamp};
use crate::plan::Step;
use crate::steps::Steps;

fn context(outputs: &Outputs) -> StepContext<'static> {
    StepContext {
        outputs: outputs.clone(),
        started: Timestamp::UNIX_EPOCH,
        cancel: CancellationToken::new(),
        note: &|_| {},
    }
}

async fn run_step(steps: &Steps, step: &Step, outputs: &Outputs) -> StepOutput {
    let found = steps
        .probe(step, &context(outputs))
        .await
        .unwrap_or_else(|e| panic!("{}: {}", step.id, e.one_line()));
    match found {
        Some(output) => output,
        None => steps
            .perform(step, &context(outputs))
            .await
            .unwrap_or_else(|e| panic!("{}: {}", step.id, e.one_line())),
    }
}

/// Returns the state without terminated instances and the ID counter.
fn lasting_state(setup: &TestEnv) -> FakeCloudState {
    let mut inventory = setup.cloud.state(|w| w.clone());
    inventory.instances.retain(|_, i| i.status != "terminated");
    inventory.given = 0;
    inventory
}

#[tokio::test]
async fn repeated_steps_have_same_effect_and_output() {
    let setup = second_release().await;
    let plan = setup.release_plan("run2", false);
    let steps = setup.steps(&RunId::from("run2"));
    let mut outputs = Outputs::default();
    for step in &plan.steps {
        let once = run_step(&steps, step, &outputs).await;
        let inventory = lasting_state(&setup);
        let twice = run_step(&steps, step, &outputs).await;
        assert_eq!(lasting_state(&setup), inventory, "{}", step.id);
        assert_eq!(read_values(&once), read_values(&twice), "{}", step.id);
        outputs.insert(step.id.clone(), twice);
    }
    setup.assert_clean("twice");
    for (image, _) in super::IMAGES {
        let (pointer, found) = setup.latest(image, "Test");
        assert_eq!(pointer, found.map(|a| a.0), "{image}");
    }
}

/// Returns the values that later steps read from an output.
fn read_values(output: &StepOutput) -> Vec<Option<Value>> {
    let output = output.to_json();
    [
        "ami", "base", "instance", "address", "group", "key_pair", "moves",
    ]
    .map(|key| output.get(key).cloned())
    .to_vec()
}

#[tokio::test]
async fn repeated_undo_restores_previous_state() {
    let setup = second_release().await;
    let start = lasting_state(&setup);
    let plan = setup.release_plan("run2", false);
    let steps = setup.steps(&RunId::from("run2"));
    let mut outputs = Outputs::default();
    for step in &plan.steps {
        let output = run_step(&steps, step, &outputs).await;
        outputs.insert(step.id.clone(), output);
    }
    for step in plan.steps.iter().rev() {
        for output in [outputs.get(&step.id), None] {
            let undone = steps.undo(step, output, &context(&outputs)).await;
            undone.unwrap_or_else(|e| panic!("{}: {}", step.id, e.one_line()));
        }
    }
    assert_eq!(lasting_state(&setup), start);
}

#[tokio::test]
async fn move_refuses_concurrent_move() {
    let setup = second_release().await;
    let plan = setup.release_plan("run2", false);
    // The old base no longer matches the plan.
    let old = setup.latest("base", "Test").1.expect("a current base");
    let other = "Test=2026-11-22T12:00:00Z Prod=2026-11-22T13:00:00Z";
    setup.cloud.state(|w| {
        w.images
            .get_mut(&old)
            .expect("it")
            .tags
            .insert(tags::CURRENT.to_owned(), other.to_owned())
    });
    let outcome = setup.execute(&plan).await;
    assert_eq!(
        outcome.kind(),
        Some(crate::error::ErrorKind::Refused),
        "{outcome:?}"
    );
    setup.assert_clean("concurrent move");
    setup.cloud.state(|w| {
        assert_eq!(
            w.images[&old].tags[tags::CURRENT],
            other,
            "the concurrent move stays"
        )
    });
}
