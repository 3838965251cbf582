//! Defines the reasons why a run loses its lock.

use crate::lifecycle::lock::LockHolder;
use crate::model::{EnvName, Timestamp};

/// Reason why a run lost its lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockLoss {
    /// The lock was not renewed in time.
    #[error(
        "the lock expired: it was not renewed before {until} \
         (was the process suspended, or the store unreachable?)"
    )]
    Expired {
        /// Last expiry.
        until: Timestamp,
    },
    /// Another process released the lock.
    #[error(
        "the lock of {env} is lost: it was released by another process, \
         for example by `bakeline unlock`"
    )]
    Released {
        /// Environment of the lock.
        env: EnvName,
    },
    /// Another run took the lock over.
    #[error(
        "the lock of {env} is lost: it was taken over at {} by {}", holder.since, holder.describe()
    )]
    TakenOver {
        /// Environment of the lock.
        env: EnvName,
        /// Run that holds the lock now.
        holder: Box<LockHolder>,
    },
    /// The object of the lock is not valid.
    #[error("the lock of {env} is lost: its object cannot be read")]
    Unreadable {
        /// Environment of the lock.
        env: EnvName,
    },
    /// The objects of the lock were deleted.
    #[error("the lock of {env} is lost: its objects were removed from the store")]
    Removed {
        /// Environment of the lock.
        env: EnvName,
    },
}
