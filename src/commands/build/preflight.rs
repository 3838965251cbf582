//! Implements `bakeline preflight`: checks the prerequisites of a release and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::adapters::system::{SystemClock, new_run_id};
use crate::catalog::{Environment, Settings, StoreSettings};
use crate::cli::Preflight;
use crate::commands::support::access::{AccessMode, role_session};
use crate::commands::support::context::{self, LoadedCatalog};
use crate::commands::support::prerequisites::{self, CheckedRun};
use crate::commands::support::{gather, session};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{EnvName, ImageName, Inventory};
use crate::plan::Plan;
use crate::plan::release::{ReleaseRequest, plan_release};
use crate::plan::step::PlanVerdict;
use crate::ports::{Clock as _, CloudErrorKind, RoleSession, StoreErrorKind};
use crate::steps::preflight::{Check, Group, Status, build_of};
use crate::ui;
use crate::ui::table::Table;

/// Maximum number of roles that are assumed in parallel.
const MAX_CONCURRENT: usize = 16;
/// Schema of the JSON document.
const SCHEMA: u32 = 1;
/// Access to the accounts: the roles of a release, limited to reads.
const ACCESS: AccessMode<'_> = AccessMode::Limited("preflight");

/// Cause of checks that need credentials.
const UNCHECKED: &str = "not checked without credentials";

/// JSON document of the checks.
#[derive(Serialize)]
struct Document<'c> {
    schema: u32,
    ok: usize,
    missing: usize,
    unknown: usize,
    checks: &'c [Check],
}

pub(crate) async fn run(dir: &Path, args: &Preflight) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let images = context::find_images(&loaded.catalog, &args.images)?;
    let names = loaded.catalog.settings.environment_names();
    let environment = match &args.env {
        Some(name) => Some(context::find_environment(&names, name)?),
        None => None,
    };
    let checks = Box::pin(collect_checks(&loaded, &images, environment.as_ref())).await;
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (ok, missing, unknown) = (
        count(Status::Ok),
        count(Status::Missing),
        count(Status::Unknown),
    );
    if args.json {
        ui::json(&Document {
            schema: SCHEMA,
            ok,
            missing,
            unknown,
            checks: &checks,
        });
    } else {
        print_table(&checks);
    }
    ui::say(&format!(
        "{ok} ok, {missing} missing, {unknown} unknown; nothing was changed"
    ));
    if missing == 0 {
        return Ok(0);
    }
    let kinds = checks
        .iter()
        .filter_map(|check| Some(check.error.as_ref()?.kind));
    let plural = if missing == 1 { "" } else { "s" };
    let text = format!("{missing} missing prerequisite{plural}");
    Err(Error::new(prerequisites::worst_kind(kinds), text))
}

fn print_table(checks: &[Check]) {
    let mut table = Table::with_text(&["GROUP", "STATUS"], "OBJECT");
    for check in checks {
        let values = [check.group.as_str(), check.status.as_str()].map(str::to_owned);
        let mut text = vec![check.object.clone()];
        text.extend(check.cause.clone());
        text.extend(
            check
                .next_steps
                .iter()
                .map(|step| format!("next step: {step}")),
        );
        table.push_text(values.to_vec(), text);
    }
    ui::table(&table);
}

/// Makes all checks for a release that builds the images, and for the environments up to one. Sorts
/// them by group.
pub(super) async fn collect_checks(
    loaded: &LoadedCatalog,
    images: &[ImageName],
    environment: Option<&EnvName>,
) -> Vec<Check> {
    // An expired session can read nothing.
    let session = session::check_session().await;
    let is_expired = session.as_ref().is_some_and(|check| check.blocks_release);
    let (packer, cloud, store) = tokio::join!(
        prerequisites::check_packer(&loaded.catalog.settings),
        async {
            if is_expired {
                return unchecked_builds();
            }
            check_cloud(loaded, images, environment).await
        },
        check_store(loaded, is_expired),
    );
    let local = packer.into_iter().chain(session);
    let mut out: Vec<Check> = local.chain(cloud).chain(store).collect();
    out.sort_by_key(|check| check.group);
    out
}

/// Checks everything that needs credentials.
async fn check_cloud(
    loaded: &LoadedCatalog,
    images: &[ImageName],
    environment: Option<&EnvName>,
) -> Vec<Check> {
    let object = "caller";
    let settings = &loaded.catalog.settings;
    let clouds = match context::connect_clouds(settings, ACCESS).await {
        Ok(clouds) => clouds,
        Err(error) => return without_access(Check::missing(Group::Credentials, object, error)),
    };
    let identity = match clouds.home.identity(settings.home()).await {
        Ok(identity) => identity,
        Err(error) => {
            let refused = [CloudErrorKind::Credentials, CloudErrorKind::Denied];
            let check = if refused.contains(&error.kind) {
                let error = crate::steps::first_call_error(error);
                Check::missing(Group::Credentials, object, error)
            } else {
                Check::unread(Group::Credentials, object, error)
            };
            return without_access(check);
        }
    };
    if let Err(error) = context::check_account(settings, &identity.account) {
        return without_access(Check::missing(Group::Credentials, object, error));
    }
    let caller = Check::ok(Group::Credentials, object).with_note(identity.arn.clone());
    let mut out = vec![caller];
    let read = gather::query_home(loaded, &*clouds.home, identity.clone()).await;
    let inventory = match read {
        Ok(inventory) => inventory,
        Err(error) => {
            out.push(judge_read(Group::Permissions, "AMIs", error));
            gather::empty_inventory(loaded, identity)
        }
    };
    let plan = plan_builds(loaded, &inventory, images);
    // Without AMIs, each image seems to have no source.
    if out.len() == 1 {
        out.extend(blocked_images(&plan));
    }
    let catalog = &*loaded.catalog;
    let highest = environment.and_then(|name| settings.environment_level(name));
    let all = &settings.environments;
    let checked = CheckedRun {
        catalog,
        inventory: &inventory,
        plan: &plan,
        // With the ancestors that the release would build, and with blocked images.
        builds: plan
            .decisions
            .iter()
            .filter_map(|decision| catalog.images.get(&decision.image))
            .map(|image| build_of(catalog, &inventory, image))
            .collect(),
        environments: &all[..highest.map_or(all.len(), |level| level + 1)],
    };
    let (checks, read_roles) = tokio::join!(
        checked.check(&clouds, ACCESS),
        check_read_roles(settings, &inventory.account, checked.environments),
    );
    out.extend(checks);
    out.extend(read_roles);
    out
}

/// Checks that the roles for commands that read can be assumed. Such commands may run with other
/// credentials, so a refusal decides nothing.
async fn check_read_roles(
    settings: &Settings,
    own: &str,
    environments: &[Environment],
) -> Vec<Check> {
    let mut sessions: BTreeMap<String, RoleSession> = BTreeMap::new();
    for environment in environments.iter().filter(|e| e.read_role.is_some()) {
        for account in environment.accounts.iter().filter(|id| *id != own) {
            let session = role_session(environment, account, AccessMode::Read("preflight"));
            sessions.extend(session.map(|session| (session.role.clone(), session)));
        }
    }
    let home = settings.home();
    let check = async |session: RoleSession| {
        let object = format!("read role {}", session.role);
        let identity = match context::assume_role(home, &session).await {
            Ok(cloud) => cloud.identity(home).await.map_err(Error::from),
            Err(error) => Err(error),
        };
        match identity {
            Ok(_) => Check::ok(Group::Credentials, object),
            Err(error) => Check::unknown(Group::Credentials, object, error.one_line())
                .with_next_step(
                    "run `bakeline plan` with the credentials of the commands that read",
                ),
        }
    };
    let checks = sessions.into_values().map(check);
    stream::iter(checks)
        .buffered(MAX_CONCURRENT)
        .collect()
        .await
}

/// Plans builds of the images, even if nothing has changed.
fn plan_builds(loaded: &LoadedCatalog, inventory: &Inventory, images: &[ImageName]) -> Plan {
    let request = ReleaseRequest {
        images: images.to_vec(),
        force: true,
        run: new_run_id(SystemClock.now()),
    };
    plan_release(&loaded.catalog, inventory, &request)
}

/// Returns a check for each image that cannot be built, because its source or parent is missing.
fn blocked_images(plan: &Plan) -> impl Iterator<Item = Check> {
    let decisions = plan.decisions.iter();
    let blocked = decisions.filter(|d| d.verdict == PlanVerdict::Blocked);
    blocked.map(|decision| {
        let object = format!("source of `{}`", decision.image);
        let reasons = decision.reasons.join("; ");
        let text = format!("cannot build `{}`: {reasons}", decision.image);
        let hint = "fix the problem, or pass the names of the other images";
        Check::missing(Group::Instances, object, Error::input(text).hint(hint))
    })
}

/// Returns the check of a failed read: missing if AWS refused it, else unknown.
fn judge_read(group: Group, object: &str, error: Error) -> Check {
    match error.kind {
        ErrorKind::Input => Check::missing(group, object, error),
        _ => Check::unknown(group, object, error.with_advice()),
    }
}

/// Returns the checks without access to the account of the builder.
fn without_access(caller: Check) -> Vec<Check> {
    std::iter::once(caller).chain(unchecked_builds()).collect()
}

/// Returns the checks that need credentials as unknown.
fn unchecked_builds() -> Vec<Check> {
    let groups = [
        Group::Permissions,
        Group::Network,
        Group::Instances,
        Group::Encryption,
    ];
    let unknown = |group| Check::unknown(group, "builds", UNCHECKED);
    groups.map(unknown).into()
}

/// Checks that the store can be read and written. A bucket needs credentials.
async fn check_store(loaded: &LoadedCatalog, is_expired: bool) -> Vec<Check> {
    if is_expired && matches!(loaded.catalog.settings.store, StoreSettings::S3(_)) {
        return vec![Check::unknown(Group::Store, "store", UNCHECKED)];
    }
    let store = match context::open_store(&loaded.catalog.settings).await {
        Ok(store) => store,
        Err(error) => return vec![Check::missing(Group::Store, "store", error)],
    };
    let object = format!("store {}", store.location());
    match store.check_write().await {
        Ok(true) => vec![Check::ok(Group::Store, object).with_note("can be written")],
        Ok(false) => {
            let cause = "it is empty, and only a write could tell whether it can be written";
            let readable = Check::ok(Group::Store, &object).with_note("can be read");
            vec![readable, Check::unknown(Group::Store, object, cause)]
        }
        Err(error) if error.kind == StoreErrorKind::Other => {
            vec![Check::unknown(Group::Store, object, error.to_string())]
        }
        Err(error) => vec![Check::missing(Group::Store, object, error.into())],
    }
}
