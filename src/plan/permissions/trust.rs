//! Trust policies of the roles: CI jobs of GitLab assume the roles in the home account, and these
//! assume the roles of the environments.

use serde_json::{Map, Value, json};

use super::policy::{VERSION, without_empty};
use super::roles::RoleDocument;
use super::types::{Purpose, home_role_name};
use crate::catalog::Catalog;

/// GitLab project whose CI jobs assume the roles in the home account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitLab {
    /// Host name of GitLab, which is also the name of the identity provider in IAM.
    pub host: String,
    /// Path of the project, such as `group/project`.
    pub project: String,
    /// Protected branch whose jobs may change resources.
    pub branch: String,
    /// Audience of the ID tokens (`aud` in `id_tokens`).
    pub audience: String,
}

/// Principals that assume the roles.
#[derive(Debug)]
pub struct Trust<'t> {
    /// ID of the home account.
    pub home_account: &'t str,
    /// GitLab project. Without it, the home account itself decides who assumes its roles.
    pub gitlab: Option<&'t GitLab>,
}

impl Trust<'_> {
    /// Returns the trust policy of a role.
    #[must_use]
    pub fn document(&self, catalog: &Catalog, role: &RoleDocument) -> Value {
        let statement = match (role.is_home(), self.gitlab) {
            (true, Some(gitlab)) => self.gitlab_statement(catalog, role, gitlab),
            (true, None) => self.account_statement(catalog, json!({})),
            (false, _) => self.account_statement(catalog, self.home_roles(catalog, role)),
        };
        let statement = without_empty(statement);
        json!({ "Version": VERSION, "Statement": [statement] })
    }

    fn account_statement(&self, catalog: &Catalog, condition: Value) -> Map<String, Value> {
        let mut statement = Map::new();
        statement.insert("Effect".to_owned(), json!("Allow"));
        let home = self.arn(catalog, "root");
        statement.insert("Principal".to_owned(), json!({ "AWS": home }));
        statement.insert("Action".to_owned(), json!("sts:AssumeRole"));
        statement.insert("Condition".to_owned(), condition);
        statement
    }

    /// Returns the condition on the roles of the home account that assume an environment's role. A
    /// condition may name roles that do not exist yet; a principal may not.
    fn home_roles(&self, catalog: &Catalog, role: &RoleDocument) -> Value {
        let name = |purpose: &Purpose| {
            let name = home_role_name(catalog, *purpose);
            self.arn(catalog, &format!("role/{name}"))
        };
        let roles: Vec<String> = role.purposes.iter().map(name).collect();
        let mut condition = json!({ "ArnEquals": { "aws:PrincipalArn": roles } });
        if !role.external_ids.is_empty() {
            condition["StringEquals"]["sts:ExternalId"] = json!(role.external_ids);
        }
        condition
    }

    /// Returns the statement for CI jobs. Jobs of every branch may read, because they plan merge
    /// requests. Only jobs of the protected branch may change resources.
    fn gitlab_statement(
        &self,
        catalog: &Catalog,
        role: &RoleDocument,
        gitlab: &GitLab,
    ) -> Map<String, Value> {
        let GitLab { host, project, .. } = gitlab;
        let subject = |branch: &str| format!("project_path:{project}:ref_type:branch:ref:{branch}");
        let (audience_key, subject_key) = (format!("{host}:aud"), format!("{host}:sub"));
        let mut condition = json!({ "StringEquals": { audience_key: gitlab.audience } });
        if role.purposes == [Purpose::Read] {
            condition["StringLike"][subject_key] = json!(subject("*"));
        } else {
            condition["StringEquals"][subject_key] = json!(subject(&gitlab.branch));
        }
        let provider = self.arn(catalog, &format!("oidc-provider/{host}"));
        let mut statement = Map::new();
        statement.insert("Effect".to_owned(), json!("Allow"));
        statement.insert("Principal".to_owned(), json!({ "Federated": provider }));
        statement.insert("Action".to_owned(), json!("sts:AssumeRoleWithWebIdentity"));
        statement.insert("Condition".to_owned(), condition);
        statement
    }

    fn arn(&self, catalog: &Catalog, resource: &str) -> String {
        let partition = catalog.settings.home().partition();
        format!("arn:{partition}:iam::{}:{resource}", self.home_account)
    }
}
