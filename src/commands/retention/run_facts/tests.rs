//! Tests of the facts about past runs.

use super::*;
use crate::adapters::fake::{MemoryJournal, MemoryStore};
use crate::engine::journal::{Phase, record_phases};
use crate::model::{AmiId, Region, Timestamp};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Step, StepId};

/// Writes a run to a store: a plan with one build, and a journal with these phases.
async fn store_run(phases: &[Phase]) -> (MemoryStore, CatalogName, RunId) {
    let (store, catalog, run) = (
        MemoryStore::default(),
        CatalogName::from("acme"),
        RunId::from("r1"),
    );
    let id: StepId = "jdk/build".parse().expect("a step ID");
    let action = Action::Build {
        image: "jdk".into(),
        version: "20261122.1".parse().expect("a version"),
        ami_name: "acme/jdk".to_owned(),
        base: AmiRef::Known(AmiId::from("ami-1")),
        tags: BTreeMap::new(),
    };
    let (scope, region) = (id.scope.clone(), Region::from("eu-west-1"));
    let (account, needs, reason) = (None, Vec::new(), String::new());
    let steps = vec![Step {
        id: id.clone(),
        scope,
        region,
        account,
        needs,
        reason,
        action,
    }];
    let made = Timestamp::UNIX_EPOCH;
    let plan = Plan {
        schema: PLAN_SCHEMA,
        run: run.clone(),
        decided_at: made,
        decisions: Vec::new(),
        steps,
    };
    store
        .put(
            &keys::plan(&catalog, &run),
            &serde_json::to_vec(&plan).expect("JSON"),
        )
        .await
        .expect("stored");
    let journal = MemoryJournal::default();
    record_phases(&journal, &id, phases);
    let text = journal.text();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (seq, line) in (1..).zip(&lines) {
        store
            .put(&keys::journal(&catalog, &run, seq), line.as_bytes())
            .await
            .expect("stored");
    }
    (store, catalog, run)
}

/// Returns the reason to keep the AMI: outer `None` for an unknown AMI, inner `None` for no
/// reason.
async fn kept_reason(
    store: &MemoryStore,
    catalog: &CatalogName,
    run: &RunId,
) -> Option<Option<String>> {
    let all = store.list(&keys::runs(catalog)).await.expect("listed");
    let keys = BTreeMap::from([(run.clone(), all)]);
    planned_builds(catalog, store, &keys, &["acme/jdk"])
        .await
        .expect("read")
        .remove(run)?
        .remove("acme/jdk")
}

#[tokio::test]
async fn run_record_tells_if_the_build_finished() {
    let (store, catalog, run) =
        store_run(&[Phase::Started, Phase::Failed, Phase::UndoStarted]).await;
    assert_eq!(
        kept_reason(&store, &catalog, &run).await,
        Some(None),
        "the build never finished"
    );
    store
        .delete(&keys::journal(&catalog, &run, 2))
        .await
        .expect("deleted");
    let why = kept_reason(&store, &catalog, &run)
        .await
        .flatten()
        .expect("a reason");
    assert!(why.contains("cannot be read"), "a line is missing: {why}");
    let (store, catalog, run) = store_run(&[Phase::Started, Phase::Succeeded]).await;
    assert!(
        kept_reason(&store, &catalog, &run)
            .await
            .flatten()
            .is_some_and(|why| why.contains("finished"))
    );
    let (store, catalog, run) = store_run(&[]).await;
    assert!(
        kept_reason(&store, &catalog, &run)
            .await
            .flatten()
            .is_some_and(|why| why.contains("no record"))
    );
    assert_eq!(
        kept_reason(&MemoryStore::default(), &catalog, &run).await,
        None,
        "no run built it"
    );
}
