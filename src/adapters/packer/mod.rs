//! Runs Packer, reads its machine-readable output, masks secrets and cancels builds.

mod credentials;
mod output;
mod plugin;

use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use self::credentials::PackerCredentials;
use self::output::{OutputLine, strip_prefix};
use super::process::{child_environment, environment_secrets, mask_secrets};
use crate::ports::{BuildJob, BuildOutcome, BuilderError, CredentialSource, ImageBuilder, OnLine};

/// Oldest supported version, from Debian 12. Older versions do not support the rendered `build`
/// blocks in HCL2-JSON.
const OLDEST: semver::Version = semver::Version::new(1, 6, 6);

/// Packer in `PATH`.
#[derive(Default)]
pub struct Packer {
    version: OnceLock<semver::Version>,
    source: Option<Arc<dyn CredentialSource>>,
    credentials: OnceCell<PackerCredentials>,
}

impl Packer {
    /// Returns Packer with the source of the credentials for its builds.
    #[must_use]
    pub fn new(source: Arc<dyn CredentialSource>) -> Self {
        Self {
            source: Some(source),
            ..Self::default()
        }
    }

    /// Returns the credentials for all builds. The first call resolves them.
    async fn credentials(&self) -> Result<&PackerCredentials, BuilderError> {
        let resolve = || PackerCredentials::resolve(self.source.as_ref());
        let resolved = self.credentials.get_or_try_init(resolve).await;
        resolved.map_err(builder_error)
    }

    fn command(arguments: &[&str], credentials: &PackerCredentials) -> Command {
        let mut command = Command::new("packer");
        command
            .args(arguments)
            .env_clear()
            .envs(credentials.apply(child_environment(&[
                "AWS_",
                "PACKER_PLUGIN",
                "PACKER_CONFIG",
                "PACKER_CACHE",
                "XDG_CONFIG_HOME",
                "XDG_CACHE_HOME",
                "BAKELINE_SSH_CONFIG",
                "ANSIBLE_VAULT",
            ])))
            .env("CHECKPOINT_DISABLE", "1")
            .env("PACKER_NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// First version with the command `packer plugins` (Packer's CHANGELOG). Since 1.10 no plugin is
/// bundled.
const FIRST_WITH_PLUGIN_COMMAND: semver::Version = semver::Version::new(1, 8, 0);

/// Returns the error of a failed command with its output: stderr if that is not empty.
fn command_error(command: &str, output: &std::process::Output) -> BuilderError {
    let text = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = if words.is_empty() {
        "no output".to_owned()
    } else {
        words.join(" ")
    };
    let hint = if text.contains("PACKER_PLUGIN_PATH") {
        Some("set PACKER_PLUGIN_PATH to one directory, or unset it".to_owned())
    } else {
        None
    };
    BuilderError {
        message: format!("`{command}` failed: {text}"),
        hint,
    }
}

fn start_error(error: &std::io::Error) -> BuilderError {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => "`packer` is not in PATH".to_owned(),
        _ => format!("cannot start `packer`: {error}"),
    };
    let hint = "install Packer: `apt install packer` on Debian 12, HashiCorp's package on other \
                systems (see the page Packer of the documentation)";
    BuilderError {
        message,
        hint: Some(hint.to_owned()),
    }
}

fn builder_error(message: String) -> BuilderError {
    BuilderError {
        message,
        hint: None,
    }
}

#[async_trait]
impl ImageBuilder for Packer {
    async fn version(&self) -> Result<semver::Version, BuilderError> {
        if let Some(known) = self.version.get() {
            return Ok(known.clone());
        }
        let out = Self::command(
            &["-machine-readable", "version"],
            &PackerCredentials::Inherited,
        )
        .output()
        .await
        .map_err(|e| start_error(&e))?;
        let text = String::from_utf8_lossy(&out.stdout);
        let field = text
            .lines()
            .find_map(|l| l.split(',').skip_while(|f| *f != "version").nth(1));
        let found = field.and_then(|v| semver::Version::parse(v.trim()).ok());
        let found = found.ok_or_else(|| command_error("packer version", &out))?;
        if found < OLDEST {
            let hint = Some(
                "install a newer version (see the page Packer of the documentation)".to_owned(),
            );
            return Err(BuilderError {
                message: format!("Packer {found} is too old: {OLDEST} or newer is required"),
                hint,
            });
        }
        Ok(self.version.get_or_init(|| found).clone())
    }

    async fn check(&self) -> Result<Vec<String>, BuilderError> {
        let version = self.version().await?;
        let mut warnings = Vec::from_iter(plugin::packer_warning(&version));
        if version < FIRST_WITH_PLUGIN_COMMAND {
            return Ok(warnings);
        }
        let out = Self::command(&["plugins", "installed"], &PackerCredentials::Inherited)
            .output()
            .await
            .map_err(|e| start_error(&e))?;
        if !out.status.success() {
            return Err(command_error("packer plugins installed", &out));
        }
        let found = plugin::amazon_versions(&String::from_utf8_lossy(&out.stdout));
        let folder = super::system::variable("PACKER_PLUGIN_PATH");
        let chosen = plugin::choose_version(&found, folder.as_deref())?;
        warnings.extend(plugin::plugin_warning(&chosen));
        Ok(warnings)
    }

    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError> {
        let credentials = self.credentials().await?;
        let words = ["-machine-readable", "validate", &job.template];
        let mut command = Self::command(&words, credentials);
        let out = command
            .current_dir(&job.dir)
            .output()
            .await
            .map_err(|e| start_error(&e))?;
        if out.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&out.stdout);
        let errors: Vec<String> = text
            .lines()
            .filter_map(OutputLine::parse)
            .filter_map(OutputLine::into_error)
            .collect();
        Err(builder_error(format!(
            "`packer validate` rejected the rendered template: {}",
            mask_secrets(errors.join(" ").trim(), &job_secrets(job, credentials))
        )))
    }

    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError> {
        let credentials = self.credentials().await?;
        // A session is renewed during a build, so its secrets change.
        let secrets = || job_secrets(job, credentials);
        let mut child = start_build(job, credentials)?;
        // Open until Packer ends. If bakeline dies, the pipe closes and the supervisor stops Packer.
        let supervisor_pipe = child.stdin.take();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(builder_error("cannot read the output of Packer".to_owned()));
        };
        let mut log = File::create(&job.log)
            .await
            .map_err(|e| builder_error(format!("{}: {e}", job.log.display())))?;
        // Bytes, because the output of a build may not be valid UTF-8.
        let mut stdout = BufReader::new(stdout).split(b'\n');
        let mut stderr = BufReader::new(stderr).split(b'\n');
        let mut outcome = BuildOutcome::default();
        let mut stdout_open = true;
        // How the build was stopped, if it was: cancelled, or after its timeout.
        let mut stopped = None;
        let mut killed = false;
        let mut stop = std::pin::pin!(tokio::time::timeout(job.timeout, cancel.cancelled()));
        while stdout_open {
            tokio::select! {
                line = stdout.next_segment() => match line {
                    Ok(Some(raw)) => {
                        let line = mask_secrets(&decode_line(&raw), &secrets());
                        record_line(&mut outcome, &mut log, &line, on_line).await;
                    }
                    _ => stdout_open = false,
                },
                Ok(Some(raw)) = stderr.next_segment() => {
                    write_line(&mut log, &mask_secrets(&decode_line(&raw), &secrets())).await;
                }
                why = &mut stop, if stopped.is_none() => {
                    stop_build(&child, why.is_ok(), on_line);
                    stopped = Some(why);
                }
                () = job.kill.cancelled(), if !killed => {
                    super::system::kill_group(child.id());
                    killed = true;
                }
            }
        }
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                why = &mut stop, if stopped.is_none() => {
                    stop_build(&child, why.is_ok(), on_line);
                    stopped = Some(why);
                }
                () = job.kill.cancelled(), if !killed => {
                    super::system::kill_group(child.id());
                    killed = true;
                }
            }
        };
        let status = status.map_err(|e| builder_error(format!("cannot wait for Packer: {e}")))?;
        drop(supervisor_pipe);
        let _ignored = log.flush().await;
        outcome.code = status.code();
        outcome.artifacts.sort();
        outcome.artifacts.dedup();
        if !outcome.has_ami() {
            outcome.cancelled = matches!(stopped, Some(Ok(())));
            outcome.timed_out = matches!(stopped, Some(Err(_)));
        }
        Ok(outcome)
    }
}

/// Starts `packer build` under the supervisor, in a separate process group, so that ^C at a terminal
/// reaches only bakeline.
fn start_build(job: &BuildJob, credentials: &PackerCredentials) -> Result<Child, BuilderError> {
    let program = super::system::current_program()
        .map_err(|e| builder_error(format!("cannot find the path of bakeline: {e}")))?;
    let on_error = if job.keep_failed {
        "-on-error=abort"
    } else {
        "-on-error=cleanup"
    };
    let mut command = Packer::command(&[], credentials);
    let mut supervised = Command::new(program);
    supervised.args([
        "supervise",
        "--",
        "packer",
        "-machine-readable",
        "build",
        on_error,
        &job.template,
    ]);
    supervised.env_clear().envs(
        command
            .as_std_mut()
            .get_envs()
            .filter_map(|(k, v)| Some((k, v?))),
    );
    supervised
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    supervised
        .current_dir(&job.dir)
        .spawn()
        .map_err(|e| builder_error(format!("cannot start the supervisor of Packer: {e}")))
}

/// Stops Packer, which cleans up first.
fn stop_build(child: &Child, is_cancelled: bool, on_line: OnLine<'_>) {
    on_line(if is_cancelled {
        "cancelling, Packer cleans up"
    } else {
        "the build takes too long, Packer is stopped"
    });
    super::system::terminate_process(child.id());
}

/// Decodes a line of output. Replaces invalid UTF-8.
fn decode_line(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw.strip_suffix(b"\r").unwrap_or(raw)).into_owned()
}

fn job_secrets(job: &BuildJob, credentials: &PackerCredentials) -> Vec<String> {
    let mut out = environment_secrets();
    out.extend(credentials.secrets());
    out.extend(job.secrets.iter().map(|s| s.expose().to_owned()));
    out
}

async fn record_line(outcome: &mut BuildOutcome, log: &mut File, raw: &str, on_line: OnLine<'_>) {
    let Some(line) = OutputLine::parse(raw) else {
        return write_line(log, raw).await;
    };
    if let Some(text) = line.ui_text() {
        for part in text.split('\n') {
            write_line(log, part).await;
        }
        if let Some(first) = text.lines().map(str::trim).find(|l| !l.is_empty()) {
            on_line(strip_prefix(first));
        }
    }
    outcome.launched |= line.is_launch();
    outcome.instance = line.instance().or(outcome.instance.take());
    outcome.artifacts.extend(line.artifacts());
    outcome.errors.extend(line.into_error());
}

async fn write_line(log: &mut File, line: &str) {
    // A failed write to the log must not end the build.
    let _ignored = log.write_all(format!("{line}\n").as_bytes()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_code_0_without_ami_is_no_build() {
        let outcome = |code, artifacts: &[(&str, &str)]| BuildOutcome {
            code,
            artifacts: artifacts
                .iter()
                .map(|(region, ami)| ((*region).into(), (*ami).into()))
                .collect(),
            launched: true,
            ..BuildOutcome::default()
        };
        let ami = [("eu-west-1", "ami-1")];
        assert!(outcome(Some(0), &ami).has_ami());
        assert!(!outcome(Some(0), &[]).has_ami());
        assert!(!outcome(Some(1), &ami).has_ami());
        assert!(!outcome(None, &[]).has_ami());
    }
}
