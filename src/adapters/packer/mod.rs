//! Owns driving Packer: finding it, its version, its machine-readable output, cancelling, and masking what it prints.

mod plugin;

use std::process::Stdio;
use std::sync::OnceLock;

use async_trait::async_trait;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::process::{environment, mask, secrets};
use crate::model::{AmiId, Region};
use crate::ports::{BuildJob, BuildOutcome, BuilderError, ImageBuilder, OnLine};

/// The oldest Packer that works: Debian 12's. Older ones know no HCL2-JSON `build` blocks as we write them.
const OLDEST: semver::Version = semver::Version::new(1, 6, 6);

/// Packer from `PATH`.
#[derive(Default)]
pub struct Packer {
    version: OnceLock<semver::Version>,
}

impl Packer {
    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new("packer");
        command
            .args(arguments)
            .env_clear()
            .envs(environment(&[
                "AWS_",
                "PACKER_PLUGIN",
                "PACKER_CONFIG",
                "PACKER_CACHE",
                "XDG_CONFIG_HOME",
                "XDG_CACHE_HOME",
                "BAKELINE_SSH_CONFIG",
                "ANSIBLE_VAULT",
            ]))
            .env("CHECKPOINT_DISABLE", "1")
            .env("PACKER_NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// The first version with the command `packer plugins` (Packer's CHANGELOG). From 1.10 on, no plugin is bundled.
const LISTS_PLUGINS: semver::Version = semver::Version::new(1, 8, 0);

/// Returns the last line that a command wrote, from stderr if there is any.
fn last_words(out: &std::process::Output) -> String {
    let said = if out.stderr.is_empty() {
        &out.stdout
    } else {
        &out.stderr
    };
    let said = String::from_utf8_lossy(said).trim().to_owned();
    if said.is_empty() {
        "no output".to_owned()
    } else {
        said
    }
}

fn missing(error: &std::io::Error) -> BuilderError {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => "`packer` is not in PATH".to_owned(),
        _ => format!("`packer` can't be started: {error}"),
    };
    let hint = "install it: `apt install packer` on Debian 12, elsewhere HashiCorp's package (see README, \"Packer\")";
    BuilderError {
        message,
        hint: Some(hint.to_owned()),
    }
}

fn broken(message: String) -> BuilderError {
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
        let out = Self::command(&["-machine-readable", "version"])
            .output()
            .await
            .map_err(|e| missing(&e))?;
        let text = String::from_utf8_lossy(&out.stdout);
        let field = text
            .lines()
            .find_map(|l| l.split(',').skip_while(|f| *f != "version").nth(1));
        let found = field.and_then(|v| semver::Version::parse(v.trim()).ok());
        let found = found
            .ok_or_else(|| broken(format!("`packer version` failed: {}", last_words(&out))))?;
        if found < OLDEST {
            let hint = Some("install a newer one (see README, \"Packer\")".to_owned());
            return Err(BuilderError {
                message: format!("Packer {found} is too old: {OLDEST} or newer is needed"),
                hint,
            });
        }
        Ok(self.version.get_or_init(|| found).clone())
    }

    async fn check(&self) -> Result<(), BuilderError> {
        if self.version().await? < LISTS_PLUGINS {
            return Ok(());
        }
        let out = Self::command(&["plugins", "installed"])
            .output()
            .await
            .map_err(|e| missing(&e))?;
        if !out.status.success() {
            return Err(broken(format!(
                "`packer plugins installed` failed: {}",
                last_words(&out)
            )));
        }
        plugin::check(&plugin::amazon_versions(&String::from_utf8_lossy(
            &out.stdout,
        )))
    }

    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError> {
        let mut command = Self::command(&["-machine-readable", "validate", &job.template]);
        let out = command
            .current_dir(&job.dir)
            .output()
            .await
            .map_err(|e| missing(&e))?;
        if out.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&out.stdout);
        let said: Vec<String> = text
            .lines()
            .filter_map(Line::read)
            .filter_map(Line::error)
            .collect();
        let words = said.join(" ");
        Err(broken(format!(
            "packer validate refuses the rendered build: {}",
            mask(words.trim(), &all(job))
        )))
    }

    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError> {
        let secrets = all(job);
        let mut child = start(job)?;
        let held = child.stdin.take();
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(broken("Packer's output can't be read".to_owned()));
        };
        let mut log = File::create(&job.log)
            .await
            .map_err(|e| broken(format!("{}: {e}", job.log.display())))?;
        // By bytes: what a build prints need not be UTF-8.
        let (mut lines, mut noise) = (
            BufReader::new(out).split(b'\n'),
            BufReader::new(err).split(b'\n'),
        );
        let mut outcome = BuildOutcome {
            code: None,
            artifacts: Vec::new(),
            errors: Vec::new(),
            cancelled: false,
        };
        let (mut open, mut asked) = (true, false);
        while open {
            tokio::select! {
                line = lines.next_segment() => match line {
                    Ok(Some(raw)) => note(&mut outcome, &mut log, &mask(&text(&raw), &secrets), on_line).await,
                    _ => open = false,
                },
                Ok(Some(raw)) = noise.next_segment() => write(&mut log, &mask(&text(&raw), &secrets)).await,
                () = cancel.cancelled(), if !asked => {
                    asked = true;
                    stop(&child, on_line);
                }
            }
        }
        let ended = loop {
            tokio::select! {
                ended = child.wait() => break ended,
                () = cancel.cancelled(), if !asked => {
                    asked = true;
                    stop(&child, on_line);
                }
            }
        };
        let status = ended.map_err(|e| broken(format!("Packer can't be waited for: {e}")))?;
        drop(held);
        let _flushed = log.flush().await;
        outcome.code = status.code();
        outcome.cancelled = asked && outcome.code != Some(0);
        outcome.artifacts.sort();
        outcome.artifacts.dedup();
        Ok(outcome)
    }
}

/// Starts `packer build` under our supervisor, in a process group of its own so that ^C at a terminal reaches only us.
fn start(job: &BuildJob) -> Result<Child, BuilderError> {
    let program = super::system::program()
        .map_err(|e| broken(format!("bakeline's own program can't be found: {e}")))?;
    let on_error = if job.keep_failed {
        "-on-error=abort"
    } else {
        "-on-error=cleanup"
    };
    let mut command = Packer::command(&[]);
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
        .map_err(|e| broken(format!("Packer's supervisor can't be started: {e}")))
}

/// Lets Packer clean up and end.
fn stop(child: &Child, on_line: OnLine<'_>) {
    on_line("cancelling; Packer cleans up");
    super::system::terminate(child.id());
}

/// A line of output in UTF-8, whatever it was.
fn text(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw.strip_suffix(b"\r").unwrap_or(raw)).into_owned()
}

fn all(job: &BuildJob) -> Vec<String> {
    let mut out = secrets();
    out.extend(job.secrets.iter().map(|s| s.reveal().to_owned()));
    out
}

async fn note(outcome: &mut BuildOutcome, log: &mut File, raw: &str, on_line: OnLine<'_>) {
    let Some(line) = Line::read(raw) else {
        return write(log, raw).await;
    };
    if let Some(text) = line.said() {
        for part in text.split('\n') {
            write(log, part).await;
        }
        if let Some(first) = text.lines().map(str::trim).find(|l| !l.is_empty()) {
            on_line(strip(first));
        }
    }
    outcome.artifacts.extend(line.artifacts());
    outcome.errors.extend(line.error());
}

async fn write(log: &mut File, line: &str) {
    // A log that can't be written must not end a build.
    let _written = log.write_all(format!("{line}\n").as_bytes()).await;
}

/// Drops Packer's `==> amazon-ebs.jdk: ` or `    amazon-ebs.jdk: `.
fn strip(text: &str) -> &str {
    let text = text.strip_prefix("==> ").unwrap_or(text);
    match text.split_once(": ") {
        Some((name, rest)) if name.starts_with("amazon-ebs.") => rest.trim_start(),
        _ => text,
    }
}

/// One line of machine-readable output: `time,target,type,data…` (Packer documentation, "Machine-readable output").
struct Line {
    kind: String,
    data: Vec<String>,
}

impl Line {
    fn read(raw: &str) -> Option<Self> {
        let mut fields = raw.split(',');
        fields.next()?.parse::<u64>().ok()?;
        let _target = fields.next()?;
        let kind = fields.next()?.to_owned();
        let plain = |f: &str| {
            f.replace("%!(PACKER_COMMA)", ",")
                .replace("\\r", "")
                .replace("\\n", "\n")
        };
        Some(Self {
            kind,
            data: fields.map(plain).collect(),
        })
    }

    /// What Packer says to people; newer versions changed `message` into `say`.
    fn said(&self) -> Option<&str> {
        (self.kind == "ui")
            .then(|| self.data.get(1).map(String::as_str))
            .flatten()
    }

    /// `artifact,0,id,us-east-1:ami-1,eu-west-1:ami-2`.
    fn artifacts(&self) -> Vec<(Region, AmiId)> {
        match (self.kind.as_str(), self.data.as_slice()) {
            ("artifact", [_, id, ids]) if id == "id" => ids
                .split(',')
                .filter_map(|pair| pair.split_once(':'))
                .filter(|(_, ami)| ami.starts_with("ami-"))
                .map(|(region, ami)| (Region::from(region), AmiId::from(ami)))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn error(self) -> Option<String> {
        match (self.kind.as_str(), self.data.as_slice()) {
            ("error", [text, ..]) => Some(text.clone()),
            ("ui", [level, text]) if level == "error" => Some(text.clone()),
            _ => None,
        }
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_readable_lines_are_understood() {
        let line = |raw: &str| Line::read(raw).expect(raw);
        let ids =
            line("1,jdk,artifact,0,id,us-east-1:ami-1%!(PACKER_COMMA)us-west-2:ami-2").artifacts();
        assert_eq!(
            ids,
            [
                ("us-east-1".into(), "ami-1".into()),
                ("us-west-2".into(), "ami-2".into())
            ]
        );
        assert_eq!(
            line("1,,ui,error,==> x: no\\nway").error().as_deref(),
            Some("==> x: no way")
        );
        assert_eq!(
            line("1,jdk,error,it broke").error().as_deref(),
            Some("it broke")
        );
        assert_eq!(
            line("1,,ui,say,==> amazon-ebs.jdk: hello%!(PACKER_COMMA) you")
                .said()
                .map(strip),
            Some("hello, you")
        );
        assert!(Line::read("some noise, with commas, here").is_none());
    }
}
