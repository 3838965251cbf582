//! Combines permissions into statements, and statements into policies within the limits of IAM.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::subject::Subject;
use super::table::TABLE;
use super::types::{Permission, Purpose};

/// Version of the policy language.
pub(super) const VERSION: &str = "2012-10-17";
/// Maximum number of characters of a managed policy without white space (IAM User Guide, "IAM and
/// AWS STS quotas").
pub const MAX_POLICY: usize = 6144;

/// Statement of a policy: actions with the same resources and condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Allowed actions.
    pub actions: BTreeSet<&'static str>,
    /// ARNs of the resources.
    pub resources: Vec<String>,
    /// Condition, or an empty object.
    pub condition: Value,
}

impl Statement {
    fn to_json(&self) -> Value {
        let statement = json!({
            "Effect": "Allow",
            "Action": self.actions,
            "Resource": self.resources,
            "Condition": self.condition,
        });
        match statement {
            Value::Object(members) => without_empty(members),
            other => other,
        }
    }

    /// Returns statements with parts of the resources, each of which fits into a policy.
    fn split(self) -> Vec<Self> {
        let fits = document(&[self.to_json()]).to_string().len() <= MAX_POLICY;
        if fits || self.resources.len() < 2 {
            return vec![self];
        }
        let (first, second) = self.resources.split_at(self.resources.len() / 2);
        let part = |resources: &[String]| Self {
            resources: resources.to_vec(),
            ..self.clone()
        };
        [part(first), part(second)]
            .into_iter()
            .flat_map(Self::split)
            .collect()
    }
}

/// Account of a role: home, or those of environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Home,
    Accounts,
}

/// Returns the statements for these purposes. Rows with the same resources and condition share one.
pub(super) fn statements(
    subject: &Subject<'_>,
    place: Place,
    purposes: &[Purpose],
) -> Vec<Statement> {
    let mut out: Vec<Statement> = Vec::new();
    for permission in TABLE {
        let roles = match place {
            Place::Home => permission.home,
            Place::Accounts => permission.accounts,
        };
        for purpose in purposes.iter().filter(|p| roles.contains(p)) {
            if !subject.needs(permission.need, *purpose) {
                continue;
            }
            let (resources, condition) = subject.resolve(permission.scope, *purpose);
            if resources.is_empty() {
                continue;
            }
            let same = |s: &&mut Statement| s.resources == resources && s.condition == condition;
            match out.iter_mut().find(same) {
                Some(statement) => {
                    statement.actions.insert(permission.action);
                }
                None => out.push(Statement {
                    actions: BTreeSet::from([permission.action]),
                    resources,
                    condition,
                }),
            }
        }
    }
    out
}

/// Returns policies with these statements, each below the size limit of a managed policy.
#[must_use]
pub fn policies(statements: Vec<Statement>) -> Vec<Value> {
    let mut out: Vec<Vec<Value>> = Vec::new();
    for statement in statements.into_iter().flat_map(Statement::split) {
        let statement = statement.to_json();
        let fitting = out.iter_mut().find(|policy| {
            let whole: Vec<Value> = policy.iter().chain([&statement]).cloned().collect();
            document(&whole).to_string().len() <= MAX_POLICY
        });
        match fitting {
            Some(policy) => policy.push(statement),
            None => out.push(vec![statement]),
        }
    }
    out.iter().map(|policy| document(policy)).collect()
}

fn document(statements: &[Value]) -> Value {
    json!({ "Version": VERSION, "Statement": statements })
}

/// Returns the policy of a session that only reads: all actions that commands with the purpose
/// `Read` call in the accounts of the environments, and the reads of `preflight`, which uses the role
/// of builds.
#[must_use]
pub fn session_policy() -> String {
    let is_needed = |p: &&Permission| {
        let checks_builds = p.accounts.contains(&Purpose::Build) && is_read(p.action);
        p.accounts.contains(&Purpose::Read) || checks_builds
    };
    let rows = TABLE.iter().filter(is_needed);
    let actions: BTreeSet<&str> = rows.map(|p| p.action).collect();
    json!({
        "Version": VERSION,
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    })
    .to_string()
}

/// Returns whether an action changes nothing. StartSession and others are changes.
pub(super) fn is_read(action: &str) -> bool {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    ["Decode", "Describe", "Get", "List"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

/// Returns an object without its empty members.
pub(super) fn without_empty(object: Map<String, Value>) -> Value {
    let kept = object
        .into_iter()
        .filter(|(_, value)| value.as_object().is_none_or(|o| !o.is_empty()));
    Value::Object(kept.collect())
}
