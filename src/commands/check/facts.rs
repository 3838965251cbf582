//! Owns how the facts of each kind of target are come by, and reading those that were kept.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::subject::{self, Subject};
use super::target::Target;
use crate::adapters::{local, ssh::OpenSsh, system};
use crate::catalog::{Access, OnFailure};
use crate::checks::{self, CollectOptions, Control, Facts, Phase};
use crate::cli::{Check as Args, InventoryArgs};
use crate::commands::{context, gather, lock, report, run};
use crate::error::{Error, Kind, Result};
use crate::model::{AmiId, InstanceId, Region};
use crate::plan;
use crate::ports::{Bounds, ImageQuery, SshConfig, Target as Machine, Trust, Workspace as _};
use crate::steps::check::{CheckReport, evidence_file};
use crate::steps::collect::{collect, nonce};

/// Facts, and what they were of.
pub(super) struct Found {
    pub(super) facts: Facts,
    /// The phase they were collected for; none where that was not written down.
    pub(super) phase: Option<Phase>,
    pub(super) took: Duration,
}

/// Collects from a target what the subject's controls of a phase need.
///
/// # Errors
/// The target can't be reached or asked, or its answer is incomplete.
pub(super) async fn of(
    dir: &Path,
    args: &Args,
    subject: &Subject,
    target: &Target,
    phase: Phase,
) -> Result<Found> {
    let cancel = system::interrupt();
    let controls = subject.loaded.catalog.controls(&subject.image);
    let bounds = bounds(args);
    let (facts, took) = match target {
        Target::Local => here(&controls, (None, phase), bounds, &cancel).await?,
        Target::Directory(path) => {
            let root = system::folder(Path::new(path))
                .map_err(|e| Error::input("the root file system can't be opened").because(e))?;
            here(&controls, (Some(&root), phase), bounds, &cancel).await?
        }
        Target::Ssh { user, host, port } => {
            let machine = machine(args, host.clone(), user.clone(), *port);
            collect(&OpenSsh, &machine, (&controls, phase), bounds, &cancel).await?
        }
        Target::Instance(id) => {
            subject::own(dir)?;
            let machine = instance(args, subject, id).await?;
            collect(&OpenSsh, &machine, (&controls, phase), bounds, &cancel).await?
        }
        Target::Ami(id) => {
            subject::own(dir)?;
            return Box::pin(booted(args, subject, id)).await;
        }
    };
    Ok(Found {
        facts,
        phase: Some(phase),
        took,
    })
}

fn bounds(args: &Args) -> Bounds {
    let bytes = usize::try_from(args.max_mebibytes << 20).unwrap_or(usize::MAX);
    Bounds {
        time: Duration::from_secs(args.max_seconds),
        bytes,
        ..Bounds::UP
    }
}

/// This machine, as root; or a directory on it, as we are.
async fn here(
    controls: &[&Control],
    (root, phase): (Option<&str>, Phase),
    bounds: Bounds,
    cancel: &CancellationToken,
) -> Result<(Facts, Duration)> {
    let nonce = nonce();
    let script = checks::collector(
        controls,
        CollectOptions {
            nonce: &nonce,
            root,
            phase,
            seal: false,
        },
    );
    let answer = local::run(&script, root.is_none(), bounds, cancel)
        .await
        .map_err(Error::from)?;
    let facts = checks::parse_concealed_facts(&nonce, &answer.out, &answer.last, controls)
        .map_err(|e| Error::new(Kind::StepFailed, "the facts are incomplete").because(e))?;
    Ok((facts, answer.took))
}

/// A machine that the user enters as they would by hand.
fn machine(args: &Args, host: String, user: Option<String>, port: Option<u16>) -> Machine {
    Machine {
        host,
        port,
        user,
        key: args.identity.clone(),
        known_hosts: args.known_hosts.clone(),
        trust: Trust::Known,
        config: args
            .ssh_config
            .clone()
            .map_or(SshConfig::Users, SshConfig::File),
        ssm: false,
    }
}

fn region(args: &Args, subject: &Subject) -> Region {
    args.region
        .clone()
        .map_or_else(|| subject.loaded.catalog.settings.home().clone(), Region)
}

/// A running instance, by the way that the catalog's builder has to its own.
async fn instance(args: &Args, subject: &Subject, id: &InstanceId) -> Result<Machine> {
    let catalog = &subject.loaded.catalog;
    let region = region(args, subject);
    let cloud = context::cloud(&region).await?;
    let found = cloud
        .instance(&region, id)
        .await
        .map_err(gather::unreachable)?;
    let found = found.ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!("there is no instance {id} in {region}"),
        )
    })?;
    if found.status != "running" {
        return Err(Error::new(
            Kind::Refused,
            format!("instance {id} is {}, not running", found.status),
        ));
    }
    let builder = &catalog.settings.builder;
    let (first, second) = match builder.public_address {
        true => (found.public_ip, found.private_ip),
        false => (found.private_ip, found.public_ip),
    };
    let ssm = builder.access == Access::Ssm;
    let host = if ssm {
        Some(id.to_string())
    } else {
        first.or(second)
    };
    let host =
        host.ok_or_else(|| Error::new(Kind::StepFailed, format!("instance {id} has no address")))?;
    let user = subject::platform(catalog, &subject.image)
        .login_user()
        .to_owned();
    Ok(Machine {
        ssm,
        ..machine(args, host, Some(user), None)
    })
}

/// A throwaway instance of an AMI: the run's own key and group, a known host key, nothing left. No lock is taken, because
/// nothing that a lock is about is touched.
async fn booted(args: &Args, subject: &Subject, ami: &AmiId) -> Result<Found> {
    let loaded = &subject.loaded;
    let region = region(args, subject);
    let run = lock::take(loaded, lock::Rungs::None).await?;
    let inventory = gather::inventory(
        loaded,
        &InventoryArgs {
            inventory: None,
            save_inventory: None,
        },
        gather::Need::Images,
    )
    .await?;
    let query = ImageQuery {
        ids: vec![ami.clone()],
        owners: vec!["*".to_owned()],
        ..ImageQuery::default()
    };
    let found = context::cloud(&region).await?.images(&region, &query).await;
    let there = match found {
        Ok(found) => !found.is_empty(),
        Err(e) if e.kind == crate::ports::CloudErrorKind::NotFound => false,
        Err(e) => return Err(gather::unreachable(e)),
    };
    if !there {
        return Err(Error::new(
            Kind::NotFound,
            format!("there is no AMI {ami} in {region}"),
        ));
    }
    let plan = plan::inspect::plan(&subject.image, ami, &region, run, inventory.taken);
    let manner = run::Manner {
        jobs: 1,
        on_failure: OnFailure::Stop,
        keep_failed: false,
        throwaway: true,
    };
    let ran = run::act(loaded, &inventory, &plan, manner).await?;
    report::end(&ran)?;
    let lost = || Error::new(Kind::StepFailed, "the instance left no facts");
    let bytes = ran
        .directory
        .read(&evidence_file(subject.image.as_str(), Phase::Boot))
        .ok_or_else(lost)?;
    let evidence: CheckReport = serde_json::from_slice(&bytes).map_err(|e| lost().because(e))?;
    let facts = serde_json::from_value(evidence.facts).map_err(|e| lost().because(e))?;
    let took = Duration::try_from_secs_f64(evidence.seconds).unwrap_or_default();
    Ok(Found {
        facts,
        phase: Some(evidence.phase),
        took,
    })
}

/// Facts that were kept: by `--save-facts`, in a run's directory, or in the store.
///
/// # Errors
/// It is another file, or of another version.
pub(super) fn kept(file: &Path) -> Result<Found> {
    let bytes = context::read(file)?;
    let named = |what: String| Error::input(format!("{}: {what}", file.display()));
    let mut whole: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|e| named("it is not JSON".to_owned()).because(e))?;
    let phase = whole
        .get("phase")
        .and_then(|p| serde_json::from_value(p.clone()).ok());
    let seconds = whole
        .get("seconds")
        .and_then(serde_json::Value::as_f64)
        .unwrap_or_default();
    let facts = match whole.get_mut("facts") {
        Some(facts) => facts.take(),
        None => whole,
    };
    let (ours, schema) = (
        Facts::default().schema,
        facts.get("schema").and_then(serde_json::Value::as_u64),
    );
    match schema {
        Some(schema) if schema == u64::from(ours) => {}
        Some(schema) => {
            let error = named(format!(
                "these facts have the schema {schema}, and this bakeline judges {ours}"
            ));
            return Err(
                error.hint("judge them by the bakeline that collected them, or collect again")
            );
        }
        None => {
            return Err(named("these are no facts".to_owned())
                .hint("`bakeline check --save-facts FILE` writes some"));
        }
    }
    let facts = serde_json::from_value(facts)
        .map_err(|e| named("these are no facts".to_owned()).because(e))?;
    let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok(Found { facts, phase, took })
}
