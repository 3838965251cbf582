//! Defines the result of a check of a prerequisite.

use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::ports::{CloudError, CloudErrorKind};

/// Group of checks, in the order of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Programs on this machine.
    Tools,
    /// Credentials, roles and Regions.
    Credentials,
    /// Permissions that dry runs test.
    Permissions,
    /// VPC and subnets.
    Network,
    /// Instance types and AMIs.
    Instances,
    /// Quotas of the account.
    Quotas,
    /// KMS keys and encryption by default.
    Encryption,
    /// Store of the catalog, and SSM parameters.
    Store,
    /// Webhooks.
    Notifications,
}

impl Group {
    /// Returns the name for tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Credentials => "credentials",
            Self::Permissions => "permissions",
            Self::Network => "network",
            Self::Instances => "instances",
            Self::Quotas => "quotas",
            Self::Encryption => "encryption",
            Self::Store => "store",
            Self::Notifications => "notifications",
        }
    }
}

/// Result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The prerequisite is met.
    Ok,
    /// The prerequisite is not met.
    Missing,
    /// The check could not be made. Decides nothing.
    Unknown,
}

impl Status {
    /// Returns the name for tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// Checked prerequisite.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Group of the check.
    pub group: Group,
    /// Checked object, such as a program, a role or a subnet.
    pub object: String,
    /// Result.
    pub status: Status,
    /// Cause of a status other than `ok`, or a note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Next commands or settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next_steps: Vec<String>,
    /// True if a release is refused.
    pub blocks_release: bool,
    /// True if a release prints a warning although it continues.
    #[serde(skip)]
    pub warns: bool,
    /// Error with which a release is refused.
    #[serde(skip)]
    pub error: Option<Error>,
}

impl Check {
    /// Returns a check whose prerequisite is met.
    #[must_use]
    pub fn ok(group: Group, object: impl Into<String>) -> Self {
        Self {
            group,
            object: object.into(),
            status: Status::Ok,
            cause: None,
            next_steps: Vec::new(),
            blocks_release: false,
            warns: false,
            error: None,
        }
    }

    /// Returns a check that could not be made.
    #[must_use]
    pub fn unknown(group: Group, object: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            status: Status::Unknown,
            cause: Some(cause.into()),
            ..Self::ok(group, object)
        }
    }

    /// Returns a check that could not be made because a read failed. A release warns of a denied read,
    /// because it stays denied until someone changes a policy.
    #[must_use]
    pub fn unread(group: Group, object: impl Into<String>, error: CloudError) -> Self {
        let warns = error.kind == CloudErrorKind::Denied;
        let error = Error::from(error);
        Self {
            warns,
            next_steps: error.hints().into_iter().map(str::to_owned).collect(),
            ..Self::unknown(group, object, error.one_line())
        }
    }

    /// Returns a check whose prerequisite is not met. A release is refused with this error.
    #[must_use]
    pub fn missing(group: Group, object: impl Into<String>, error: Error) -> Self {
        Self {
            status: Status::Missing,
            cause: Some(error.one_line()),
            next_steps: error.hints().into_iter().map(str::to_owned).collect(),
            blocks_release: true,
            error: Some(error),
            ..Self::ok(group, object)
        }
    }

    /// Adds a note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.cause = Some(note.into());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn with_next_step(mut self, step: impl Into<String>) -> Self {
        self.next_steps.push(step.into());
        self
    }

    /// Lets a release continue with a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.warns = true;
        self.blocks_release = false;
        self
    }

    /// Returns the check as a warning of a release, if it is one.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let cause = self.cause.as_ref().filter(|_| self.warns)?;
        let lines = [format!("warning: {cause}")].into_iter();
        let hints = self.next_steps.iter().map(|step| format!("hint: {step}"));
        Some(lines.chain(hints).collect::<Vec<_>>().join("\n"))
    }

    /// Returns the kind of the error, if a release is refused.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        let error = self.error.as_ref().filter(|_| self.blocks_release);
        error.map(|error| error.kind)
    }
}
