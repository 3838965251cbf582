//! Implements `bakeline permissions`: prints the permissions that the catalog needs in AWS.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::cli::{PermissionFormat, PermissionRole, Permissions as Args};
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::permissions::{
    GitLab, Purpose, RoleDocument, Trust, list_permissions, role_documents, template,
};
use crate::ui;
use crate::ui::table::Table;

/// Maximum number of bytes of a template in a call (CloudFormation API Reference, `TemplateBody`).
const MAX_BODY: usize = 51_200;

/// Trust policy of a role.
#[derive(Serialize)]
struct RoleTrust {
    name: String,
    path: String,
    /// Accounts of the role. Empty for the home account.
    accounts: Vec<String>,
    policy: Value,
}

pub(crate) fn run(dir: &Path, args: &Args) -> Result<u8> {
    if args.json && args.format != PermissionFormat::List {
        let error = Error::new(ErrorKind::Usage, "--json is an option of --format list");
        return Err(error.hint("the other formats are JSON"));
    }
    let loaded = context::load_catalog(dir)?;
    let catalog = &*loaded.catalog;
    let purposes = purposes(args.role);
    let gitlab = gitlab(args);
    let of_catalog = catalog.settings.account.as_deref();
    let account = args.account.as_deref().or(of_catalog);
    match args.format {
        PermissionFormat::List => print_list(catalog, &purposes, account, args.json),
        PermissionFormat::Iam => ui::json(&role_documents(catalog, &purposes, account)),
        PermissionFormat::Trust => {
            let Some(account) = account else {
                let text = "a trust policy contains the ID of the home account";
                let error = Error::new(ErrorKind::Usage, text);
                return Err(error.hint("use --account ID; `aws sts get-caller-identity` shows it"));
            };
            let trust = Trust {
                home_account: account,
                gitlab: gitlab.as_ref(),
            };
            let roles = role_documents(catalog, &purposes, Some(account));
            ui::json(
                &roles
                    .into_iter()
                    .map(|r| role_trust(catalog, &trust, r))
                    .collect::<Vec<_>>(),
            );
        }
        PermissionFormat::Cloudformation => {
            let text = lines(&template(catalog, &purposes, account, gitlab.as_ref()), 2);
            if text.len() > MAX_BODY {
                ui::say("note: the template is too large for a direct upload; use --s3-bucket");
            }
            ui::data(&text);
        }
    }
    if let Some(gitlab) = gitlab.filter(|_| has_trust(args.format)) {
        ui::say(&format!(
            "note: protect the branch `{}` in GitLab; IAM cannot check that a ref is protected",
            gitlab.branch
        ));
    }
    Ok(0)
}

/// Renders JSON with one line for each member down to a depth. A template with more white space
/// would exceed the limit of CloudFormation.
fn lines(value: &Value, depth: usize) -> String {
    match value {
        Value::Object(members) if depth > 0 && !members.is_empty() => {
            let indent = "  ".repeat(3 - depth);
            let member = |(key, value): (&String, &Value)| {
                let key = Value::from(key.as_str());
                format!("{indent}{key}: {}", lines(value, depth - 1))
            };
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{\n{}\n{}}}", members.join(",\n"), &indent[2..])
        }
        other => other.to_string(),
    }
}

fn has_trust(format: PermissionFormat) -> bool {
    matches!(
        format,
        PermissionFormat::Trust | PermissionFormat::Cloudformation
    )
}

fn purposes(role: PermissionRole) -> Vec<Purpose> {
    match role {
        PermissionRole::Read => vec![Purpose::Read],
        PermissionRole::Build => vec![Purpose::Build],
        PermissionRole::Promote => vec![Purpose::Promote],
        PermissionRole::Prune => vec![Purpose::Prune],
        PermissionRole::All => Purpose::ALL.to_vec(),
    }
}

fn gitlab(args: &Args) -> Option<GitLab> {
    let host = args.gitlab_host.clone();
    Some(GitLab {
        project: args.gitlab_project.clone()?,
        branch: args.branch.clone(),
        audience: args
            .audience
            .clone()
            .unwrap_or_else(|| format!("https://{host}")),
        host,
    })
}

fn role_trust(catalog: &Catalog, trust: &Trust<'_>, role: RoleDocument) -> RoleTrust {
    RoleTrust {
        policy: trust.document(catalog, &role),
        name: role.name,
        path: role.path,
        accounts: role.accounts,
    }
}

fn print_list(catalog: &Catalog, purposes: &[Purpose], account: Option<&str>, as_json: bool) {
    let list = list_permissions(catalog, purposes, account);
    if as_json {
        return ui::json(&list);
    }
    let mut table = Table::with_text(&["ACTION", "ACCOUNT", "ROLES", "CALLER"], "REASON");
    for p in &list {
        let cells = [p.action, p.account, &p.roles.join(","), p.caller];
        table.push_text(cells.map(str::to_owned).to_vec(), vec![p.reason.to_owned()]);
    }
    ui::table(&table);
}
