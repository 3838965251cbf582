//! Owns the tests of whole runs on the fakes: a small organisation's catalog, its cloud, and what must always hold.

mod again;
mod cancel;
mod evidence;
mod faults;
mod fenced;
mod forty_nights;
mod guard;
mod ladder;
mod life;
mod stuck;
mod sweep;
mod visits;
mod waits;
mod way_killed;
mod way_out;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::Steps;
use crate::adapters::assets;
use crate::adapters::fake::{
    ACCOUNT, FakeBuilder, FakeClock, FakeCloud, FakeCloudState, LocalShell, MemoryJournal,
    MemoryStore, MemoryWorkspace,
};
use crate::catalog::{Catalog, OnFailure, load};
use crate::engine::event::{Event, Listener};
use crate::engine::outcome::Outcome;
use crate::engine::{Engine, Options, journal};
use crate::lifecycle::{Record, tags};
use crate::model::{
    Ami, AmiId, EnvName, Evidence, INVENTORY_SCHEMA, ImageName, Inventory, Location, Pointer,
    Region, RunId, State, Tags, Timestamp,
};
use crate::plan::{Plan, promote, prune, release};
use guard::{foreign, guard, latest};

/// Lineage base <- a <- b and base <- z.
const IMAGES: [(&str, &str); 4] = [
    (
        "base",
        "source: {owner: \"136693071363\", name: debian-12-*}\nchecks:\n  - {file: /etc/passwd}\n",
    ),
    ("a", "parent: base\npackages: [curl]\n"),
    ("b", "parent: a\nchecks:\n  - {file: /etc/group}\n"),
    ("z", "parent: base\n"),
];

/// A catalog with these image files instead of, or beside, those above.
fn catalog(changed: &[(&str, &str)]) -> Arc<Catalog> {
    // One run goes the whole way out; what waiting does has tests of its own.
    let at_once = "retention: {keep: 3, disable_after: 0s, deregister_after: 0s}";
    catalog_with(
        &format!("name: acme\nregions: [eu-west-1]\n{at_once}\n"),
        changed,
    )
}

/// The same with other settings.
fn catalog_with(settings: &str, changed: &[(&str, &str)]) -> Arc<Catalog> {
    let mut files: BTreeMap<String, Vec<u8>> = assets::shipped_paths()
        .into_iter()
        .filter_map(|p| Some((p.clone(), assets::shipped(&p)?.into_owned())))
        .collect();
    files.insert("bakeline.yaml".to_owned(), settings.as_bytes().to_vec());
    for (name, text) in IMAGES.iter().chain(changed) {
        files.insert(format!("images/{name}.yaml"), text.as_bytes().to_vec());
    }
    let (catalog, findings) = load(&files);
    assert!(findings.is_empty(), "{findings:?}");
    Arc::new(catalog.expect("a sound catalog"))
}

/// Hears everything, and may cancel at the n-th step that starts.
#[derive(Default)]
struct Ears {
    events: Mutex<Vec<Event>>,
    cancel: Mutex<Option<(usize, CancellationToken)>>,
}

impl Listener for Ears {
    fn hear(&self, event: &Event) {
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

/// Another account that environments may name.
const OTHER: &str = "222222222222";

/// One run's surroundings.
struct House {
    catalog: Arc<Catalog>,
    cloud: Arc<FakeCloud>,
    builder: Arc<FakeBuilder>,
    workspace: Arc<MemoryWorkspace>,
    store: Arc<MemoryStore>,
    journal: Arc<MemoryJournal>,
    shell: Arc<LocalShell>,
    ears: Arc<Ears>,
    now: Timestamp,
    options: Options,
}

fn region() -> Region {
    Region::from("eu-west-1")
}

fn test_env() -> EnvName {
    EnvName::from("Test")
}

impl House {
    /// A cloud with the vendor's AMI, another catalog's AMI, and a copy made by hand.
    fn new() -> Self {
        let house = Self::over(
            FakeCloudState::default(),
            catalog(&[]),
            "2026-11-22T12:00:00Z",
        );
        house.cloud.state(|state| {
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
                &foreign("other"),
            );
            state.register(&region(), "copy of base", ACCOUNT, &foreign("acme"));
        });
        house
    }

    fn over(inventory: FakeCloudState, catalog: Arc<Catalog>, now: &str) -> Self {
        let cloud = Arc::new(FakeCloud::default());
        cloud.state(|w| *w = inventory);
        let workspace = Arc::new(MemoryWorkspace::default());
        let builder = Arc::new(FakeBuilder::new(Arc::clone(&cloud), Arc::clone(&workspace)));
        let options = Options {
            jobs: 1,
            on_failure: OnFailure::Stop,
            keep_failed: false,
            interrupt: CancellationToken::new(),
        };
        let (store, journal, shell, ears) = (
            Arc::default(),
            Arc::default(),
            Arc::default(),
            Arc::default(),
        );
        let now = now.parse().expect("time");
        Self {
            catalog,
            cloud,
            builder,
            workspace,
            store,
            journal,
            shell,
            ears,
            now,
            options,
        }
    }

    /// The same inventory in the next run, with everything else fresh.
    fn next(&self, catalog: Arc<Catalog>, now: &str) -> Self {
        let next = Self::over(self.cloud.state(|w| w.clone()), catalog, now);
        for ((account, region), inventory) in self.cloud.elsewhere() {
            next.cloud.open(&account, &region, inventory);
        }
        next
    }

    /// What gathering would answer.
    fn facts(&self) -> Inventory {
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
            sources: BTreeMap::from([(ImageName::from("base"), vendor)]),
            references: self.cloud.state(|w| w.uses()),
            evidence: Evidence::default(),
            parameters,
            unreachable: Vec::new(),
        }
    }

    fn steps(&self, run: &RunId) -> Steps {
        Steps {
            keep_failed: false,
            others: BTreeMap::from([(
                OTHER.to_owned(),
                Arc::new(self.cloud.seen_from(OTHER)) as _,
            )]),
            catalog: Arc::clone(&self.catalog),
            run: run.clone(),
            expires: self.now + jiff::SignedDuration::from_hours(12),
            cloud: Arc::clone(&self.cloud) as _,
            builder: Arc::clone(&self.builder) as _,
            shell: Arc::clone(&self.shell) as _,
            workspace: Arc::clone(&self.workspace) as _,
            store: Arc::clone(&self.store) as _,
            clock: Arc::new(FakeClock(Mutex::new(self.now))),
            endpoint: None,
            program: "/usr/bin/bakeline".into(),
            commit: None,
            shares: super::Shares::default(),
            parameter_references: super::references::ParameterReferences::default(),
        }
    }

    async fn act(&self, plan: &Plan) -> Outcome {
        let engine = Engine {
            effects: Arc::new(self.steps(&plan.run)),
            journal: Arc::clone(&self.journal) as _,
            clock: Arc::new(FakeClock(Mutex::new(self.now))),
            listener: Arc::clone(&self.ears) as _,
        };
        engine.run(plan, &self.options).await
    }

    fn plan(&self, run: &str, force: bool) -> Plan {
        let request = release::ReleaseRequest {
            images: Vec::new(),
            force,
            run: RunId::from(run),
        };
        release::plan_release(&self.catalog, &self.facts(), &request)
    }

    async fn release(&self, run: &str) -> Outcome {
        self.act(&self.plan(run, false)).await
    }

    async fn promote(&self, run: &str, image: &str) -> Outcome {
        let plan = promote::plan_promotion(
            &self.catalog,
            &self.facts(),
            &[ImageName::from(image)],
            &"Prod".into(),
            RunId::from(run),
        );
        assert_eq!(plan.steps.len(), 2, "{:?}", plan.decisions);
        self.act(&plan).await
    }

    async fn prune(&self, run: &str, keep: u32) -> Outcome {
        let wish = prune::PruneOptions {
            keep: Some(keep),
            shared_ok: false,
        };
        self.act(&prune::plan_prune(&self.catalog, &self.facts(), &wish, RunId::from(run)).1)
            .await
    }

    /// What a lookup answers from tags, and what it answers from the pointer.
    fn latest(&self, image: &str, env: &str) -> (Option<String>, Option<AmiId>) {
        self.cloud.state(|w| latest(w, image, &env.into()))
    }

    /// What must hold between any two calls and after any run.
    fn stand_guard(&self) {
        let (workspace, before) = (Arc::clone(&self.workspace), self.cloud.state(|w| w.clone()));
        self.cloud
            .watch(move |state| guard(&before, state, &workspace));
    }

    /// What must hold after a run that is not stuck.
    fn assert_clean(&self, context: &str) {
        assert_eq!(self.cloud.seen(), Vec::<String>::new(), "{context}");
        self.cloud.state(|state| {
            assert_eq!(state.temporary(), Vec::<String>::new(), "{context}");
            assert!(
                state.orphans().is_empty(),
                "{context}: {:?}",
                state.orphans()
            );
            let own = state.own();
            for record in Record::read_all(&own, &"acme".into()) {
                assert_ne!(
                    record.state,
                    State::Candidate,
                    "{context}: {} {}",
                    record.image,
                    record.version
                );
                assert!(
                    !record.ami.tags.contains_key(tags::EXPIRES),
                    "{context}: a released AMI does not expire"
                );
            }
            let untagged: Vec<&Ami> = own
                .iter()
                .filter(|a| a.name.starts_with("acme/") && !a.tags.contains_key(tags::SELF))
                .collect();
            assert!(untagged.is_empty(), "{context}: {untagged:?}");
        });
        assert!(journal::read(&self.journal.text()).is_ok(), "{context}");
        let keys = self
            .workspace
            .files
            .lock()
            .expect("no panic")
            .keys()
            .any(|k| k.ends_with("/key"));
        assert!(!keys, "{context}: a private key is left");
    }
}
