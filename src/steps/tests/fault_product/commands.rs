//! Prepares the cloud for each command and runs the command.

use std::collections::BTreeMap;

use super::statements::printed_lines;
use crate::adapters::fake::{ACCOUNT, FakeCloudState, FakeGroup, FakeInstance};
use crate::engine::outcome::Outcome;
use crate::lifecycle::sweep::SweepRules;
use crate::lifecycle::{sharing, tags};
use crate::model::{
    ImageName, InstanceId, Location, Region, RunId, Sharing, SnapshotId, Tags, TemporaryKind,
    TemporaryResource,
};
use crate::plan::prune::{PruneOptions, plan_prune};
use crate::plan::sweep::plan_sweep;
use crate::plan::{Plan, promote, release, revoke, rollback};
use crate::ports::{Clock as _, CloudResult, ResourceReader as _, TemporaryQuery};
use crate::steps::tests::faults::second_release;
use crate::steps::tests::killed_retirement::{at_time, two_versions as retirable_versions};
use crate::steps::tests::lifecycle::{promote_two_versions, two_versions, version};
use crate::steps::tests::{OTHER, TestEnv, region};

/// Command whose calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Release,
    /// A release whose instance accepts no login, so that it is undone.
    UndoneRelease,
    Promote,
    Rollback,
    Revoke,
    Deprecate,
    Disable,
    Deregister,
    Sweep,
}

/// A finished run with its plan and the lines that it printed.
pub(super) struct FinishedRun {
    pub(super) plan: Plan,
    pub(super) outcome: Outcome,
    pub(super) lines: Vec<String>,
}

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::UndoneRelease => "undone release",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Revoke => "revoke",
            Self::Deprecate => "prune, deprecate",
            Self::Disable => "prune, disable",
            Self::Deregister => "prune, deregister",
            Self::Sweep => "sweep",
        }
    }

    /// Returns the time of the command.
    fn time(self) -> &'static str {
        match self {
            Self::Release | Self::UndoneRelease => "2026-11-23T12:00:00Z",
            Self::Deprecate => "2026-11-24T12:00:00Z",
            Self::Disable => "2026-11-25T12:00:00Z",
            Self::Deregister => "2026-11-26T12:00:00Z",
            Self::Promote | Self::Rollback | Self::Revoke | Self::Sweep => "2026-11-28T12:00:00Z",
        }
    }

    /// Prepares the cloud.
    pub(super) async fn prepare(self) -> TestEnv {
        match self {
            Self::Release | Self::UndoneRelease => second_release().await,
            Self::Promote => two_versions().await,
            Self::Rollback | Self::Revoke => promote_two_versions().await,
            Self::Deprecate => retirable_versions().await,
            Self::Disable => pruned(Self::Deprecate, &retirable_versions().await).await,
            Self::Deregister => {
                let deprecated = pruned(Self::Deprecate, &retirable_versions().await).await;
                pruned(Self::Disable, &deprecated).await
            }
            Self::Sweep => {
                let setup = promote_two_versions().await;
                let places = [(ACCOUNT, "eu-west-1"), (OTHER, "us-east-1")];
                for (number, (account, there)) in places.into_iter().enumerate() {
                    let there = Region::from(there);
                    setup.cloud.state_at(account, &there, |state| {
                        leave_resources(state, &there, account, number);
                    });
                }
                setup
            }
        }
    }

    /// Returns the environment of a run on a copy of the cloud.
    pub(super) fn copy_of(self, start: &TestEnv) -> TestEnv {
        let mut setup = at_time(start, self.time());
        setup.options.on_failure = crate::catalog::OnFailure::Continue;
        *setup.shell.deaf.lock().expect("no panic") = self == Self::UndoneRelease;
        setup
    }

    /// Runs the command. Returns the error of a read before the first step.
    pub(super) async fn run(self, setup: &TestEnv, run: &str) -> CloudResult<FinishedRun> {
        let (catalog, inventory) = (&setup.catalog, setup.inventory());
        let base = ImageName::from("base");
        let run = RunId::from(run);
        let plan = match self {
            Self::Release | Self::UndoneRelease => {
                let request = release::ReleaseRequest {
                    images: Vec::new(),
                    force: false,
                    run,
                };
                release::plan_release(catalog, &inventory, &request)
            }
            Self::Promote => {
                promote::plan_promotion(catalog, &inventory, &[base], &"Prod".into(), run)
            }
            Self::Rollback => {
                let image = &catalog.images[&base];
                let (env, to) = ("Prod".into(), Some(version(1)));
                rollback::plan_rollback(catalog, &inventory, image, &env, to, run)
            }
            Self::Revoke => revoke::plan_revocation(catalog, &inventory, &base, version(2), run),
            Self::Deprecate | Self::Disable | Self::Deregister => {
                let options = PruneOptions {
                    keep: None,
                    shared_ok: true,
                };
                plan_prune(catalog, &inventory, &options, run).1
            }
            Self::Sweep => return sweep(setup, run).await,
        };
        Ok(execute(setup, plan).await)
    }
}

async fn execute(setup: &TestEnv, plan: Plan) -> FinishedRun {
    let outcome = setup.execute(&plan).await;
    let lines = printed_lines(&setup.events.events.lock().expect("no panic"), &outcome);
    FinishedRun {
        plan,
        outcome,
        lines,
    }
}

async fn pruned(stage: Command, setup: &TestEnv) -> TestEnv {
    let setup = stage.copy_of(setup);
    let ran = stage.run(&setup, "stage").await.expect("no read");
    assert_eq!(ran.outcome.kind(), None, "{:?}", ran.outcome);
    setup
}

/// Removes the resources of dead runs at all locations.
pub(super) async fn sweep(setup: &TestEnv, run: RunId) -> CloudResult<FinishedRun> {
    let query = TemporaryQuery {
        owner: (tags::CATALOG.to_owned(), "acme".to_owned()),
        prefix: "acme/".to_owned(),
    };
    let mut places = vec![(ACCOUNT.to_owned(), region())];
    places.extend(setup.cloud.elsewhere().into_keys());
    let mut found: Vec<TemporaryResource> = Vec::new();
    for (account, there) in places {
        let (cloud, account) = if account == ACCOUNT {
            (setup.cloud.temporaries(&there, &query).await?, None)
        } else {
            let cloud = setup.cloud.for_account(&account);
            (cloud.temporaries(&there, &query).await?, Some(account))
        };
        let location = Location {
            account,
            region: there,
        };
        found.extend(cloud.into_iter().map(|one| TemporaryResource {
            account: location.account.clone(),
            ..one
        }));
    }
    let images = found.iter().filter(|one| one.kind == TemporaryKind::Image);
    let permissions: Vec<_> = images.flat_map(sharing::copy_permissions).collect();
    found.extend(permissions);
    let (runs, references) = (BTreeMap::new(), BTreeMap::new());
    let rules = SweepRules {
        catalog: &setup.catalog.settings.name,
        home: setup.catalog.settings.home(),
        now: setup.clock.now(),
        runs: &runs,
        references: &references,
        packer_leftovers: false,
    };
    let plan = plan_sweep(&rules.find_leftovers(&found), run, setup.now);
    Ok(execute(setup, plan).await)
}

/// Adds one resource of each kind that a dead run can leave.
fn leave_resources(state: &mut FakeCloudState, there: &Region, account: &str, number: usize) {
    let left: Tags = [
        (tags::CATALOG, "acme"),
        (tags::RUN, "dead"),
        (tags::IMAGE, "base"),
        (tags::EXPIRES, "2026-11-27T12:00:00Z"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let name = format!("bakeline-dead-base-{number}");
    let group = state.id("sg");
    let candidate = state.register(there, &format!("acme/base/x86_64/{name}"), account, &left);
    let candidate_tags = [
        (tags::SELF, candidate.as_str()),
        (tags::STATE, "candidate"),
        (tags::SCHEMA, "1"),
    ];
    let candidate_tags = candidate_tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    if let Some(ami) = state.images.get_mut(&candidate) {
        ami.tags.extend(candidate_tags);
    }
    let snapshot = SnapshotId(state.id("snap"));
    state.snapshots.insert(snapshot, left.clone());
    let instance = FakeInstance {
        ami: candidate,
        instance_type: String::new(),
        subnet: None,
        status: "running".to_owned(),
        group: group.clone(),
        token: name.clone(),
        tags: left.clone(),
    };
    let id = InstanceId(state.id("i"));
    state.instances.insert(id, instance);
    let tags = left.clone();
    let named = FakeGroup {
        name: name.clone(),
        tags,
    };
    state.groups.insert(group, named);
    state.key_pairs.insert(name, left);
    if account != ACCOUNT {
        return;
    }
    let shared = state.images.values_mut().find(|ami| {
        ami.tags.get(tags::SELF) == Some(&ami.id.0) && ami.tags.contains_key(tags::CURRENT)
    });
    let shared = shared.expect("a current AMI");
    let record = "all run=dead expires=2026-11-27T12:00:00Z".to_owned();
    shared.tags.insert(sharing::tag_key(OTHER), record);
    let (id, snapshots) = (
        shared.id.clone(),
        shared.snapshots.iter().cloned().collect(),
    );
    let granted = Sharing {
        image: true,
        snapshots,
    };
    state.share(&id, &granted, OTHER, true);
}
