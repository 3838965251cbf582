//! Derives the permissions that bakeline needs in AWS from the catalog: policies, trust policies and
//! a CloudFormation template.

mod policy;
mod roles;
mod stack;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod trust;
mod types;

pub use policy::{MAX_POLICY, Statement, policies, session_policy};
pub use roles::{PermissionList, RoleDocument, list_permissions, role_documents};
pub use stack::template;
pub use table::TABLE;
pub use trust::{GitLab, Trust};
pub use types::{Caller, Kind, Need, Permission, Purpose, Scope, home_role_name};
