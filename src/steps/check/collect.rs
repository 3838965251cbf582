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
        let facts = checks::parse_and_conceal_facts(&nonce, stdout, last_line, self.controls)
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

/// Collects facts from the test instance that a step launched, and judges the controls. Also
/// returns the host.
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

/// Returns the error of a shell. The hints for a machine of the user name flags of `bakeline check`,
/// which releases do not have.
fn shell_error(error: ShellError, target: &SshTarget) -> Error {
    let is_own = target.config == SshConfig::Isolated;
    if is_own && error.kind == ShellErrorKind::HostKey {
        return own_host_key_error(target);
    }
    if is_own {
        let hint = own_instance_hint(error.kind);
        return convert_shell_error(error, hint);
    }
    error.into()
}

impl From<ShellError> for Error {
    /// Converts an error of a machine of the user.
    fn from(error: ShellError) -> Self {
        let hint = machine_hint(error.kind);
        convert_shell_error(error, hint)
    }
}

fn convert_shell_error(error: ShellError, hint: Option<&'static str>) -> Error {
    let kind = if error.kind == ShellErrorKind::Cancelled {
        ErrorKind::Interrupted
    } else {
        ErrorKind::StepFailed
    };
    hint.into_iter()
        .fold(Error::new(kind, error.message), Error::hint)
}

/// Returns the error for a host key that is not the expected one. bakeline creates the host keys of
/// its test instances, and seal.sh removes /etc/ssh/ssh_host_*, so another key is that of the
/// image.
fn own_host_key_error(target: &SshTarget) -> Error {
    let host = &target.host;
    if target.trust == HostKeyPolicy::AcceptNew {
        let text =
            format!("the ssh host key of the build instance {host} changed during the build");
        return Error::new(ErrorKind::StepFailed, text).hint(
            "do not create or delete host keys in a script of the image: bakeline removes them at the end \
             of the build, and each instance creates keys of its own",
        );
    }
    let text = format!(
        "the instance {host} of the AMI has an ssh host key that bakeline did not create: the AMI \
         contains a host key, or creates one at boot"
    );
    Error::new(ErrorKind::StepFailed, text).hint(
        "add a script to the image that removes the key and what creates or selects it, such as `HostKey` in \
         sshd_config or a unit; bakeline removes only /etc/ssh/ssh_host_*, and all instances would \
         share any other key",
    )
}

/// Returns the next step for an instance that bakeline launched.
fn own_instance_hint(kind: ShellErrorKind) -> Option<&'static str> {
    match kind {
        ShellErrorKind::Login => Some(
            "check `login_user` of the image, and what its scripts change in sshd_config and in \
             authorized keys",
        ),
        ShellErrorKind::Sudo => {
            Some("allow sudo without a password for the login user: `USER ALL=(ALL) NOPASSWD: ALL`")
        }
        ShellErrorKind::NoShell => {
            Some("the image needs a POSIX `sh` as the shell of the login user")
        }
        ShellErrorKind::Timeout => Some("find the process that hangs on the instance"),
        ShellErrorKind::OutputLimit => Some("check the output of the login scripts of the image"),
        ShellErrorKind::HostKey
        | ShellErrorKind::Unreachable
        | ShellErrorKind::Cancelled
        | ShellErrorKind::Local => None,
    }
}

/// Returns the next step for a machine of the user.
fn machine_hint(kind: ShellErrorKind) -> Option<&'static str> {
    match kind {
        ShellErrorKind::HostKey => Some(
            "if it is the right machine, add its key to the known hosts (ssh-keyscan, then compare), or \
             name the file that contains it with `bakeline check --known-hosts FILE`",
        ),
        ShellErrorKind::Login => Some(
            "check the user, and provide its key with an agent or `bakeline check --identity FILE`",
        ),
        ShellErrorKind::Sudo => {
            Some("log in as root, or allow sudo without a password: `USER ALL=(ALL) NOPASSWD: ALL`")
        }
        ShellErrorKind::NoShell => {
            Some("a target needs a POSIX `sh`; check its files as a directory instead")
        }
        ShellErrorKind::Timeout => Some(
            "find the process that hangs, or allow more time with `bakeline check --max-seconds N`",
        ),
        ShellErrorKind::OutputLimit => Some(
            "check the output of its login scripts, or allow more with `bakeline check --max-mebibytes N`",
        ),
        ShellErrorKind::Unreachable | ShellErrorKind::Cancelled | ShellErrorKind::Local => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_key_of_image_is_explained() {
        let own = error_text(
            HostKeyPolicy::Known,
            SshConfig::Isolated,
            ShellErrorKind::HostKey,
        );
        for words in [
            "the AMI contains a host key",
            "10.0.0.7",
            "add a script to the image",
        ] {
            assert!(own.contains(words), "{own}");
        }
        assert!(!own.contains("another machine"), "{own}");
        let build = error_text(
            HostKeyPolicy::AcceptNew,
            SshConfig::Isolated,
            ShellErrorKind::HostKey,
        );
        assert!(build.contains("changed during the build"), "{build}");
        let other = error_text(
            HostKeyPolicy::Known,
            SshConfig::User,
            ShellErrorKind::HostKey,
        );
        assert!(
            other.contains("another machine") && other.contains("--known-hosts"),
            "{other}"
        );
    }

    #[test]
    fn errors_of_releases_name_no_flags_of_check() {
        for kind in [
            ShellErrorKind::HostKey,
            ShellErrorKind::Login,
            ShellErrorKind::Sudo,
            ShellErrorKind::NoShell,
            ShellErrorKind::Timeout,
            ShellErrorKind::OutputLimit,
        ] {
            for trust in [HostKeyPolicy::Known, HostKeyPolicy::AcceptNew] {
                let own = error_text(trust, SshConfig::Isolated, kind);
                assert!(!own.contains("--"), "{own}");
            }
            let hint = machine_hint(kind).expect("a hint");
            assert!(
                !hint.contains("--") || hint.contains("`bakeline check --"),
                "{hint}"
            );
        }
    }

    /// Returns the error and hints of a shell on this target.
    fn error_text(trust: HostKeyPolicy, config: SshConfig, kind: ShellErrorKind) -> String {
        let target = SshTarget {
            host: "10.0.0.7".to_owned(),
            port: None,
            user: None,
            key: None,
            known_hosts: None,
            trust,
            config,
            ssm: None,
        };
        let message = "this may be another machine".to_owned();
        let error = shell_error(ShellError { kind, message }, &target);
        format!("{error} {}", error.hints().join(" "))
    }
}
