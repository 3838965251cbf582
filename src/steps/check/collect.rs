//! Collects facts from a machine over SSH.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::catalog::Access;
use crate::checks::{self, CollectOptions, Control, Facts, Phase};
use crate::engine::StepContext;
use crate::error::{Error, ErrorKind, Result};
use crate::model::InstanceId;
use crate::plan::{Scope, Step, StepId};
use crate::ports::{
    Clock, HostKeyPolicy, ScriptLimits, Shell, ShellError, ShellErrorKind, SshConfig, SshTarget,
};
use crate::steps::access::host_key;
use crate::steps::check::retry::{FactSource, JudgedFacts, judge_with_retries};
use crate::steps::context::Steps;

/// Returns the SSH target of a scope's test instance. `host` is its address, or its ID for SSM. The
/// host key is known.
pub(in crate::steps) fn instance_target(
    steps: &Steps,
    scope: &Scope,
    user: &str,
    host: &str,
) -> SshTarget {
    let root = steps.workspace.root();
    let settings = &steps.catalog.settings;
    SshTarget {
        host: host.to_owned(),
        port: Some(22),
        user: Some(user.to_owned()),
        key: Some(root.join(crate::steps::access::credentials::key_file(scope))),
        known_hosts: Some(root.join(host_key::known_hosts_file(scope))),
        trust: HostKeyPolicy::Known,
        config: SshConfig::Isolated,
        ssm: (settings.builder.access == Access::Ssm).then(|| settings.home().clone()),
    }
}

/// Machine whose facts are collected over SSH.
pub struct SshFacts<'a> {
    /// Shell that runs the collector.
    pub shell: &'a dyn Shell,
    /// Machine.
    pub target: &'a SshTarget,
    /// All controls; their secrets are concealed.
    pub controls: &'a [&'a Control],
    /// Phase of the controls.
    pub phase: Phase,
    /// Limits of the first collection.
    pub limits: ScriptLimits,
    /// Cancellation of the run.
    pub cancel: &'a CancellationToken,
}

impl SshFacts<'_> {
    /// Collects the facts that the controls need, in one round trip. Also returns the duration.
    ///
    /// # Errors
    /// Fails if the machine cannot be reached or the collection is incomplete.
    pub async fn collect(&self) -> Result<(Facts, Duration)> {
        self.collect_some(self.controls, self.limits, true).await
    }

    /// Collects facts and judges the controls. Tries controls with `within` again.
    ///
    /// # Errors
    /// Fails like [`SshFacts::collect`].
    pub async fn judge(&self, clock: &dyn Clock) -> Result<JudgedFacts> {
        let (first, took) = self.collect().await?;
        let asked = (self.controls, self.phase);
        let (facts, verdicts) = judge_with_retries(self, asked, first, clock, self.cancel).await?;
        Ok(JudgedFacts {
            facts,
            verdicts,
            took,
        })
    }

    async fn collect_some(
        &self,
        controls: &[&Control],
        limits: ScriptLimits,
        seal: bool,
    ) -> Result<(Facts, Duration)> {
        let nonce = nonce();
        let options = CollectOptions {
            nonce: &nonce,
            root: None,
            phase: self.phase,
            seal,
        };
        let script = checks::collector(controls, options);
        let answer = self
            .shell
            .run(self.target, &script, limits, self.cancel)
            .await
            .map_err(|error| shell_error(error, self.target))?;
        let (stdout, last_line) = (&answer.stdout, &answer.last_stderr_line);
        let facts = checks::parse_concealed_facts(&nonce, stdout, last_line, self.controls)
            .map_err(|e| {
                let text = format!("the facts of {} are incomplete", self.target.host);
                Error::new(ErrorKind::StepFailed, text).because(e)
            })?;
        Ok((facts, answer.elapsed))
    }
}

#[async_trait]
impl FactSource for SshFacts<'_> {
    async fn collect_again(&self, controls: &[&Control]) -> Result<Facts> {
        let limits = ScriptLimits {
            login_timeout: Duration::ZERO,
            ..self.limits
        };
        let collected = self.collect_some(controls, limits, false).await;
        collected.map(|(facts, _)| facts)
    }
}

/// Collects facts from the test instance that a step launched, and judges the controls. Also returns the host.
pub(in crate::steps) async fn collect_from_instance(
    steps: &Steps,
    step: &Step,
    user: &str,
    controls: &[&Control],
    boot: &StepId,
    context: &StepContext<'_>,
) -> Result<(JudgedFacts, String)> {
    let ssm = steps.catalog.settings.builder.access == Access::Ssm;
    let (id, address) = context.outputs.instance(boot)?;
    let host = if ssm { id.0.clone() } else { address };
    let target = instance_target(steps, &step.scope, user, &host);
    let source = SshFacts {
        shell: &*steps.shell,
        target: &target,
        controls,
        phase: Phase::Boot,
        limits: ScriptLimits::NEW_INSTANCE,
        cancel: &context.cancel,
    };
    match source.judge(&*steps.clock).await {
        Ok(judged) => Ok((judged, host)),
        Err(error) => {
            let error = error.hint(format!("instance {host} of {}", step.region));
            Err(explain_ended_instance(steps, step, &id, error).await)
        }
    }
}

/// Returns the error of a check. If its instance does not run any more, the error names its state and
/// the reason that EC2 gives.
async fn explain_ended_instance(
    steps: &Steps,
    step: &Step,
    id: &InstanceId,
    error: Error,
) -> Error {
    if error.kind == ErrorKind::Interrupted {
        return error;
    }
    // A failed call decides nothing; the error of the check stays.
    let Ok(Some(instance)) = steps.cloud.instance(&step.region, id).await else {
        return error;
    };
    if matches!(instance.status.as_str(), "pending" | "running") {
        return error;
    }
    let reason = instance
        .reason
        .map_or_else(String::new, |r| format!(" ({r})"));
    let text = format!(
        "instance {id} of {} ended during the check: it is {}{reason}",
        step.region, instance.status
    );
    Error::new(error.kind, text)
        .because(error)
        .hint("bakeline did not end it; find who did, for example in CloudTrail, and run again")
}

/// Returns a random text that separates our output from other output of a target. It cannot be
/// known in advance.
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

/// Returns the error of a shell. bakeline creates the host keys of its test instances, so another
/// key is that of the image.
fn shell_error(error: ShellError, target: &SshTarget) -> Error {
    let is_own_instance =
        target.trust == HostKeyPolicy::Known && target.config == SshConfig::Isolated;
    if error.kind != ShellErrorKind::HostKey || !is_own_instance {
        return error.into();
    }
    let text = format!(
        "the instance {} of the new AMI has an ssh host key that bakeline did not create: {}",
        target.host, error.message
    );
    Error::new(ErrorKind::StepFailed, text).hint(
        "the image brings its own host key: remove the key, and what creates or selects it, such as \
         `HostKey` in sshd_config or a script at boot; each instance needs a key of its own",
    )
}

impl From<ShellError> for Error {
    fn from(error: ShellError) -> Self {
        let hint = match error.kind {
            ShellErrorKind::HostKey => Some(
                "if it is the right machine, add its key to the known hosts (ssh-keyscan, \
                 then compare), or name the file that contains it with --known-hosts",
            ),
            ShellErrorKind::Login => {
                Some("check the user, and provide its key with --identity or an agent")
            }
            ShellErrorKind::Sudo => Some(
                "log in as root, or allow sudo without a password: `USER ALL=(ALL) NOPASSWD: ALL`",
            ),
            ShellErrorKind::NoShell => {
                Some("a target needs a POSIX `sh`; check its files as a directory instead")
            }
            ShellErrorKind::Timeout => {
                Some("find the process that hangs, or allow more time with --max-seconds")
            }
            ShellErrorKind::OutputLimit => {
                Some("check the output of its login scripts, or allow more with --max-mebibytes")
            }
            ShellErrorKind::Unreachable | ShellErrorKind::Cancelled | ShellErrorKind::Local => None,
        };
        let kind = if error.kind == ShellErrorKind::Cancelled {
            ErrorKind::Interrupted
        } else {
            ErrorKind::StepFailed
        };
        let converted = Self::new(kind, error.message);
        match hint {
            Some(hint) => converted.hint(hint),
            None => converted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_key_of_image_is_explained() {
        let target = |trust, config| SshTarget {
            host: "10.0.0.7".to_owned(),
            port: None,
            user: None,
            key: None,
            known_hosts: None,
            trust,
            config,
            ssm: None,
        };
        let error = |target: &SshTarget| {
            let error = ShellError {
                kind: ShellErrorKind::HostKey,
                message: "the host key differs".to_owned(),
            };
            let error = shell_error(error, target);
            format!("{error} {}", error.hints().join(" "))
        };
        let own = error(&target(HostKeyPolicy::Known, SshConfig::Isolated));
        assert!(
            own.contains("brings its own host key") && !own.contains("--known-hosts"),
            "{own}"
        );
        let other = error(&target(HostKeyPolicy::Known, SshConfig::User));
        assert!(other.contains("--known-hosts"), "{other}");
    }
}
