//! Decides with which role and for which purpose a command enters the accounts of the environments.

use crate::catalog::Environment;
use crate::model::RunId;
use crate::plan::permissions::session_policy;
use crate::ports::RoleSession;

/// Longest name of a session (STS API Reference, AssumeRole).
const MAX_SESSION_NAME: usize = 64;

/// Access of a command to the accounts of the environments. Each command chooses one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AccessMode<'r> {
    /// The command changes nothing in AWS. The text is the name of the command.
    Read(&'static str),
    /// The command changes nothing in AWS, but uses the role of commands that change resources, limited
    /// to reads. The text is the name of the command.
    Limited(&'static str),
    /// The command changes resources in this run.
    Change(&'r RunId),
}

impl<'r> AccessMode<'r> {
    /// Returns `Change` for a command that acts (`--apply`), else `Read`.
    pub(crate) fn change_if(acts: bool, command: &'static str, run: &'r RunId) -> Self {
        if acts {
            Self::Change(run)
        } else {
            Self::Read(command)
        }
    }

    /// Returns the name of the sessions: `bakeline-<run ID>`, or `bakeline-<command>`.
    fn session_name(self) -> String {
        let id = match self {
            Self::Read(command) | Self::Limited(command) => command,
            Self::Change(run) => run.as_str(),
        };
        let allowed = |c: char| {
            if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) {
                c
            } else {
                '-'
            }
        };
        "bakeline-"
            .chars()
            .chain(id.chars().map(allowed))
            .take(MAX_SESSION_NAME)
            .collect()
    }
}

/// Returns the session in an account of an environment: for a command that reads, a session of
/// `read_role`, or a session of `role` that a policy limits to reads. Returns `None` if the
/// environment has no role for this access.
pub(crate) fn role_session(
    environment: &Environment,
    account: &str,
    access: AccessMode<'_>,
) -> Option<RoleSession> {
    let (role, policy) = match (access, &environment.read_role) {
        (AccessMode::Read(_), Some(role)) => (role, None),
        (AccessMode::Read(_), None) | (AccessMode::Limited(_), _) => {
            (environment.role.as_ref()?, Some(session_policy()))
        }
        (AccessMode::Change(_), _) => (environment.role.as_ref()?, None),
    };
    Some(RoleSession {
        role: role_in_account(role, account),
        name: access.session_name(),
        external_id: environment.external_id.clone(),
        policy,
    })
}

/// Returns the ARN of the role with the same name in another account.
pub(crate) fn role_in_account(role: &str, account: &str) -> String {
    let mut parts: Vec<&str> = role.splitn(6, ':').collect();
    if let Some(part) = parts.get_mut(4) {
        *part = account;
    }
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Settings, load_settings};

    const ROLE: &str = "arn:aws:iam::222222222222:role/bakeline";
    const READ_ROLE: &str = "arn:aws:iam::222222222222:role/team/bakeline-read";

    fn parse_settings(text: &str) -> Settings {
        let files = std::collections::BTreeMap::from([(
            "bakeline.yaml".to_owned(),
            text.as_bytes().to_vec(),
        )]);
        load_settings(&files).0.expect("valid settings")
    }

    fn environment(more: &str) -> Environment {
        let text = format!(
            "name: acme\nregions: [eu-west-1]\n\
             environments: [{{name: Prod, accounts: ['222222222222', '333333333333'], role: {ROLE}{more}}}]\n"
        );
        let settings = parse_settings(&text);
        settings.environments[0].clone()
    }

    fn session(more: &str, access: AccessMode<'_>) -> RoleSession {
        role_session(&environment(more), "333333333333", access).expect("a role")
    }

    #[test]
    fn reading_command_assumes_read_role_or_limits_the_session() {
        let read = AccessMode::Read("plan");
        let limited = session("", read);
        assert_eq!(limited.role, "arn:aws:iam::333333333333:role/bakeline");
        assert_eq!(limited.policy, Some(session_policy()));
        let own = session(&format!(", read_role: {READ_ROLE}"), read);
        assert_eq!(
            own.role,
            "arn:aws:iam::333333333333:role/team/bakeline-read"
        );
        assert_eq!(own.policy, None);
        let more = format!(", read_role: {READ_ROLE}");
        let tested = session(&more, AccessMode::Limited("preflight"));
        assert_eq!(tested.role, "arn:aws:iam::333333333333:role/bakeline");
        assert_eq!(tested.policy, Some(session_policy()));
    }

    #[test]
    fn changing_command_assumes_role_without_policy() {
        let run = RunId::from("20260101T000000Z-ab12");
        let more = format!(", read_role: {READ_ROLE}, external_id: 'acme/7'");
        let session = session(&more, AccessMode::Change(&run));
        assert_eq!(session.role, "arn:aws:iam::333333333333:role/bakeline");
        assert_eq!(session.policy, None);
        assert_eq!(session.name, "bakeline-20260101T000000Z-ab12");
        assert_eq!(session.external_id.as_deref(), Some("acme/7"));
    }

    #[test]
    fn session_name_has_the_syntax_of_sts() {
        let run = RunId::from(format!("a b/ü:{}", "x".repeat(80)).as_str());
        let name = AccessMode::Change(&run).session_name();
        assert_eq!(name.len(), MAX_SESSION_NAME);
        assert!(name.starts_with("bakeline-a-b---x"), "{name}");
        assert_eq!(AccessMode::Read("list").session_name(), "bakeline-list");
    }

    #[test]
    fn account_without_role_has_no_session() {
        let text = "name: acme\nregions: [eu-west-1]\n\
                    environments: [{name: Prod, accounts: ['222222222222']}]\n";
        let settings = parse_settings(text);
        assert!(
            role_session(
                &settings.environments[0],
                "222222222222",
                AccessMode::Read("plan")
            )
            .is_none()
        );
    }
}
