//! Owns the proof that every step can be done twice, and taken back twice.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::House;
use super::faults::second;
use crate::adapters::fake::FakeCloudState;
use crate::engine::{Effects, Outputs, StepContext};
use crate::lifecycle::tags;
use crate::model::RunId;
use crate::plan::Step;
use crate::steps::Steps;

fn context(outputs: &Outputs) -> StepContext<'static> {
    StepContext {
        outputs: outputs.clone(),
        cancel: CancellationToken::new(),
        note: &|_| {},
    }
}

async fn forward(steps: &Steps, step: &Step, outputs: &Outputs) -> Value {
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

/// What counts: everything but instances that are gone and the counter behind the ids.
fn lasting(house: &House) -> FakeCloudState {
    let mut inventory = house.cloud.state(|w| w.clone());
    inventory.instances.retain(|_, i| i.status != "terminated");
    inventory.given = 0;
    inventory
}

#[tokio::test]
async fn every_step_done_twice_makes_the_same_world_and_says_the_same() {
    let house = second().await;
    let plan = house.plan("run2", false);
    let steps = house.steps(&RunId::from("run2"));
    let mut outputs = Outputs::new();
    for step in &plan.steps {
        let once = forward(&steps, step, &outputs).await;
        let inventory = lasting(&house);
        let twice = forward(&steps, step, &outputs).await;
        assert_eq!(lasting(&house), inventory, "{}", step.id);
        assert_eq!(known(&once), known(&twice), "{}", step.id);
        outputs.insert(step.id.clone(), twice);
    }
    house.assert_clean("twice");
    for (image, _) in super::IMAGES {
        let (pointer, found) = house.latest(image, "Test");
        assert_eq!(pointer, found.map(|a| a.0), "{image}");
    }
}

/// What later steps read of an output.
fn known(output: &Value) -> Vec<Option<&Value>> {
    [
        "ami", "base", "instance", "address", "group", "key_pair", "moves",
    ]
    .iter()
    .map(|key| output.get(*key))
    .collect()
}

#[tokio::test]
async fn every_undo_done_twice_brings_the_old_world_back() {
    let house = second().await;
    let start = lasting(&house);
    let plan = house.plan("run2", false);
    let steps = house.steps(&RunId::from("run2"));
    let mut outputs = Outputs::new();
    for step in &plan.steps {
        let output = forward(&steps, step, &outputs).await;
        outputs.insert(step.id.clone(), output);
    }
    for step in plan.steps.iter().rev() {
        for output in [outputs.get(&step.id), None] {
            let undone = steps.undo(step, output, &context(&outputs)).await;
            undone.unwrap_or_else(|e| panic!("{}: {}", step.id, e.one_line()));
        }
    }
    assert_eq!(lasting(&house), start);
}

#[tokio::test]
async fn a_move_refuses_when_somebody_else_moved_meanwhile() {
    let house = second().await;
    let plan = house.plan("run2", false);
    // The old base stops being what the plan saw.
    let old = house.latest("base", "Test").1.expect("a current base");
    let other = "Test=2026-11-22T12:00:00Z Prod=2026-11-22T13:00:00Z";
    house.cloud.state(|w| {
        w.images
            .get_mut(&old)
            .expect("it")
            .tags
            .insert(tags::CURRENT.to_owned(), other.to_owned())
    });
    let outcome = house.act(&plan).await;
    assert_eq!(
        outcome.kind(),
        Some(crate::error::Kind::Refused),
        "{outcome:?}"
    );
    house.assert_clean("moved meanwhile");
    house.cloud.state(|w| {
        assert_eq!(
            w.images[&old].tags[tags::CURRENT],
            other,
            "somebody else's move stays"
        )
    });
}
