//! Tests complete runs on the fakes: a small catalog, its cloud, and the invariants.

mod adopt;
mod adopt_interrupted;
mod architectures;
mod cancel;
mod capacity;
mod catalogs;
mod evidence;
mod fault_product;
mod faults;
mod fenced;
mod forty_day_simulation;
mod idempotence;
mod instance_settings;
mod invariants;
mod killed_retirement;
mod lifecycle;
mod pace;
mod polling;
mod preflight;
mod preflight_accounts;
mod resumed;
mod resumed_lagging;
mod retirement;
mod reviewed_prune;
mod sequences;
mod sessions;
mod shareable;
mod stuck;
mod sweep;
mod transitions;
mod visibility;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::Steps;
use crate::adapters::fake::{
    ACCOUNT, FakeBuilder, FakeClock, FakeCloud, FakeCloudState, LocalShell, MemoryJournal,
    MemoryStore, MemoryWorkspace,
};
use crate::catalog::{Catalog, OnFailure};
use crate::engine::event::{Event, EventSink};
use crate::engine::lock::fence::FencedCloud;
use crate::engine::outcome::Outcome;
use crate::engine::{Engine, Options, journal};
use crate::lifecycle::{Record, tags};
use crate::model::{
    Ami, AmiId, EnvName, Evidence, INVENTORY_SCHEMA, ImageName, Inventory, Location, Pointer,
    Region, RunId, State, Tags, Timestamp,
};
use crate::plan::{Plan, promote, prune, release};
use catalogs::{IMAGES, catalog, catalog_with};
use invariants::{current_images, foreign_tags, latest, violation};

/// Records all events, and can cancel a run at the n-th started step.
#[derive(Default)]
struct EventRecorder {
    events: Mutex<Vec<Event>>,
    cancel: Mutex<Option<(usize, CancellationToken)>>,
}

impl EventSink for EventRecorder {
    fn on_event(&self, event: &Event) {
        let mut events = self.events.lock().expect("no panic");
        events.push(event.clone());
        let started = events
            .iter()
            .filter(|e| matches!(e, Event::StepStarted { .. }))
            .count();
        if let Some((at, token)) = &*self.cancel.lock().expect("no panic")
            && started == *at
        {
            token.cancel();
        }
    }
}

/// Second account, which environments may name.
const OTHER: &str = "222222222222";

/// Surroundings of one run: catalog, cloud, tools and clock.
struct TestEnv {
    catalog: Arc<Catalog>,
    cloud: Arc<FakeCloud>,
    builder: Arc<FakeBuilder>,
    workspace: Arc<MemoryWorkspace>,
    store: Arc<MemoryStore>,
    journal: Arc<MemoryJournal>,
    shell: Arc<LocalShell>,
    events: Arc<EventRecorder>,
    now: Timestamp,
    clock: Arc<FakeClock>,
    options: Options,
}

fn region() -> Region {
    Region::from("eu-west-1")
}

fn test_env() -> EnvName {
    EnvName::from("Test")
}

impl TestEnv {
    /// Returns an environment with the AMI of a vendor, an AMI of another catalog, and a manual
    /// copy.
    fn new() -> Self {
        let setup = Self::with_state(
            FakeCloudState::default(),
            catalog(&[]),
            "2026-11-22T12:00:00Z",
        );
        setup.cloud.state(|state| {
            state.register(
                &region(),
                "debian-12-amd64-20261101",
                "136693071363",
                &Tags::new(),
            );
            state.register(
                &region(),
                "other/base/x86_64/20261101.1-x",
                ACCOUNT,
                &foreign_tags("other"),
            );
            state.register(&region(), "copy of base", ACCOUNT, &foreign_tags("acme"));
        });
        setup
    }

    fn with_state(state: FakeCloudState, catalog: Arc<Catalog>, now: &str) -> Self {
        let cloud = Arc::new(FakeCloud::default());
        cloud.state(|w| *w = state);
        let workspace = Arc::new(MemoryWorkspace::default());
        let builder = Arc::new(FakeBuilder::new(Arc::clone(&cloud), Arc::clone(&workspace)));
        let options = Options {
            jobs: 1,
            location_jobs: 1,
            on_failure: OnFailure::Stop,
            keep_failed: false,
            undo_patience: std::time::Duration::from_secs(300),
            interrupt: CancellationToken::new(),
        };
        let (store, journal, shell, events) = (
            Arc::default(),
            Arc::default(),
            Arc::default(),
            Arc::default(),
        );
        let now = now.parse().expect("time");
        let clock = Arc::new(FakeClock(Mutex::new(now)));
        Self {
            catalog,
            cloud,
            builder,
            workspace,
            store,
            journal,
            shell,
            events,
            now,
            clock,
            options,
        }
    }

    /// Returns the environment of the next run: the same cloud, everything else new.
    fn next_run(&self, catalog: Arc<Catalog>, now: &str) -> Self {
        let next = Self::with_state(self.cloud.state(|w| w.clone()), catalog, now);
        for ((account, region), inventory) in self.cloud.elsewhere() {
            next.cloud.open(&account, &region, inventory);
        }
        next
    }

    /// Returns the inventory that a command would load.
    fn inventory(&self) -> Inventory {
        let (images, vendor) = self.cloud.state(|w| {
            let images = w
                .own()
                .into_iter()
                .filter(|a| a.tags.get(tags::CATALOG).is_some_and(|c| c == "acme"))
                .collect();
            (
                images,
                w.images.values().find(|a| a.owner != ACCOUNT).cloned(),
            )
        });
        let pointers = |location: &Location, inventory: &FakeCloudState| -> Vec<Pointer> {
            let all = inventory.parameters.iter();
            all.map(|(name, value)| Pointer {
                location: location.clone(),
                name: name.clone(),
                value: value.clone(),
            })
            .collect()
        };
        let mut images: Vec<Ami> = images;
        let mut parameters = self.cloud.state(|w| {
            pointers(
                &Location {
                    account: None,
                    region: region(),
                },
                w,
            )
        });
        for ((account, region), inventory) in self.cloud.elsewhere() {
            images.extend(
                inventory
                    .images
                    .values()
                    .filter(|a| a.owner == account)
                    .cloned(),
            );
            let location = Location {
                account: (account != ACCOUNT).then_some(account),
                region,
            };
            parameters.extend(pointers(&location, &inventory));
        }
        Inventory {
            schema: INVENTORY_SCHEMA,
            captured_at: self.now,
            account: ACCOUNT.to_owned(),
            caller: "arn:aws:iam::123456789012:user/test".to_owned(),
            commit: None,
            images,
            skipped: BTreeMap::new(),
            sources: BTreeMap::from([(ImageName::from("base"), vendor)]),
            references: self.cloud.state(|w| w.uses()),
            evidence: Evidence::default(),
            parameters,
            unreachable: Vec::new(),
            unread_references: Vec::new(),
        }
    }

    fn steps(&self, run: &RunId) -> Steps {
        Steps {
            keep_failed: self.options.keep_failed,
            others: BTreeMap::from([(
                OTHER.to_owned(),
                FencedCloud::new(Arc::new(self.cloud.for_account(OTHER)), None),
            )]),
            catalog: Arc::clone(&self.catalog),
            run: run.clone(),
            attempt: 0,
            expires: self.now + jiff::SignedDuration::from_hours(12),
            account: ACCOUNT.to_owned(),
            cloud: FencedCloud::new(Arc::clone(&self.cloud) as _, None),
            builder: Arc::clone(&self.builder) as _,
            shell: Arc::clone(&self.shell) as _,
            workspace: Arc::clone(&self.workspace) as _,
            store: Arc::clone(&self.store) as _,
            clock: Arc::clone(&self.clock) as _,
            endpoint: None,
            program: "/usr/bin/bakeline".into(),
            commit: None,
            shares: super::Shares::default(),
            copies: super::LocationCopies::default(),
            launches: super::LaunchGrants::default(),
            creations: super::Creations::default(),
            parameter_references: super::references::ParameterReferences::default(),
        }
    }

    async fn execute(&self, plan: &Plan) -> Outcome {
        let engine = Engine {
            effects: fenced::locked_effects(self.steps(&plan.run)),
            journal: Arc::clone(&self.journal) as _,
            clock: Arc::clone(&self.clock) as _,
            events: Arc::clone(&self.events) as _,
        };
        engine.run(plan, &self.options).await
    }

    fn release_plan(&self, run: &str, force: bool) -> Plan {
        let request = release::ReleaseRequest {
            images: Vec::new(),
            force,
            run: RunId::from(run),
        };
        release::plan_release(&self.catalog, &self.inventory(), &request)
    }

    async fn release(&self, run: &str) -> Outcome {
        self.execute(&self.release_plan(run, false)).await
    }

    async fn promote(&self, run: &str, image: &str) -> Outcome {
        let plan = promote::plan_promotion(
            &self.catalog,
            &self.inventory(),
            &[ImageName::from(image)],
            &"Prod".into(),
            RunId::from(run),
        );
        assert_eq!(plan.steps.len(), 2, "{:?}", plan.decisions);
        self.execute(&plan).await
    }

    async fn prune(&self, run: &str, keep: u32) -> Outcome {
        let options = prune::PruneOptions {
            keep: Some(keep),
            shared_ok: false,
        };
        self.execute(
            &prune::plan_prune(&self.catalog, &self.inventory(), &options, RunId::from(run)).1,
        )
        .await
    }

    /// Returns the current AMI by pointer and by tags.
    fn latest(&self, image: &str, env: &str) -> (Option<String>, Option<AmiId>) {
        self.cloud.state(|w| latest(w, image, &env.into()))
    }

    /// Checks the invariants after every call.
    fn watch_invariants(&self) {
        let (workspace, before) = (Arc::clone(&self.workspace), self.cloud.state(|w| w.clone()));
        let current = current_images(&before);
        self.cloud
            .watch(move |state| violation((&before, &current), state, &workspace));
    }

    /// Asserts that a run left no temporary resources.
    fn assert_clean(&self, context: &str) {
        assert_eq!(self.cloud.violations(), Vec::<String>::new(), "{context}");
        self.cloud.state(|state| {
            assert_eq!(state.temporary(), Vec::<String>::new(), "{context}");
            assert!(
                state.orphans().is_empty(),
                "{context}: {:?}",
                state.orphans()
            );
            let own = state.own();
            for record in Record::read_all_published(&own, &"acme".into()) {
                assert_ne!(
                    record.state,
                    State::Candidate,
                    "{context}: {} {}",
                    record.image,
                    record.version
                );
                assert!(
                    !record.ami.tags.contains_key(tags::EXPIRES),
                    "{context}: a released AMI has an expiry"
                );
            }
            let untagged: Vec<&Ami> = own
                .iter()
                .filter(|a| a.name.starts_with("acme/") && !a.tags.contains_key(tags::SELF))
                .collect();
            assert!(untagged.is_empty(), "{context}: {untagged:?}");
        });
        assert!(journal::read(&self.journal.text()).is_ok(), "{context}");
        let files = self.workspace.files.lock().expect("no panic");
        let has_key = files.keys().any(|path| path.ends_with("/key"));
        assert!(!has_key, "{context}: a private key remains");
    }
}
