//! Holds the locks of a command until it ends.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::engine::lock::HeldLocks;
use crate::model::{EnvName, RunId};
use crate::ports::Store;
use crate::ui;

/// Locks of a command. Dropping this value releases them.
pub(crate) struct CommandLocks {
    /// ID of the run.
    pub(super) run: RunId,
    /// Environments of the locks, lowest first.
    pub(super) environments: Vec<EnvName>,
    /// Store that contains the locks.
    pub(crate) store: Arc<dyn Store>,
    /// Held locks; `None` if the command needs none.
    pub(crate) held: Option<Arc<HeldLocks>>,
    /// Token that an interrupt signal cancels, so that the locks are released.
    pub(crate) interrupt: CancellationToken,
    /// Token that ends the renewals.
    pub(super) stop: CancellationToken,
}

impl Drop for CommandLocks {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(held) = &self.held {
            let release = held.release(&|text| ui::say(text));
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(release));
        }
    }
}
