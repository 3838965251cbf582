//! Detects the end of the parent process. Packer does not end the programs of its shell-local
//! provisioners when it is cancelled. Packer starts them with `sh -c`; the templates use `exec`, so
//! that Packer itself is the parent.

use std::time::Duration;

use rustix::process::getppid;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(1);

/// Returns a token that is cancelled within a second after the end of the parent process.
#[must_use]
pub fn cancel_with_parent() -> CancellationToken {
    let parent = getppid();
    let token = CancellationToken::new();
    let ended = token.clone();
    tokio::spawn(async move {
        while getppid() == parent {
            tokio::time::sleep(INTERVAL).await;
        }
        ended.cancel();
    });
    token
}
