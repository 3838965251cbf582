//! Owns collecting facts from a machine over SSH: which machine, with which key, and what it is called when that fails.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Steps, host_key, text_of};
use crate::catalog::Access;
use crate::checks::{self, CollectOptions, Control, Facts, Phase};
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::plan::{Step, StepId};
use crate::ports::{Bounds, Shell, ShellError, ShellErrorKind, SshConfig, Target, Trust};

/// The test instance of a scope, by its address or, through SSM, its id; its host key is known.
pub(super) fn booted(steps: &Steps, scope: &str, user: &str, host: &str) -> Target {
    let root = steps.workspace.root();
    Target {
        host: host.to_owned(),
        port: Some(22),
        user: Some(user.to_owned()),
        key: Some(root.join(super::access::key_file(scope))),
        known_hosts: Some(root.join(host_key::known_hosts(scope))),
        trust: Trust::Known,
        config: SshConfig::Ours,
        ssm: steps.catalog.settings.builder.access == Access::Ssm,
    }
}

/// Collects from a machine what these controls of a phase need, in one round trip; also says how long it took.
///
/// # Errors
/// The machine can't be reached, or the collection came back incomplete.
pub async fn collect(
    shell: &dyn Shell,
    target: &Target,
    (controls, phase): (&[&Control], Phase),
    bounds: Bounds,
    cancel: &CancellationToken,
) -> Result<(Facts, Duration)> {
    let nonce = nonce();
    let script = checks::collector(
        controls,
        CollectOptions {
            nonce: &nonce,
            root: None,
            phase,
            seal: true,
        },
    );
    let answer = shell
        .run(target, &script, bounds, cancel)
        .await
        .map_err(Error::from)?;
    let facts = checks::parse_concealed_facts(&nonce, &answer.out, &answer.last, controls)
        .map_err(|e| {
            Error::new(
                Kind::StepFailed,
                format!("the facts of {} are incomplete", target.host),
            )
            .because(e)
        })?;
    Ok((facts, answer.took))
}

/// Collects from the test instance that a step has booted; also says which machine it was.
pub(super) async fn from_booted(
    steps: &Steps,
    step: &Step,
    user: &str,
    controls: &[&Control],
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<(Facts, Duration, String)> {
    let ssm = steps.catalog.settings.builder.access == Access::Ssm;
    let host = text_of(
        &context.outputs,
        boot,
        if ssm { "instance" } else { "address" },
    )?;
    let target = booted(steps, &step.scope, user, &host);
    let collected = collect(
        &*steps.shell,
        &target,
        (controls, Phase::Boot),
        Bounds::FRESH,
        &context.cancel,
    )
    .await;
    let (facts, took) =
        collected.map_err(|e| e.hint(format!("instance {host} of {}", step.region)))?;
    Ok((facts, took, host))
}

/// Tells our frames from whatever else a target prints: nothing that anybody could have known beforehand.
#[must_use]
pub fn nonce() -> String {
    let random = [
        RandomState::new().hash_one(0),
        RandomState::new().hash_one(1),
    ];
    format!("{:x}", Sha256::digest(format!("{random:?}")))
        .chars()
        .take(16)
        .collect()
}

impl From<ShellError> for Error {
    fn from(error: ShellError) -> Self {
        let hint = match error.kind {
            ShellErrorKind::HostKey => Some(
                "if it is the right machine, bring its key into the known hosts (ssh-keyscan, then compare), or name the \
                 file that has it with --known-hosts",
            ),
            ShellErrorKind::Login => {
                Some("give the right user, and its key by --identity or an agent")
            }
            ShellErrorKind::Sudo => Some(
                "log in as root, or let the user run everything without a password: `USER ALL=(ALL) NOPASSWD: ALL`",
            ),
            ShellErrorKind::NoShell => {
                Some("a target needs a POSIX `sh`; its files can be checked as a directory")
            }
            ShellErrorKind::TooLong => {
                Some("look at what hangs there, or give it more time with --max-seconds")
            }
            ShellErrorKind::TooMuch => {
                Some("look at what its login prints, or allow more with --max-mebibytes")
            }
            ShellErrorKind::Unreachable | ShellErrorKind::Cancelled | ShellErrorKind::Here => None,
        };
        let kind = if error.kind == ShellErrorKind::Cancelled {
            Kind::Interrupted
        } else {
            Kind::StepFailed
        };
        let made = Self::new(kind, error.message);
        match hint {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}
