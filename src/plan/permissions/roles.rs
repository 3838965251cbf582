//! Lists the roles of a catalog with their policies: one for each purpose in the home account, and
//! those of the environments.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::policy::{Place, policies, statements};
use super::subject::Subject;
use super::table::TABLE;
use super::types::{Caller, Purpose, home_role_name};
use crate::catalog::{Catalog, Environment};

/// Role with its policies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoleDocument {
    /// Name of the role.
    pub name: String,
    /// Path of the role in IAM.
    pub path: String,
    /// Accounts of the role. Empty for the home account.
    pub accounts: Vec<String>,
    /// Purposes of the role.
    #[serde(serialize_with = "purpose_names")]
    pub purposes: Vec<Purpose>,
    /// External IDs that the trust policy accepts.
    #[serde(skip)]
    pub external_ids: Vec<String>,
    /// Permissions, in policies within the size limit of IAM.
    pub policies: Vec<Value>,
}

impl RoleDocument {
    /// Returns whether the role is in the home account.
    #[must_use]
    pub fn is_home(&self) -> bool {
        self.accounts.is_empty()
    }
}

fn purpose_names<S: serde::Serializer>(
    purposes: &[Purpose],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(purposes.iter().map(|p| p.as_str()))
}

/// Returns the roles for these purposes: those in the home account, then those of the environments.
/// `account` is the home account, if it is known. Environments may list it.
#[must_use]
pub fn role_documents(
    catalog: &Catalog,
    purposes: &[Purpose],
    account: Option<&str>,
) -> Vec<RoleDocument> {
    let home = Subject::home(catalog, account);
    let mut out: Vec<RoleDocument> = purposes
        .iter()
        .map(|purpose| RoleDocument {
            name: home_role_name(catalog, *purpose),
            path: "/".to_owned(),
            accounts: Vec::new(),
            purposes: vec![*purpose],
            external_ids: Vec::new(),
            policies: policies(statements(&home, Place::Home, &[*purpose])),
        })
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for name in catalog.settings.environments.iter().flat_map(role_names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    out.extend(
        names
            .into_iter()
            .filter_map(|name| environment_role(catalog, name, purposes, account)),
    );
    out
}

/// Returns the role that environments name, unless it serves none of the purposes.
fn environment_role(
    catalog: &Catalog,
    name: &str,
    purposes: &[Purpose],
    account: Option<&str>,
) -> Option<RoleDocument> {
    let all = &catalog.settings.environments;
    let users: Vec<&Environment> = all
        .iter()
        .filter(|e| role_names(e).any(|n| n == name))
        .collect();
    let serves = |environment: &Environment, purpose: Purpose| {
        let role = match (purpose, &environment.read_role) {
            (Purpose::Read, Some(role)) => Some(role),
            _ => environment.role.as_ref(),
        };
        role.is_some_and(|role| role_name(role) == name)
    };
    let served: Vec<Purpose> = purposes
        .iter()
        .filter(|purpose| users.iter().any(|e| serves(e, **purpose)))
        .copied()
        .collect();
    let subject = Subject::environments(catalog, account, &users);
    let accounts: BTreeSet<&String> = users.iter().flat_map(|e| subject.accounts(e)).collect();
    if served.is_empty() || accounts.is_empty() {
        return None;
    }
    // A role that one environment assumes without external ID cannot require one.
    let external_ids: Option<BTreeSet<&String>> =
        users.iter().map(|e| e.external_id.as_ref()).collect();
    let (path, base) = name.rsplit_once('/').unwrap_or(("", name));
    Some(RoleDocument {
        name: base.to_owned(),
        path: match path {
            "" => "/".to_owned(),
            path => format!("/{path}/"),
        },
        accounts: accounts.into_iter().cloned().collect(),
        external_ids: external_ids.into_iter().flatten().cloned().collect(),
        policies: policies(statements(&subject, Place::Accounts, &served)),
        purposes: served,
    })
}

fn role_names(environment: &Environment) -> impl Iterator<Item = &str> {
    let roles = [&environment.role, &environment.read_role];
    roles.into_iter().flatten().map(|role| role_name(role))
}

/// Returns the path and name of a role from its ARN.
fn role_name(arn: &str) -> &str {
    arn.split_once(":role/").map_or(arn, |(_, name)| name)
}

/// Row of the list of permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionList {
    /// Action in an IAM policy.
    pub action: &'static str,
    /// `home` or `environments`.
    pub account: &'static str,
    /// Purposes that need the permission.
    pub roles: Vec<&'static str>,
    /// Reason for the calls.
    pub reason: &'static str,
    /// Program that makes the calls.
    pub caller: &'static str,
    /// ARNs of the resources.
    pub resources: Vec<String>,
}

/// Lists the permissions for these purposes, in the order of the table.
#[must_use]
pub fn list_permissions(
    catalog: &Catalog,
    purposes: &[Purpose],
    account: Option<&str>,
) -> Vec<PermissionList> {
    let home = Subject::home(catalog, account);
    let environments: Vec<&Environment> = catalog
        .settings
        .environments
        .iter()
        .filter(|e| home.accounts(e).next().is_some())
        .collect();
    let mut places = vec![];
    if !environments.is_empty() {
        let subject = Subject::environments(catalog, account, &environments);
        places.push((Place::Accounts, "environments", subject));
    }
    places.insert(0, (Place::Home, "home", home));
    let mut out = Vec::new();
    for (place, name, subject) in &places {
        for permission in TABLE {
            let needed = match place {
                Place::Home => permission.home,
                Place::Accounts => permission.accounts,
            };
            let roles: Vec<Purpose> = purposes
                .iter()
                .filter(|p| needed.contains(p) && subject.needs(permission.need, **p))
                .copied()
                .collect();
            let resources: BTreeSet<String> = roles
                .iter()
                .flat_map(|purpose| subject.resolve(permission.scope, *purpose).0)
                .collect();
            if !resources.is_empty() {
                out.push(PermissionList {
                    action: permission.action,
                    account: name,
                    roles: roles.iter().map(|p| p.as_str()).collect(),
                    reason: permission.reason,
                    caller: caller_name(permission.caller),
                    resources: resources.into_iter().collect(),
                });
            }
        }
    }
    out
}

fn caller_name(caller: Caller) -> &'static str {
    match caller {
        Caller::Sdk | Caller::Credentials | Caller::Store => "bakeline",
        Caller::Packer => "packer",
        Caller::SessionTools => "aws",
        Caller::Aws => "AWS",
    }
}
