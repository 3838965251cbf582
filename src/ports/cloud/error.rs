//! Defines failed cloud calls and their kinds.

/// Kind of a failed cloud call. Callers act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// The resource does not exist, or not yet.
    NotFound,
    /// A resource with this name exists already.
    Duplicate,
    /// The credentials do not allow the call.
    Denied,
    /// There are no usable credentials.
    Credentials,
    /// The endpoint did not answer.
    Unreachable,
    /// Too many calls. AWS rejected the call.
    Throttled,
    /// A quota of the account is used up.
    Quota,
    /// AWS performs as many such operations at the same time as it allows.
    Busy,
    /// AWS has no capacity for the instance type in the Availability Zone.
    Capacity,
    /// The AMI or its snapshots are not shared with the caller, or not yet.
    NotShared,
    /// The service failed temporarily.
    Unavailable,
    /// Another resource depends on it, or its state does not allow the call yet.
    InUse,
    /// Not sent: the run lost its lock and may not change anything.
    Fenced,
    /// The response did not come from the API: a proxy's page, an empty body.
    Malformed,
    /// Any other error.
    Other,
}

/// A failed cloud call with its action, its Region and the message of the service.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action} in {region}: {message}")]
pub struct CloudError {
    /// Kind of the error.
    pub kind: CloudErrorKind,
    /// API action, such as `DescribeImages`.
    pub action: &'static str,
    /// Region of the call.
    pub region: String,
    /// Code and message of the service.
    pub message: String,
}

impl CloudErrorKind {
    /// Returns true if the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Throttled | Self::Unavailable | Self::Malformed
        )
    }
}

/// Returns the kind of a refused launch that another instance type or subnet can avoid, by the code of
/// RunInstances (EC2 API Reference, "Error codes"). Returns `None` for other codes.
#[must_use]
pub fn launch_refusal_kind(code: &str) -> Option<CloudErrorKind> {
    match code {
        // The Availability Zone does not offer the instance type.
        "Unsupported" => Some(CloudErrorKind::Capacity),
        // Instances, hosts, volumes or the addresses of a subnet.
        c if c.starts_with("Insufficient") => Some(CloudErrorKind::Capacity),
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => Some(CloudErrorKind::Quota),
        _ => None,
    }
}

/// Result of a cloud call.
pub type CloudResult<T> = Result<T, CloudError>;
