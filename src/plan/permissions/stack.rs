//! Renders the roles as one CloudFormation template, for the home account and those of the
//! environments.

use serde_json::{Map, Value, json};

use super::roles::{RoleDocument, role_documents};
use super::trust::{GitLab, Trust};
use super::types::Purpose;
use crate::catalog::Catalog;

/// Reference to the parameter of the template that has the home account.
const HOME_ACCOUNT: &str = "${HomeAccount}";
/// Maximum number of conditions in `Fn::Or` (CloudFormation User Guide, "Condition functions").
const MAX_OR: usize = 10;

/// Returns a CloudFormation template with the roles for these purposes. A stack creates the roles
/// of the account in which it is deployed.
#[must_use]
pub fn template(
    catalog: &Catalog,
    purposes: &[Purpose],
    home_account: Option<&str>,
    gitlab: Option<&GitLab>,
) -> Value {
    let trust = Trust {
        home_account: HOME_ACCOUNT,
        gitlab,
    };
    let mut stack = Stack::default();
    let is_home = json!({ "Fn::Equals": [{ "Ref": "AWS::AccountId" }, { "Ref": "HomeAccount" }] });
    stack.conditions.insert("IsHome".to_owned(), is_home);
    let mut environments = 0;
    for role in role_documents(catalog, purposes, home_account) {
        let (id, condition) = if role.is_home() {
            (logical_id(&role), "IsHome".to_owned())
        } else {
            environments += 1;
            let id = format!("Environment{environments}");
            let condition = format!("Has{id}");
            stack.add_account_condition(&condition, &role.accounts);
            (id, condition)
        };
        let document = substitute(trust.document(catalog, &role));
        stack.add_role(&id, &condition, &role, document);
    }
    let mut parameter = json!({
        "Type": "String",
        "Description": "ID of the account in which images are built",
        "AllowedPattern": "^[0-9]{12}$",
    });
    if let Some(account) = home_account {
        parameter["Default"] = json!(account);
    }
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("Roles of the bakeline catalog {}", catalog.settings.name),
        "Parameters": { "HomeAccount": parameter },
        "Conditions": stack.conditions,
        "Resources": stack.resources,
        "Outputs": stack.outputs,
    })
}

/// Parts of a template.
#[derive(Default)]
struct Stack {
    conditions: Map<String, Value>,
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
}

impl Stack {
    /// Adds a condition that is true in these accounts, without the home account.
    fn add_account_condition(&mut self, name: &str, accounts: &[String]) {
        let mut level: Vec<Value> = accounts
            .iter()
            .map(|account| json!({ "Fn::Equals": [{ "Ref": "AWS::AccountId" }, account] }))
            .collect();
        while level.len() > 1 {
            level = level
                .chunks(MAX_OR)
                .map(|chunk| match chunk {
                    [only] => only.clone(),
                    some => json!({ "Fn::Or": some }),
                })
                .collect();
        }
        if let Some(listed) = level.pop() {
            // Environments may list the home account.
            let other = json!({ "Fn::Not": [{ "Condition": "IsHome" }] });
            let condition = json!({ "Fn::And": [other, listed] });
            self.conditions.insert(name.to_owned(), condition);
        }
    }

    fn add_role(&mut self, id: &str, condition: &str, role: &RoleDocument, trust: Value) {
        let role_id = format!("{id}Role");
        let resource = json!({
            "Type": "AWS::IAM::Role",
            "Condition": condition,
            "Properties": {
                "RoleName": role.name,
                "Path": role.path,
                "AssumeRolePolicyDocument": trust,
            },
        });
        self.resources.insert(role_id.clone(), resource);
        for (number, policy) in role.policies.iter().enumerate() {
            let resource = json!({
                "Type": "AWS::IAM::ManagedPolicy",
                "Condition": condition,
                "Properties": { "PolicyDocument": policy, "Roles": [{ "Ref": role_id.clone() }] },
            });
            let policy_id = format!("{id}Policy{}", number + 1);
            self.resources.insert(policy_id, resource);
        }
        let output = json!({
            "Condition": condition,
            "Value": { "Fn::GetAtt": [role_id.clone(), "Arn"] },
        });
        self.outputs.insert(format!("{role_id}Arn"), output);
    }
}

/// Returns the logical ID of a role in the home account, such as `HomeBuild`.
fn logical_id(role: &RoleDocument) -> String {
    let purposes = role.purposes.iter().map(|purpose| {
        let name = purpose.as_str();
        name[..1].to_uppercase() + &name[1..]
    });
    format!("Home{}", purposes.collect::<String>())
}

/// Replaces texts that refer to the parameter by calls of `Fn::Sub`.
fn substitute(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains(HOME_ACCOUNT) => json!({ "Fn::Sub": text }),
        Value::Array(items) => items.into_iter().map(substitute).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, member)| (key, substitute(member)))
            .collect(),
        other => other,
    }
}
