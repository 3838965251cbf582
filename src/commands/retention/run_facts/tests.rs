//! Tests of the facts about past runs.

use super::*;
use crate::adapters::fake::{MemoryJournal, MemoryStore};
use crate::engine::journal::{Phase, record_phases};
use crate::model::{AmiId, Region, Timestamp};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Step, StepId};

const AMI_NAME: &str = "acme/jdk/x86_64/20261122.1-r1";

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
        ami_name: AMI_NAME.to_owned(),
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
            .put(&keys::journal_line(&catalog, &run, seq), line.as_bytes())
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
    stored_runs(catalog, store, &[resource(AMI_NAME, &[])])
        .await
        .expect("read")
        .remove(run)?
        .planned_amis
        .remove(AMI_NAME)
}

/// Returns an AMI with this name and these tags.
fn resource(name: &str, tags: &[(&str, &str)]) -> TemporaryResource {
    let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    TemporaryResource {
        kind: TemporaryKind::Image,
        id: "ami-1".to_owned(),
        name: name.to_owned(),
        region: Region::from("eu-west-1"),
        account: None,
        tags: tags.collect(),
        used: false,
    }
}

/// Replaces the lines of a journal by one object, as the end of a run does.
async fn pack(store: &MemoryStore, catalog: &CatalogName, run: &RunId) {
    let mut text = Vec::new();
    let prefix = format!("{}/journal", keys::run(catalog, run));
    for key in store.list(&prefix).await.expect("listed") {
        text.extend(store.get(&key).await.expect("read").expect("a line"));
        store.delete(&key).await.expect("deleted");
    }
    let key = keys::journal(catalog, run);
    store.put(&key, &text).await.expect("stored");
}

#[tokio::test]
async fn journal_is_read_from_lines_and_from_one_object() {
    for (phases, kept) in [
        (vec![Phase::Started, Phase::Failed], false),
        (vec![Phase::Started, Phase::Succeeded], true),
    ] {
        let (store, catalog, run) = store_run(&phases).await;
        let lines = kept_reason(&store, &catalog, &run).await;
        pack(&store, &catalog, &run).await;
        let packed = kept_reason(&store, &catalog, &run).await;
        assert_eq!(lines, packed);
        assert_eq!(packed.expect("a known AMI").is_some(), kept, "{phases:?}");
    }
}

#[tokio::test]
async fn sweep_after_a_thousand_runs_needs_as_many_requests_as_after_ten() {
    let mut requests = Vec::new();
    for runs in [10, 1_000] {
        let (store, catalog, run) = store_run(&[Phase::Started]).await;
        for n in 0..runs {
            let other = RunId::from(format!("{n:06}").as_str());
            for key in [keys::plan(&catalog, &other), keys::report(&catalog, &other)] {
                store.put(&key, b"{}").await.expect("stored");
            }
        }
        let things = [
            resource(AMI_NAME, &[]),
            resource("x", &[(tags::RUN, "000003")]),
            resource("x", &[(tags::RUN, "unknown")]),
            resource("x", &[(tags::RUN, "../runs")]),
            resource("acme/jdk/x86_64/by-hand", &[]),
        ];
        let before = store.reads();
        let found = stored_runs(&catalog, &store, &things).await.expect("read");
        requests.push(store.reads() - before);
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            [&RunId::from("000003"), &run]
        );
    }
    assert_eq!(requests[0], requests[1]);
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
        .delete(&keys::journal_line(&catalog, &run, 2))
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
