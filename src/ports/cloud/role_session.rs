//! Defines the session of a role in another account.

/// Session of a role, as AssumeRole starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// ARN of the role.
    pub role: String,
    /// Name of the session, which CloudTrail shows.
    pub name: String,
    /// External ID that the trust policy of the role requires.
    pub external_id: Option<String>,
    /// Policy that limits the permissions of the session.
    pub policy: Option<String>,
}
