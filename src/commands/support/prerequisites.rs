//! Collects the prerequisites of a run, and refuses a run if some are missing.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use super::access::{AccessMode, role_session};
use super::context::{self, Clouds};
use super::pointers::check_pointer_types;
use crate::adapters::ansible;
use crate::adapters::packer::Packer;
use crate::adapters::system::find_program;
use crate::catalog::{Access, Catalog, Environment, Notifier, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::locations;
use crate::model::{Inventory, Location, Region};
use crate::plan::{Action, Plan, Step};
use crate::ports::{BuilderError, ImageBuilder as _};
use crate::provision::ansible::MIN_VERSION;
use crate::render::packer::{MIN_FOR_SESSIONS, too_old_for_sessions};
use crate::steps::check_shareable;
use crate::steps::preflight::{
    AccountSession, BuildNeed, Check, Group, HomeCheck, KeyUse, Status, check_accounts, check_keys,
};
use crate::ui;

/// Program that all builds and checks need, with the hint if it is missing.
const SSH: (&str, &str) = (
    "ssh",
    "install OpenSSH: `apt install openssh-client` on Debian",
);
/// Programs that SSM sessions need. Packer and bakeline both use the Session Manager plugin; bakeline
/// starts it through the AWS CLI.
const SESSION_TOOLS: [(&str, &str); 2] = [
    ("aws", "install the AWS CLI: `apt install awscli` on Debian"),
    (
        "session-manager-plugin",
        "install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
    ),
];

/// Run to check: its plan, the facts behind it, and its builds.
pub(crate) struct CheckedRun<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(crate) inventory: &'c Inventory,
    pub(crate) plan: &'c Plan,
    pub(crate) builds: Vec<BuildNeed<'c>>,
    /// Environments that the run reaches.
    pub(crate) environments: &'c [Environment],
}

impl CheckedRun<'_> {
    /// Checks what the run needs. All checks run concurrently. Only builds need network, instance
    /// types, roles and keys.
    pub(crate) async fn check(&self, clouds: &Clouds, access: AccessMode<'_>) -> Vec<Check> {
        let Self {
            catalog,
            inventory,
            plan,
            ..
        } = *self;
        let settings = &catalog.settings;
        let home = HomeCheck {
            settings,
            account: &inventory.account,
            run: &plan.run,
            now: inventory.captured_at,
            builds: &self.builds,
            cloud: &*clouds.home,
        };
        let at_home = locations::home(settings);
        let (playbooks, pointers, shared, home, accounts, keys) = tokio::join!(
            self.check_ansible(),
            check_pointer_types(clouds, plan),
            check_encryption(catalog, inventory, plan, clouds),
            home.run(),
            check_accounts(self.account_sessions(clouds, access)),
            check_keys(self.key_uses(clouds), &at_home),
        );
        let mut out = self.check_programs();
        out.extend(playbooks);
        out.extend(pointers);
        for group in [shared, home, accounts, keys] {
            out.extend(group);
        }
        if self.publishes() {
            out.extend(check_webhooks(settings));
        }
        out
    }

    /// Checks that `ansible-playbook` is installed if a build needs it.
    async fn check_ansible(&self) -> Option<Check> {
        let mut images = self.builds.iter().map(|build| build.image);
        let (image, playbook) = images.find_map(|i| Some((i, i.first_playbook()?)))?;
        Some(match ansible::version(&MIN_VERSION).await {
            Ok(found) => Check::ok(Group::Tools, format!("ansible-core {found}")),
            Err(error) => {
                let needs = format!(
                    "image `{}` runs the playbook `{playbook}`, but ",
                    image.name
                );
                Check::missing(Group::Tools, "ansible-playbook", input_error(error, &needs))
            }
        })
    }

    /// Checks that the programs for connections to instances are installed if a step needs them.
    fn check_programs(&self) -> Vec<Check> {
        let connects = |step: &Step| matches!(step.action, Action::Boot { .. });
        if self.builds.is_empty() && !self.plan.steps.iter().any(connects) {
            return Vec::new();
        }
        let check = |(program, hint): (&str, &str), needs: &str| {
            if find_program(program).is_some() {
                return Check::ok(Group::Tools, program);
            }
            let text = format!("{needs} requires `{program}`, which is not in PATH");
            Check::missing(Group::Tools, program, Error::input(text).hint(hint))
        };
        let mut out = vec![check(SSH, "a connection to an instance")];
        if self.catalog.settings.builder.access == Access::Ssm {
            let needs = "`access: ssm` in bakeline.yaml";
            out.extend(SESSION_TOOLS.map(|tool| check(tool, needs)));
        }
        out
    }

    /// Returns whether the run boots new AMIs and publishes them: builds, or a candidate of an earlier run.
    fn publishes(&self) -> bool {
        let has = |wanted: fn(&Action) -> bool| self.plan.steps.iter().any(|s| wanted(&s.action));
        has(|action| matches!(action, Action::Boot { .. }))
            && has(|action| matches!(action, Action::MoveCurrent { .. }))
    }

    /// Returns the environments whose locations the run reaches with new AMIs.
    fn reached(&self) -> &[Environment] {
        if self.publishes() {
            self.environments
        } else {
            &[]
        }
    }

    /// Returns the sessions in the accounts of the environments. The builder's account comes first.
    fn account_sessions(&self, clouds: &Clouds, access: AccessMode<'_>) -> Vec<AccountSession> {
        let (settings, inventory) = (&self.catalog.settings, self.inventory);
        let mut regions: BTreeMap<Option<String>, BTreeSet<Region>> = BTreeMap::new();
        let mut roles: BTreeMap<String, String> = BTreeMap::new();
        for environment in self.reached() {
            let own = &inventory.account;
            let of_amis = locations::in_environment(settings, environment, own);
            for location in of_amis
                .into_iter()
                .chain(locations::receiving(environment, own))
            {
                if let Some(account) = &location.account
                    && let Some(session) = role_session(environment, account, access)
                {
                    roles.entry(account.clone()).or_insert(session.role);
                }
                let known = regions.entry(location.account).or_default();
                known.insert(location.region);
            }
        }
        let session = |(account, regions): (Option<String>, BTreeSet<Region>)| {
            let location = Location {
                account: account.clone(),
                region: settings.home().clone(),
            };
            AccountSession {
                role: account.as_ref().and_then(|id| roles.get(id).cloned()),
                cloud: clouds.shared(&location),
                account: account.unwrap_or_else(|| inventory.account.clone()),
                home: location.region,
                regions,
            }
        };
        regions.into_iter().map(session).collect()
    }

    /// Returns the KMS keys of the catalog with the locations in which a run uses them.
    fn key_uses(&self, clouds: &Clouds) -> Vec<KeyUse> {
        let (settings, inventory) = (&self.catalog.settings, self.inventory);
        let builds = !self.builds.is_empty();
        let home = locations::home(settings);
        let mut keys: BTreeSet<(Location, String)> = BTreeSet::new();
        if let Some(key) = settings.build_key().filter(|_| builds) {
            keys.insert((home.clone(), key.to_owned()));
        }
        for environment in self.reached() {
            let places = locations::in_environment(settings, environment, &inventory.account);
            for location in places.into_iter().filter(|location| *location != home) {
                if let Some(key) = settings.copy_key(environment, &location) {
                    keys.insert((location.clone(), key.to_owned()));
                }
            }
        }
        let used = |(location, key): (Location, String)| {
            let cloud = clouds.shared(&location).ok()?;
            Some(KeyUse {
                key,
                location,
                cloud,
            })
        };
        keys.into_iter().filter_map(used).collect()
    }
}

/// Prints the warnings, and refuses the run if a prerequisite is missing. Several errors are printed
/// one after the other.
pub(crate) fn report_checks(checks: Vec<Check>) -> Result<()> {
    for warning in checks.iter().filter_map(Check::warning) {
        ui::say(&warning);
    }
    match refusal(checks) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Returns the error for the missing prerequisites that refuse a run. Of several, prints each before.
fn refusal(checks: Vec<Check>) -> Option<Error> {
    let blocking = checks.into_iter().filter(|check| check.blocks_release);
    let mut errors: Vec<Error> = blocking.filter_map(|check| check.error).collect();
    if errors.len() < 2 {
        return errors.pop();
    }
    for error in &errors {
        ui::error(error);
    }
    let kind = worst_kind(errors.iter().map(|error| error.kind));
    let text = format!(
        "{} prerequisites are missing; nothing was changed",
        errors.len()
    );
    Some(Error::new(kind, text).hint("`bakeline preflight` shows all checks"))
}

/// Returns the error for a run that `first` refuses, and prints the warnings about missing
/// prerequisites. `all` are all prerequisites. Those with the same cause as a check in `first` are
/// left out.
pub(crate) fn refuse_run(all: Vec<Check>, first: Vec<Check>) -> Error {
    let missing = all.iter().filter(|check| check.status == Status::Missing);
    for warning in missing.filter_map(Check::warning) {
        ui::say(&warning);
    }
    let unexplained = || Error::input("a prerequisite is missing; run `bakeline preflight`");
    refusal(without_repeated_causes(first, all)).unwrap_or_else(unexplained)
}

/// Returns the checks of `first`, and those of `all` with other causes. All failures of a store have the
/// same cause, but name other objects.
fn without_repeated_causes(first: Vec<Check>, all: Vec<Check>) -> Vec<Check> {
    let cause = |check: &Check| check.error.as_ref()?.chain().pop();
    let known: BTreeSet<String> = first.iter().filter_map(cause).collect();
    let lacks_store = first.iter().any(|check| check.group == Group::Store);
    let is_repeated = |check: &Check| {
        lacks_store && check.group == Group::Store
            || cause(check).is_some_and(|cause| known.contains(&cause))
    };
    let others: Vec<Check> = all
        .into_iter()
        .filter(|check| !is_repeated(check))
        .collect();
    first.into_iter().chain(others).collect()
}

/// Returns the kind that decides about the exit code.
pub(crate) fn worst_kind(kinds: impl Iterator<Item = ErrorKind>) -> ErrorKind {
    kinds
        .max_by_key(|kind| kind.weight())
        .unwrap_or(ErrorKind::Input)
}

/// Refuses a command if Packer or its plugin is missing.
pub(crate) async fn require_packer(settings: &Settings) -> Result<()> {
    report_checks(check_packer(settings).await)
}

/// Checks that Packer and its Amazon plugin are installed, and that this Packer has SSM sessions if the
/// catalog uses them. A version that was not tested is unknown.
pub(crate) async fn check_packer(settings: &Settings) -> Vec<Check> {
    let packer = Packer::default();
    let warnings = match packer.check().await {
        Ok(warnings) => warnings,
        Err(error) => {
            return vec![Check::missing(
                Group::Tools,
                "Packer and its plugin `amazon`",
                input_error(error, ""),
            )];
        }
    };
    let version = packer.version().await.ok();
    let name = version.as_ref().map(ToString::to_string);
    let object = format!("Packer {}", name.unwrap_or_default());
    let untested = |text: String| Check::unknown(Group::Tools, &object, text).as_warning();
    let ok = Check::ok(Group::Tools, format!("{object} and its plugin `amazon`"));
    let mut out = vec![ok];
    let has_sessions = |version: &Version| *version >= MIN_FOR_SESSIONS;
    if settings.builder.access == Access::Ssm
        && let Some(old) = version.filter(|version| !has_sessions(version))
    {
        let error = Error::input(too_old_for_sessions(&old));
        let error = error
            .hint("install a newer Packer (see the page Packer of the documentation), or use another `access`");
        out.push(Check::missing(Group::Tools, "SSM sessions", error));
    }
    out.extend(warnings.into_iter().map(untested));
    out
}

fn input_error(error: BuilderError, before: &str) -> Error {
    let converted = Error::input(format!("{before}{}", error.message));
    error.hint.into_iter().fold(converted, Error::hint)
}

fn is_build(step: &Step) -> bool {
    matches!(step.action, Action::Build { .. })
}

/// Returns the variables of notifiers that are not set.
pub(crate) fn unset_webhooks(settings: &Settings) -> Vec<&str> {
    let variables = settings.notifiers.iter().map(|notifier| {
        let Notifier::Slack { webhook_env } = notifier;
        webhook_env.as_str()
    });
    variables
        .filter(|variable| context::webhook_secret(variable).is_none())
        .collect()
}

/// Checks that the environment variables of the notifiers are set. A notification cannot stop a
/// release.
fn check_webhooks(settings: &Settings) -> Vec<Check> {
    let check = |notifier: &Notifier| {
        let Notifier::Slack { webhook_env } = notifier;
        let object = format!("variable {webhook_env}");
        if context::webhook_secret(webhook_env).is_some() {
            return Check::ok(Group::Notifications, object);
        }
        let text = format!("{webhook_env} is not set, so no notification will be sent");
        let hint = "set it to the URL of the Slack webhook, or remove the notifier";
        let error = Error::input(text).hint(hint);
        Check::missing(Group::Notifications, object, error).as_warning()
    };
    settings.notifiers.iter().map(check).collect()
}

/// Checks that the AMIs of a plan can be shared with the other accounts that need them.
async fn check_encryption(
    catalog: &Catalog,
    inventory: &Inventory,
    plan: &Plan,
    clouds: &Clouds,
) -> Vec<Check> {
    let needs_sharing = |step: &Step| is_build(step) || matches!(step.action, Action::Share { .. });
    if !plan.steps.iter().any(needs_sharing) {
        return Vec::new();
    }
    check_shareable(catalog, inventory, plan, &*clouds.home).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(group: Group, object: &str, cause: &str) -> Check {
        let error = Error::input(object).because(Error::input(cause));
        Check::missing(group, object, error)
    }

    #[test]
    fn refused_run_lists_each_cause_once() {
        let first = || vec![missing(Group::Store, "locks", "expired")];
        let other = |object, cause| missing(Group::Credentials, object, cause);
        let objects = |all: Vec<Check>| -> Vec<String> {
            let checks = without_repeated_causes(first(), all);
            checks.into_iter().map(|check| check.object).collect()
        };
        assert_eq!(objects(vec![other("session", "expired")]), ["locks"]);
        assert_eq!(objects(vec![other("key", "absent")]), ["locks", "key"]);
        let both = vec![other("session", "expired"), other("key", "absent")];
        assert_eq!(objects(both), ["locks", "key"]);
        let store = missing(Group::Store, "store", "no answer");
        assert_eq!(objects(vec![store]), ["locks"]);
    }
}
