//! Collects facts from each kind of target, and reads saved facts.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::subject::{self, Subject};
use super::target::Target;
use crate::adapters::system::SystemClock;
use crate::adapters::{local, ssh::OpenSsh, system};
use crate::catalog::{Access, Image, OnFailure};
use crate::checks::{self, CollectOptions, Control, Facts, Phase, Verdict};
use crate::cli::{Check as Args, InventoryArgs};
use crate::commands::summary;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather, lock, run};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AmiId, InstanceId, Region};
use crate::plan;
use crate::platform::Platform;
use crate::ports::{
    HostKeyPolicy, ImageQuery, ScriptLimits, SshConfig, SshTarget as Machine, Workspace as _,
};
use crate::steps::check::collect::{SshFacts, nonce};
use crate::steps::check::controls::{CheckReport, evidence_file};
use crate::steps::check::retry::{FactSource, JudgedFacts, judge_with_retries};

/// Facts with their phase.
pub(super) struct CollectedFacts {
    pub(super) facts: Facts,
    /// Phase of the collection, if known.
    pub(super) phase: Option<Phase>,
    pub(super) took: Duration,
    /// Verdicts, if a live target was judged; checks with `within` can have several tries.
    pub(super) verdicts: Option<Vec<Verdict>>,
}

impl CollectedFacts {
    /// Returns the verdicts of the collection, or judges the facts.
    pub(super) fn verdicts(&self, controls: &[&Control], phase: Phase) -> Vec<Verdict> {
        let collected = self.verdicts.clone();
        collected.unwrap_or_else(|| checks::judge(controls, &self.facts, phase))
    }

    fn from_live_target(judged: JudgedFacts, phase: Phase) -> Self {
        Self {
            facts: judged.facts,
            phase: Some(phase),
            took: judged.took,
            verdicts: Some(judged.verdicts),
        }
    }
}

/// Collects the facts that the controls of a phase need from a target.
///
/// # Errors
/// The target cannot be reached, the collection fails, or the facts are incomplete.
pub(super) async fn collect_facts(
    dir: &Path,
    args: &Args,
    subject: &Subject,
    target: &Target,
    phase: Phase,
) -> Result<CollectedFacts> {
    let cancel = system::cancel_on_signal();
    let controls = subject.loaded.catalog.controls(&subject.image);
    let limits = collection_limits(args);
    let judge_machine = async |machine: Machine| {
        let source = SshFacts {
            shell: &OpenSsh,
            target: &machine,
            controls: &controls,
            phase,
            limits,
            cancel: &cancel,
        };
        source.judge(&SystemClock).await
    };
    let judged = match target {
        Target::Local => judge_locally(&controls, phase, limits, &cancel).await?,
        Target::Directory(path) => {
            let root = system::resolve_directory(Path::new(path))
                .map_err(|e| Error::input("cannot open the root file system").because(e))?;
            let (facts, took) =
                collect_locally(&controls, &controls, Some(&root), phase, limits, &cancel).await?;
            return Ok(CollectedFacts {
                facts,
                phase: Some(phase),
                took,
                verdicts: None,
            });
        }
        Target::Ssh { user, host, port } => {
            judge_machine(ssh_machine(args, host.clone(), user.clone(), *port)).await?
        }
        Target::Instance(id) => {
            subject::require_catalog(dir)?;
            judge_machine(instance_machine(args, subject, id).await?).await?
        }
        Target::Ami(id) => {
            subject::require_catalog(dir)?;
            return Box::pin(collect_from_ami(args, subject, id)).await;
        }
    };
    Ok(CollectedFacts::from_live_target(judged, phase))
}

fn collection_limits(args: &Args) -> ScriptLimits {
    let bytes = usize::try_from(args.max_mebibytes << 20).unwrap_or(usize::MAX);
    ScriptLimits {
        timeout: Duration::from_secs(args.max_seconds),
        max_bytes: bytes,
        ..ScriptLimits::RUNNING
    }
}

/// This machine.
struct LocalFacts<'a> {
    /// All controls; their secrets are concealed.
    controls: &'a [&'a Control],
    phase: Phase,
    limits: ScriptLimits,
    cancel: &'a CancellationToken,
}

#[async_trait]
impl FactSource for LocalFacts<'_> {
    async fn collect_again(&self, controls: &[&Control]) -> Result<Facts> {
        let (all, phase) = (self.controls, self.phase);
        collect_locally(controls, all, None, phase, self.limits, self.cancel)
            .await
            .map(|(facts, _)| facts)
    }
}

/// Collects facts from this machine and judges the controls.
async fn judge_locally(
    controls: &[&Control],
    phase: Phase,
    limits: ScriptLimits,
    cancel: &CancellationToken,
) -> Result<JudgedFacts> {
    let (first, took) = collect_locally(controls, controls, None, phase, limits, cancel).await?;
    let source = LocalFacts {
        controls,
        phase,
        limits,
        cancel,
    };
    let asked = (controls, phase);
    let (facts, verdicts) = judge_with_retries(&source, asked, first, &SystemClock, cancel).await?;
    Ok(JudgedFacts {
        facts,
        verdicts,
        took,
    })
}

/// Collects facts from this machine as root, or from a directory as the current user. The facts
/// conceal the secrets of `all` controls.
async fn collect_locally(
    controls: &[&Control],
    all: &[&Control],
    root: Option<&str>,
    phase: Phase,
    limits: ScriptLimits,
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
    let answer = local::run(&script, root.is_none(), limits, cancel)
        .await
        .map_err(Error::from)?;
    let facts =
        checks::parse_and_conceal_facts(&nonce, &answer.stdout, &answer.last_stderr_line, all)
            .map_err(|e| {
                Error::new(ErrorKind::StepFailed, "the facts are incomplete").because(e)
            })?;
    Ok((facts, answer.elapsed))
}

/// Returns an SSH target with the configuration of the user.
fn ssh_machine(args: &Args, host: String, user: Option<String>, port: Option<u16>) -> Machine {
    Machine {
        host,
        port,
        user,
        key: args.identity.clone(),
        known_hosts: args.known_hosts.clone(),
        trust: HostKeyPolicy::Known,
        config: args
            .ssh_config
            .clone()
            .map_or(SshConfig::User, SshConfig::File),
        ssm: None,
    }
}

fn target_region(args: &Args, subject: &Subject) -> Region {
    args.region
        .clone()
        .map_or_else(|| subject.loaded.catalog.settings.home().clone(), Region)
}

/// Returns the SSH target of a running instance, with the access settings of the builder.
async fn instance_machine(args: &Args, subject: &Subject, id: &InstanceId) -> Result<Machine> {
    let catalog = &subject.loaded.catalog;
    let region = target_region(args, subject);
    let cloud = context::connect_cloud(&region).await?;
    let found = cloud
        .instance(&region, id)
        .await
        .map_err(crate::steps::first_call_error)?;
    let found = found.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("instance {id} does not exist in {region}"),
        )
    })?;
    if found.status != "running" {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("instance {id} is {}, not running", found.status),
        ));
    }
    let image = catalog.images.get(&subject.image);
    let general = &catalog.settings.builder;
    let builder = image.map_or_else(|| general.clone(), |i| i.builder(&catalog.settings));
    let (first, second) = if builder.public_address {
        (found.public_ip, found.private_ip)
    } else {
        (found.private_ip, found.public_ip)
    };
    let ssm = builder.access == Access::Ssm;
    let host = if ssm {
        Some(id.to_string())
    } else {
        first.or(second)
    };
    let host = host.ok_or_else(|| {
        Error::new(
            ErrorKind::StepFailed,
            format!("instance {id} has no address"),
        )
    })?;
    let user = image
        .map_or_else(|| Platform::default().login_user(), Image::login_user)
        .to_owned();
    Ok(Machine {
        ssm: ssm.then_some(region),
        ..ssh_machine(args, host, Some(user), None)
    })
}

/// Collects facts from a temporary instance of an AMI. Takes no lock, because it changes no
/// environment.
async fn collect_from_ami(args: &Args, subject: &Subject, ami: &AmiId) -> Result<CollectedFacts> {
    let loaded = &subject.loaded;
    let region = target_region(args, subject);
    let run = lock::take_locks(loaded, lock::LockScope::None).await?;
    let inventory = gather::load_inventory(
        loaded,
        &InventoryArgs {
            inventory: None,
            save_inventory: None,
        },
        gather::Need::Images,
        AccessMode::Change(&run),
    )
    .await?;
    let query = ImageQuery {
        ids: vec![ami.clone()],
        owners: vec!["*".to_owned()],
        ..ImageQuery::default()
    };
    let found = context::connect_cloud(&region)
        .await?
        .images(&region, &query)
        .await;
    let there = match found {
        Ok(found) => !found.is_empty(),
        Err(e) if e.kind == crate::ports::CloudErrorKind::NotFound => false,
        Err(e) => return Err(crate::steps::first_call_error(e)),
    };
    if !there {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("AMI {ami} does not exist in {region}"),
        ));
    }
    let plan =
        plan::inspect::plan_inspection(&subject.image, ami, &region, run, inventory.captured_at);
    let options = run::RunOptions {
        command: "check",
        jobs: 1,
        location_jobs: run::LOCATION_JOBS,
        on_failure: OnFailure::Stop,
        keep_failed: false,
        throwaway: true,
    };
    let ran = run::execute_plan(loaded, &inventory, &plan, options).await?;
    summary::exit_code(&ran)?;
    let lost = || Error::new(ErrorKind::StepFailed, "the instance produced no facts");
    let bytes = ran
        .directory
        .read(&evidence_file(subject.image.as_str(), Phase::Boot))
        .ok_or_else(lost)?;
    let evidence: CheckReport = serde_json::from_slice(&bytes).map_err(|e| lost().because(e))?;
    let facts = serde_json::from_value(evidence.facts).map_err(|e| lost().because(e))?;
    let took = Duration::try_from_secs_f64(evidence.seconds).unwrap_or_default();
    Ok(CollectedFacts {
        facts,
        phase: Some(evidence.phase),
        took,
        verdicts: Some(evidence.verdicts),
    })
}

/// Reads facts that `--save-facts` or a run wrote.
///
/// # Errors
/// The file does not contain facts, or has another schema.
pub(super) fn read_facts(file: &Path) -> Result<CollectedFacts> {
    let bytes = context::read_file(file)?;
    let named = |what: String| Error::input(format!("{}: {what}", file.display()));
    let mut whole: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|e| named("not valid JSON".to_owned()).because(e))?;
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
            let error = named(format!("the facts have schema {schema}, expected {ours}"));
            return Err(error
                .hint("use the version of bakeline that collected them, or collect them again"));
        }
        None => {
            return Err(named("the file does not contain facts".to_owned())
                .hint("create one with `bakeline check --save-facts FILE`"));
        }
    }
    let facts = serde_json::from_value(facts)
        .map_err(|e| named("the file does not contain facts".to_owned()).because(e))?;
    let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok(CollectedFacts {
        facts,
        phase,
        took,
        verdicts: None,
    })
}
