//! Checks before a run whether its AMIs can be shared with the other accounts: EC2 cannot share AMIs
//! that are encrypted with the key that AWS manages.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{AWS_MANAGED_KEY, Catalog, Image};
use crate::error::{Error, ErrorKind};
use crate::model::{Ami, AmiId, Inventory, SnapshotId};
use crate::plan::{Action, AmiRef, Plan};
use crate::ports::{CloudError, CloudReader, CloudResult};
use crate::steps::preflight::{Check, Group};

/// Hint for an account that encrypts with the key of AWS.
const USE_OWN_KEY: &str = "set `builder.kms_key` in bakeline.yaml to a customer managed key that \
                           these accounts may use";

/// Checks the keys of all AMIs that the plan builds for other accounts, or shares. A missing
/// prerequisite refuses the run. Reads only what the plan needs: nothing if no environment has
/// another account.
pub async fn check_shareable(
    catalog: &Catalog,
    inventory: &Inventory,
    plan: &Plan,
    cloud: &dyn CloudReader,
) -> Vec<Check> {
    let keys = KeyCheck {
        catalog,
        inventory,
        cloud,
    };
    let mut out = Vec::new();
    let builds = keys.shared_builds(plan);
    if let Some(image) = builds.first() {
        let object = format!("key of builds in {}", catalog.settings.home());
        out.push(match keys.key_of_builds().await {
            Ok(None) => Check::ok(Group::Encryption, object),
            Ok(Some(how)) => {
                Check::missing(Group::Encryption, object, keys.build_error(image, &how))
            }
            Err(error) => {
                let text = "whether new AMIs can be shared with other accounts is unknown";
                unknown_key(object, text, &error)
            }
        });
    }
    let needed = keys.shared_amis(plan, &builds);
    match keys.managed_amis(needed.keys()).await {
        Ok(managed) => out.extend(needed.iter().map(|(ami, reason)| {
            let object = format!("key of {ami}");
            if managed.contains(ami) {
                Check::missing(Group::Encryption, object, keys.ami_error(ami, reason))
            } else {
                Check::ok(Group::Encryption, object)
            }
        })),
        Err(error) => {
            let text = "whether the AMIs can be shared with other accounts is unknown";
            out.push(unknown_key("keys of AMIs".to_owned(), text, &error));
        }
    }
    out
}

/// Returns a check that warns about a key that could not be read.
fn unknown_key(object: String, text: &str, error: &CloudError) -> Check {
    Check::unknown(Group::Encryption, object, format!("{text}: {error}")).as_warning()
}

struct KeyCheck<'c> {
    catalog: &'c Catalog,
    inventory: &'c Inventory,
    cloud: &'c dyn CloudReader,
}

impl<'c> KeyCheck<'c> {
    /// Returns the other accounts that can get an image: those of its environments.
    fn accounts(&self, image: &Image) -> BTreeSet<&'c str> {
        let settings = &self.catalog.settings;
        let highest = settings.environment_level(&image.environment);
        let levels = settings
            .environments
            .iter()
            .take(highest.map_or(0, |n| n + 1));
        let accounts = levels.flat_map(|environment| &environment.accounts);
        let own = &self.inventory.account;
        accounts.map(String::as_str).filter(|a| a != own).collect()
    }

    /// Returns the images that the plan builds and publishes, and that other accounts can get.
    fn shared_builds(&self, plan: &Plan) -> Vec<&'c Image> {
        let published = |image: &Image| {
            plan.steps.iter().any(|step| {
                let is_move = matches!(step.action, Action::MoveCurrent { .. });
                is_move && step.scope.is_home_of(&image.name)
            })
        };
        let built = plan.steps.iter().filter_map(|step| match &step.action {
            Action::Build { image, .. } => self.catalog.images.get(image),
            _ => None,
        });
        built
            .filter(|image| published(image) && !self.accounts(image).is_empty())
            .collect()
    }

    /// Returns the AMIs that the plan shares, or builds on for other accounts, each with the sentence
    /// about it. A build with a key of its own encrypts again.
    fn shared_amis(&self, plan: &Plan, builds: &[&Image]) -> BTreeMap<AmiId, String> {
        let mut out = BTreeMap::new();
        let keeps_key = self.catalog.settings.build_key().is_none();
        for step in &plan.steps {
            match &step.action {
                Action::Share {
                    ami: AmiRef::Known(ami),
                    account,
                } => {
                    let text = format!("cannot be shared with {account}");
                    out.entry(ami.clone()).or_insert(text);
                }
                Action::Build {
                    image,
                    base: AmiRef::Known(base),
                    ..
                } if keeps_key && builds.iter().any(|built| built.name == *image) => {
                    let text = format!("`{image}` is built on it for other accounts");
                    out.entry(base.clone()).or_insert(text);
                }
                _ => {}
            }
        }
        out
    }

    /// Returns how the builds are encrypted, if AWS manages the key.
    async fn key_of_builds(&self) -> CloudResult<Option<String>> {
        let home = self.catalog.settings.home();
        if let Some(key) = self.catalog.settings.build_key() {
            let is_managed = key.ends_with(AWS_MANAGED_KEY);
            return Ok(is_managed.then(|| "`builder.kms_key`".to_owned()));
        }
        let Some(key) = self.cloud.default_key(home).await? else {
            return Ok(None);
        };
        let is_managed =
            key.ends_with(AWS_MANAGED_KEY) || self.cloud.is_aws_managed(home, &key).await?;
        Ok(is_managed.then(|| "EBS encryption by default".to_owned()))
    }

    /// Returns those AMIs that have a snapshot with a key of AWS.
    async fn managed_amis(
        &self,
        amis: impl Iterator<Item = &AmiId>,
    ) -> CloudResult<BTreeSet<AmiId>> {
        let home = self.catalog.settings.home();
        let own = |id: &AmiId| {
            let own = &self.inventory.account;
            let mut all = self.inventory.images.iter();
            all.find(|ami| ami.id == *id && ami.region == *home && ami.owner == *own)
        };
        let found: Vec<&Ami> = amis.filter_map(own).collect();
        let owner: BTreeMap<&SnapshotId, &AmiId> = found
            .iter()
            .flat_map(|ami| ami.snapshots.iter().map(|snapshot| (snapshot, &ami.id)))
            .collect();
        let snapshots: Vec<SnapshotId> = owner.keys().copied().cloned().collect();
        let mut out = BTreeSet::new();
        if snapshots.is_empty() {
            return Ok(out);
        }
        let mut managers: BTreeMap<String, bool> = BTreeMap::new();
        for (snapshot, key) in self.cloud.snapshot_keys(home, &snapshots).await? {
            let is_managed = match managers.get(&key) {
                Some(known) => *known,
                None => self.cloud.is_aws_managed(home, &key).await?,
            };
            managers.insert(key, is_managed);
            out.extend(
                owner
                    .get(&snapshot)
                    .filter(|_| is_managed)
                    .copied()
                    .cloned(),
            );
        }
        Ok(out)
    }

    fn build_error(&self, image: &Image, how: &str) -> Error {
        let accounts: Vec<&str> = self.accounts(image).into_iter().collect();
        let (home, own) = (self.catalog.settings.home(), &self.inventory.account);
        let text = format!(
            "{how} of account {own} in {home} encrypts with `{AWS_MANAGED_KEY}`, so AMIs of `{}` could not be \
             shared with {}",
            image.name,
            accounts.join(", ")
        );
        Error::new(ErrorKind::Refused, text).hint(USE_OWN_KEY)
    }

    fn ami_error(&self, ami: &AmiId, reason: &str) -> Error {
        let images = self.inventory.images.iter();
        let name = images
            .clone()
            .find(|one| one.id == *ami)
            .map_or("", |one| &one.name);
        let text = format!(
            "{ami} ({name}) is encrypted with a key that AWS manages and cannot leave its account: {reason}"
        );
        Error::new(ErrorKind::Refused, text).hint(USE_OWN_KEY).hint(
            "build a new version with `bakeline release --force`, because an AMI keeps its key",
        )
    }
}
