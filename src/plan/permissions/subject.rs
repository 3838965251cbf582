//! Resolves resources and conditions of permissions with the values of a catalog.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::table::TABLE;
use super::types::{Kind, Need, Purpose, Scope};
use crate::catalog::{Access, Catalog, Environment, Origin, Source, StoreSettings};
use crate::lifecycle::tags;
use crate::model::Region;

/// Catalog and environments that the permissions are for.
pub(super) struct Subject<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) partition: &'static str,
    /// ID of the home account, if it is known.
    home_account: Option<&'c str>,
    /// Regions in which the role acts.
    pub(super) regions: Vec<&'c Region>,
}

impl<'c> Subject<'c> {
    /// Returns the subject for the roles in the home account.
    pub(super) fn home(catalog: &'c Catalog, account: Option<&'c str>) -> Self {
        Self::new(catalog, account, catalog.settings.regions.iter().collect())
    }

    /// Returns the subject for a role of these environments.
    pub(super) fn environments(
        catalog: &'c Catalog,
        account: Option<&'c str>,
        environments: &[&'c Environment],
    ) -> Self {
        let used: BTreeSet<&Region> = environments.iter().flat_map(|e| &e.regions).collect();
        let all = catalog.settings.regions.iter();
        Self::new(catalog, account, all.filter(|r| used.contains(r)).collect())
    }

    fn new(catalog: &'c Catalog, account: Option<&'c str>, regions: Vec<&'c Region>) -> Self {
        Self {
            catalog,
            home_account: account,
            partition: catalog.settings.home().partition(),
            regions,
        }
    }

    /// Returns the accounts of an environment, without the home account.
    pub(super) fn accounts<'e>(
        &self,
        environment: &'e Environment,
    ) -> impl Iterator<Item = &'e String> {
        let home = self.home_account;
        let accounts = environment.accounts.iter();
        accounts.filter(move |account| home != Some(account.as_str()))
    }

    /// Returns whether the catalog causes calls for this purpose.
    pub(super) fn needs(&self, need: Need, purpose: Purpose) -> bool {
        let settings = &self.catalog.settings;
        // A release reaches only the first environment.
        let reached = match purpose {
            Purpose::Build => &settings.environments[..settings.environments.len().min(1)],
            _ => &settings.environments[..],
        };
        match need {
            Need::Always => true,
            Need::Copies => reached.iter().any(|e| {
                let copies_to_accounts = !e.is_shared() && self.accounts(e).next().is_some();
                copies_to_accounts || e.regions.iter().any(|r| r != settings.home())
            }),
            Need::CopyAccounts => {
                let mut environments = settings.environments.iter();
                environments.any(|e| !e.is_shared() && self.accounts(e).next().is_some())
            }
            Need::Shares => settings.environments.iter().any(Environment::is_shared),
            Need::Accounts => {
                let mut environments = settings.environments.iter();
                environments.any(|e| e.is_shared() || self.accounts(e).next().is_some())
            }
            Need::InstanceProfile => !self.instance_profiles().is_empty(),
            Need::Sessions => {
                let mut images = self.catalog.images.values();
                settings.builder.access == Access::Ssm
                    || images.any(|i| i.builder(settings).access == Access::Ssm)
            }
            Need::SourceParameters => !self.source_parameters().is_empty(),
            Need::Keys => {
                let mut environments = settings.environments.iter();
                !settings.builder.kms_keys.is_empty()
                    || environments.any(|e| !e.kms_keys.is_empty())
            }
            Need::Bucket => matches!(settings.store, StoreSettings::S3 { .. }),
        }
    }

    /// Returns the resources and the condition of a scope.
    pub(super) fn resolve(&self, scope: Scope, purpose: Purpose) -> (Vec<String>, Value) {
        let catalog = self.catalog.settings.name.as_str();
        let regions = json!({ "StringEquals": { "aws:RequestedRegion": self.region_names() } });
        let with = |operator: &str, key: String| {
            let mut condition = regions.clone();
            condition[operator][key] = json!(catalog);
            condition
        };
        let resource_tag = || format!("aws:ResourceTag/{}", tags::CATALOG);
        let request_tag = || format!("aws:RequestTag/{}", tags::CATALOG);
        match scope {
            Scope::Any => (vec!["*".to_owned()], json!({})),
            Scope::Regions => (vec!["*".to_owned()], regions),
            Scope::Tagged(kinds) => (self.ec2(kinds), with("StringEquals", resource_tag())),
            Scope::TaggedOrNew(kinds) => (
                self.ec2(kinds),
                with("StringEqualsIfExists", resource_tag()),
            ),
            Scope::Marked(kinds) => (self.ec2(kinds), with("StringEquals", request_tag())),
            Scope::Launched(kinds) => match self.partition {
                "aws-cn" | "aws-us-gov" => (self.ec2(kinds), regions),
                _ => (self.ec2(kinds), with("StringEquals", request_tag())),
            },
            Scope::OnCreate(kinds) => {
                let mut condition = with("StringEquals", request_tag());
                condition["StringEquals"]["ec2:CreateAction"] = json!(creating_actions());
                (self.ec2(kinds), condition)
            }
            Scope::Used(kinds) => (self.ec2(kinds), regions),
            Scope::Pointers => {
                let path = self.arn("ssm", "*:*", &format!("parameter/bakeline/{catalog}"));
                (vec![path.clone(), format!("{path}/*")], regions)
            }
            Scope::SourceParameters => (self.source_parameters(), json!({})),
            Scope::AllParameters => (vec![self.arn("ssm", "*:*", "parameter/*")], regions),
            Scope::EnvironmentRoles => (self.environment_roles(purpose), json!({})),
            Scope::InstanceProfiles => (self.profiles("instance-profile"), json!({})),
            Scope::ProfileRoles => {
                let service = match self.partition {
                    "aws-cn" => "ec2.amazonaws.com.cn",
                    _ => "ec2.amazonaws.com",
                };
                let condition = json!({ "StringEquals": { "iam:PassedToService": service } });
                (self.profiles("role"), condition)
            }
            Scope::SessionTargets => {
                let mut resources = self.ec2(&[Kind::Instance]);
                for name in ["AWS-StartPortForwardingSession", "AWS-StartSSHSession"] {
                    resources.push(self.arn("ssm", "*:*", &format!("document/{name}")));
                }
                // Documents have no tags.
                (resources, with("StringEqualsIfExists", resource_tag()))
            }
            Scope::OwnSessions => {
                let own = self.arn("ssm", "*:*", "session/${aws:userid}-*");
                (vec![own], regions)
            }
            Scope::Keys => {
                let keys = self.arn("kms", "*:*", "key/*");
                let condition = json!({ "StringEquals": { "kms:ViaService": self.ec2_hosts() } });
                (vec![keys], condition)
            }
            Scope::Bucket => (self.bucket(false), json!({})),
            Scope::Objects => (self.bucket(true), json!({})),
        }
    }

    fn region_names(&self) -> Vec<&str> {
        self.regions.iter().map(|r| r.as_str()).collect()
    }

    /// Returns the hosts of EC2 in the Regions, which use KMS keys on behalf of the caller.
    fn ec2_hosts(&self) -> Vec<String> {
        let suffix = match self.partition {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        let hosts = self.regions.iter();
        hosts
            .map(|region| format!("ec2.{region}.{suffix}"))
            .collect()
    }

    fn arn(&self, service: &str, location: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{location}:{resource}", self.partition)
    }

    fn ec2(&self, kinds: &[Kind]) -> Vec<String> {
        let arn = |kind: &Kind| {
            let account = match kind {
                Kind::Image | Kind::Snapshot => "",
                _ => "*",
            };
            self.arn(
                "ec2",
                &format!("*:{account}"),
                &format!("{}/*", kind.as_str()),
            )
        };
        kinds.iter().map(arn).collect()
    }

    fn source_parameters(&self) -> Vec<String> {
        let home = self.catalog.settings.home();
        let names = self
            .catalog
            .images
            .values()
            .filter_map(|i| match &i.origin {
                Origin::Source(Source::Parameter { path, .. }) => Some(path),
                _ => None,
            });
        let arn = |name: &String| {
            // Public parameters belong to no account.
            let account = if name.starts_with("/aws/") { "" } else { "*" };
            self.arn(
                "ssm",
                &format!("{home}:{account}"),
                &format!("parameter{name}"),
            )
        };
        names
            .map(arn)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn instance_profiles(&self) -> BTreeSet<String> {
        let settings = &self.catalog.settings;
        let images = self.catalog.images.values();
        let mut profiles: BTreeSet<String> = images
            .filter_map(|i| i.builder(settings).instance_profile)
            .collect();
        profiles.extend(settings.builder.instance_profile.clone());
        profiles
    }

    fn profiles(&self, kind: &str) -> Vec<String> {
        let profiles = self.instance_profiles();
        let arn = |name: &String| self.arn("iam", ":*", &format!("{kind}/{name}"));
        profiles.iter().map(arn).collect()
    }

    fn environment_roles(&self, purpose: Purpose) -> Vec<String> {
        let mut roles: BTreeSet<String> = BTreeSet::new();
        for environment in &self.catalog.settings.environments {
            let role = match purpose {
                Purpose::Read => environment.read_role.as_ref().or(environment.role.as_ref()),
                _ => environment.role.as_ref(),
            };
            let Some(role) = role else { continue };
            let name = role.splitn(6, ':').nth(5).unwrap_or_default();
            let accounts = self.accounts(environment);
            roles.extend(accounts.map(|account| self.arn("iam", &format!(":{account}"), name)));
        }
        roles.into_iter().collect()
    }

    /// Returns the ARN of the bucket of the store, or of its objects.
    fn bucket(&self, objects: bool) -> Vec<String> {
        let StoreSettings::S3(bucket) = &self.catalog.settings.store else {
            return Vec::new();
        };
        let catalog = &self.catalog.settings.name;
        let objects = match bucket.prefix.as_str() {
            _ if !objects => String::new(),
            "" => format!("/{catalog}/*"),
            prefix => format!("/{prefix}/{catalog}/*"),
        };
        vec![format!(
            "arn:{}:s3:::{}{objects}",
            self.partition, bucket.name
        )]
    }
}

/// Returns the names of the EC2 actions that create resources with tags.
fn creating_actions() -> Vec<&'static str> {
    let created = TABLE.iter().filter(|p| match p.scope {
        Scope::Marked(_) | Scope::Launched(_) => p.action != "ec2:CreateTags",
        _ => p.action == "ec2:CreateImage",
    });
    let names: BTreeSet<&str> = created
        .filter_map(|p| p.action.strip_prefix("ec2:"))
        .collect();
    names.into_iter().collect()
}
