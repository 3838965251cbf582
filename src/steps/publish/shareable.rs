//! Checks before a run whether its AMIs can be shared with the other accounts: EC2 cannot share AMIs
//! that are encrypted with the key that AWS manages.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{AWS_MANAGED_KEY, Catalog, Image};
use crate::error::{Error, ErrorKind};
use crate::model::{Ami, AmiId, Inventory, Region, SnapshotId};
use crate::plan::{Action, AmiRef, Plan, StepId};
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
    for (region, needed) in keys.shared_amis(plan, &builds) {
        out.extend(keys.check_amis(region, &needed).await);
    }
    for (region, receiver) in shared_copies(plan) {
        out.push(keys.check_copies(region, receiver).await);
    }
    out
}

/// Returns a check that warns about a key that could not be read.
fn unknown_key(object: String, text: &str, error: &CloudError) -> Check {
    Check::unknown(Group::Encryption, object, format!("{text}: {error}")).as_warning()
}

/// Returns the Regions with copies that get the default key, and that the plan shares, each with a
/// receiver.
fn shared_copies(plan: &Plan) -> BTreeMap<&Region, &str> {
    let default_key = |id: &StepId| {
        let step = plan.steps.iter().find(|step| step.id == *id);
        step.is_some_and(|step| matches!(step.action, Action::Copy { kms_key: None, .. }))
    };
    let mut out = BTreeMap::new();
    for step in &plan.steps {
        let Action::AllowLaunch { grants } = &step.action else {
            continue;
        };
        for grant in grants {
            if let AmiRef::MadeBy(id) = &grant.ami
                && default_key(id)
                && let Some(receiver) = grant.to.first()
            {
                out.insert(&step.region, receiver.as_str());
            }
        }
    }
    out
}

/// Sentences about AMIs.
type Reasons = BTreeMap<AmiId, String>;

struct KeyCheck<'c> {
    catalog: &'c Catalog,
    inventory: &'c Inventory,
    cloud: &'c dyn CloudReader,
}

impl<'c> KeyCheck<'c> {
    /// Checks the keys of AMIs in a Region that the plan shares.
    async fn check_amis(&self, region: &Region, needed: &Reasons) -> Vec<Check> {
        let check = |(ami, reason): (&AmiId, &String), managed: &BTreeSet<AmiId>| {
            let object = format!("key of {ami}");
            if managed.contains(ami) {
                Check::missing(Group::Encryption, object, self.ami_error(ami, reason))
            } else {
                Check::ok(Group::Encryption, object)
            }
        };
        match self.managed_amis(region, needed.keys()).await {
            Ok(managed) => needed.iter().map(|one| check(one, &managed)).collect(),
            Err(error) => {
                let text = "whether the AMIs can be shared with other accounts is unknown";
                vec![unknown_key(
                    format!("keys of AMIs in {region}"),
                    text,
                    &error,
                )]
            }
        }
    }

    /// Checks the default key of copies that the plan shares with a receiver.
    async fn check_copies(&self, region: &Region, receiver: &str) -> Check {
        let object = format!("key of copies in {region}");
        match self.managed_default_key(region).await {
            Ok(false) => Check::ok(Group::Encryption, object),
            Ok(true) => {
                Check::missing(Group::Encryption, object, self.copy_error(region, receiver))
            }
            Err(error) => {
                let text = "whether copies can be shared with other accounts is unknown";
                unknown_key(object, text, &error)
            }
        }
    }

    /// Returns the other accounts and the organizations that can get an image: those of its
    /// environments.
    fn accounts(&self, image: &Image) -> BTreeSet<String> {
        let settings = &self.catalog.settings;
        let highest = settings.environment_level(&image.environment);
        let levels = settings
            .environments
            .iter()
            .take(highest.map_or(0, |n| n + 1));
        let own = &self.inventory.account;
        let receivers = levels.flat_map(|environment| {
            let accounts = environment.accounts.iter().cloned();
            accounts.chain(environment.receivers(own))
        });
        receivers.filter(|account| account != own).collect()
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

    /// Returns the AMIs that the plan shares, or builds on for other accounts, by Region and each with
    /// the sentence about it. A build with a key of its own encrypts again.
    fn shared_amis<'p>(&self, plan: &'p Plan, builds: &[&Image]) -> BTreeMap<&'p Region, Reasons> {
        let mut out: BTreeMap<&Region, Reasons> = BTreeMap::new();
        let keeps_key = self.catalog.settings.build_key().is_none();
        let mut add = |region: &'p Region, ami: &AmiId, text: String| {
            let reasons = out.entry(region).or_default();
            reasons.entry(ami.clone()).or_insert(text);
        };
        for step in &plan.steps {
            match &step.action {
                Action::Share {
                    ami: AmiRef::Known(ami),
                    account,
                } => add(
                    &step.region,
                    ami,
                    format!("cannot be shared with {account}"),
                ),
                Action::AllowLaunch { grants } => {
                    for grant in grants {
                        if let (AmiRef::Known(ami), Some(one)) = (&grant.ami, grant.to.first()) {
                            add(&step.region, ami, format!("cannot be shared with {one}"));
                        }
                    }
                }
                Action::Build {
                    image,
                    base: AmiRef::Known(base),
                    ..
                } if keeps_key && builds.iter().any(|built| built.name == *image) => {
                    let text = format!("`{image}` is built on it for other accounts");
                    add(&step.region, base, text);
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
        let is_managed = self.managed_default_key(home).await?;
        Ok(is_managed.then(|| "EBS encryption by default".to_owned()))
    }

    /// Returns whether EBS encryption by default uses a key of AWS in a Region.
    async fn managed_default_key(&self, region: &Region) -> CloudResult<bool> {
        match self.cloud.default_key(region).await? {
            None => Ok(false),
            Some(key) if key.ends_with(AWS_MANAGED_KEY) => Ok(true),
            Some(key) => self.cloud.is_aws_managed(region, &key).await,
        }
    }

    /// Returns those AMIs that have a snapshot with a key of AWS.
    async fn managed_amis(
        &self,
        region: &Region,
        amis: impl Iterator<Item = &AmiId>,
    ) -> CloudResult<BTreeSet<AmiId>> {
        let own = |id: &AmiId| {
            let own = &self.inventory.account;
            let mut all = self.inventory.images.iter();
            all.find(|ami| ami.id == *id && ami.region == *region && ami.owner == *own)
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
        for (snapshot, key) in self.cloud.snapshot_keys(region, &snapshots).await? {
            let is_managed = match managers.get(&key) {
                Some(known) => *known,
                None => self.cloud.is_aws_managed(region, &key).await?,
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
        let accounts: Vec<String> = self.accounts(image).into_iter().collect();
        let (home, own) = (self.catalog.settings.home(), &self.inventory.account);
        let text = format!(
            "{how} of account {own} in {home} encrypts with `{AWS_MANAGED_KEY}`, so AMIs of `{}` could not be \
             shared with {}",
            image.name,
            accounts.join(", ")
        );
        Error::new(ErrorKind::Refused, text).hint(USE_OWN_KEY)
    }

    fn copy_error(&self, region: &Region, receiver: &str) -> Error {
        let own = &self.inventory.account;
        let text = format!(
            "EBS encryption by default of account {own} in {region} encrypts with `{AWS_MANAGED_KEY}`, so the copies \
             there could not be shared with {receiver}"
        );
        Error::new(ErrorKind::Refused, text).hint(format!(
            "add a customer managed key for {region} to `builder.kms_key` in bakeline.yaml"
        ))
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
