//! Implements the fake builder, shell, run directory, journal and processes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::FakeCloud;
use super::state::{ACCOUNT, FakeCloudState, FakeInstance};
use crate::model::{AmiId, InstanceId, ProcessIdentity, Region, Tags};
use crate::ports::{
    BuildJob, BuildOutcome, BuilderError, HostKey, ImageBuilder, Journal, OnLine, Processes,
    ScriptLimits, ScriptOutput, Secret, Shell, ShellError, ShellErrorKind, SshTarget, Workspace,
};

/// Result of the next builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildBehavior {
    /// Packer creates the AMI.
    Good,
    /// Packer cleans up and exits with code 1.
    Fails,
    /// Packer exits with code 1 after it created the AMI.
    FailsLate,
    /// Packer exits with code 1 and leaves a pending AMI with the tags of the run, as current plugins
    /// do.
    FailsPending,
    /// Packer is killed and leaves its instance.
    Killed,
    /// Packer is killed before it reports the ID of its instance.
    KilledEarly,
    /// Packer runs until it is cancelled.
    Endless,
    /// Packer runs until it is cancelled and leaves a pending AMI with the tags of the run.
    EndlessPending,
}

/// KMS key of the first volume in a Packer source.
const KEY: &str = "/launch_block_device_mappings/0/kms_key_id";

/// A builder that registers the AMIs of the rendered template.
pub struct FakeBuilder {
    /// Cloud that gets the AMIs.
    pub cloud: Arc<FakeCloud>,
    /// Run directory with the rendered template.
    pub workspace: Arc<MemoryWorkspace>,
    /// Results by image name. Builds succeed by default.
    pub behaviors: Mutex<BTreeMap<String, BuildBehavior>>,
    /// Signal at the start of a build.
    pub begun: tokio::sync::Notify,
}

impl FakeBuilder {
    /// Creates a builder whose builds succeed.
    #[must_use]
    pub fn new(cloud: Arc<FakeCloud>, workspace: Arc<MemoryWorkspace>) -> Self {
        Self {
            cloud,
            workspace,
            behaviors: Mutex::default(),
            begun: tokio::sync::Notify::new(),
        }
    }

    /// Returns true if base, key pair and visible group of a build exist, and the name of its AMI is free.
    fn has_requirements(&self, source: &Value, base: &AmiId, group: &String) -> bool {
        let text = |key: &str| source[key].as_str().unwrap_or_default();
        self.cloud.state(|state| {
            let is_name_free = !state.images.values().any(|a| a.name == text("ami_name"));
            let has_access = state.key_pairs.contains_key(text("ssh_keypair_name"))
                && state.groups.contains_key(group)
                && !state.hidden.contains_key(group);
            is_name_free && has_access && state.images.contains_key(base)
        })
    }

    /// Returns the error of a build that cannot start its instance, if it cannot.
    fn refusal(&self, source: &Value, base: &AmiId, group: &String) -> Option<String> {
        if !self.has_requirements(source, base, group) {
            let text = "the base, the key or the group is missing, or the name is taken";
            return Some(text.to_owned());
        }
        let instance_type = source["instance_type"].as_str().unwrap_or_default();
        let subnet = source["subnet_id"].as_str();
        let refused = |state: &mut FakeCloudState| state.launch_refusal(instance_type, subnet);
        let refusal = self.cloud.state(refused);
        refusal.map(|text| format!("Error launching source instance: {text}"))
    }

    fn launch_instance(&self, source: &Value, ami: AmiId, group: String) -> InstanceId {
        let tags = serde_json::from_value(source["run_tags"].clone()).unwrap_or_default();
        let instance = FakeInstance {
            ami,
            instance_type: source["instance_type"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            subnet: source["subnet_id"].as_str().map(str::to_owned),
            status: "running".to_owned(),
            group,
            token: String::new(),
            tags,
        };
        self.cloud.state(|state| {
            let id = InstanceId(state.new_id("i"));
            state.instances.insert(id.clone(), instance);
            id
        })
    }

    fn read_template(&self, job: &BuildJob) -> Result<Value, BuilderError> {
        let error = |message: String| BuilderError {
            message,
            hint: None,
        };
        let path = job.dir.join(&job.template);
        let path = path
            .strip_prefix(self.workspace.root())
            .map_err(|e| error(e.to_string()))?;
        let bytes = self
            .workspace
            .read(&path.display().to_string())
            .ok_or_else(|| error("no template".to_owned()))?;
        serde_json::from_slice(&bytes).map_err(|e| error(e.to_string()))
    }
}

#[async_trait]
impl ImageBuilder for FakeBuilder {
    async fn version(&self) -> Result<semver::Version, BuilderError> {
        Ok(semver::Version::new(1, 11, 0))
    }

    async fn check(&self) -> Result<Vec<String>, BuilderError> {
        Ok(Vec::new())
    }

    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError> {
        self.read_template(job)?;
        Ok(())
    }

    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError> {
        let template = self.read_template(job)?;
        let (image, source) = template["source"]["amazon-ebs"]
            .as_object()
            .and_then(|o| o.iter().next())
            .expect("a source");
        let text = |key: &str| source[key].as_str().unwrap_or_default().to_owned();
        let tags =
            |key: &str| serde_json::from_value::<Tags>(source[key].clone()).unwrap_or_default();
        let (region, base) = (Region(text("region")), AmiId(text("source_ami")));
        let group = source["security_group_ids"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let behavior = self
            .behaviors
            .lock()
            .expect("no panic")
            .get(image)
            .copied()
            .unwrap_or(BuildBehavior::Good);
        on_line("building");
        let refusal = self.refusal(source, &base, &group);
        let mut outcome = BuildOutcome {
            code: Some(1),
            ..BuildOutcome::default()
        };
        if let Some(refusal) = refusal {
            outcome.errors.push(refusal);
            return Ok(outcome);
        }
        let id = self.launch_instance(source, base, group);
        outcome.launched = true;
        self.begun.notify_one();
        tokio::task::yield_now().await;
        if matches!(
            behavior,
            BuildBehavior::Endless | BuildBehavior::EndlessPending
        ) {
            let stopped = tokio::time::timeout(job.timeout, cancel.cancelled()).await;
            outcome.cancelled = stopped.is_ok();
            outcome.timed_out = stopped.is_err();
        }
        outcome.instance = (behavior != BuildBehavior::KilledEarly).then(|| id.clone());
        if matches!(behavior, BuildBehavior::Killed | BuildBehavior::KilledEarly) {
            outcome.code = None;
            return Ok(outcome);
        }
        self.cloud.state(|state| {
            "terminated"
                .clone_into(&mut state.instances.get_mut(&id).expect("new instance").status);
            match behavior {
                BuildBehavior::FailsPending | BuildBehavior::EndlessPending => {
                    let ami =
                        state.register(&region, &text("ami_name"), ACCOUNT, &tags("run_tags"));
                    let ami = state.images.get_mut(&ami).expect("new AMI");
                    "pending".clone_into(&mut ami.status);
                    // EC2 may omit the snapshots of a pending AMI.
                    ami.snapshots.clear();
                }
                BuildBehavior::Good | BuildBehavior::FailsLate => {
                    let ami = state.register(&region, &text("ami_name"), ACCOUNT, &tags("tags"));
                    state.record_key(&ami, source.pointer(KEY).and_then(Value::as_str));
                    outcome.artifacts.push((region.clone(), ami));
                }
                _ => {}
            }
        });
        match behavior {
            BuildBehavior::Good => outcome.code = Some(0),
            _ => outcome.errors.push("it broke".to_owned()),
        }
        Ok(outcome)
    }
}

/// A shell that runs the collector with the local `sh` and caches the output of each script.
#[derive(Debug, Default)]
pub struct LocalShell {
    /// Refuses every connection.
    pub deaf: Mutex<bool>,
    /// Waits for the cancellation, like a machine that does not answer.
    pub silent: Mutex<bool>,
    /// Targets of all logins.
    pub targets: Mutex<Vec<SshTarget>>,
    /// Signal at the start of a collection.
    pub begun: tokio::sync::Notify,
}

/// Command of the collector that lists all packages.
const PACKAGE_QUERY: &str = r#"dpkg-query -W -f="$form""#;

/// Limits the package list to one package. With all packages of this machine, reports take most of
/// the time of a run.
fn limit_packages(script: &str) -> String {
    assert!(script.contains(PACKAGE_QUERY), "the query has changed");
    script.replace(PACKAGE_QUERY, &format!("{PACKAGE_QUERY} dpkg"))
}

static OUTPUTS: LazyLock<Mutex<BTreeMap<String, String>>> = LazyLock::new(Mutex::default);

#[async_trait]
impl Shell for LocalShell {
    async fn run(
        &self,
        target: &SshTarget,
        script: &str,
        limits: ScriptLimits,
        cancel: &CancellationToken,
    ) -> Result<ScriptOutput, ShellError> {
        self.begun.notify_one();
        self.targets.lock().expect("no panic").push(target.clone());
        tokio::task::yield_now().await;
        let silent = *self.silent.lock().expect("no panic");
        if silent {
            cancel.cancelled().await;
        }
        let error = |kind, message: &str| {
            Err(ShellError {
                kind,
                message: message.to_owned(),
            })
        };
        if *self.deaf.lock().expect("no panic") {
            return error(ShellErrorKind::Unreachable, "connection refused");
        }
        if cancel.is_cancelled() {
            return error(ShellErrorKind::Cancelled, "cancelled");
        }
        // Scripts for the same checks differ only in their nonce.
        let nonce = script
            .lines()
            .find_map(|line| line.strip_prefix("N="))
            .map(|word| word.trim_matches('\''));
        let (from, to) = (nonce.unwrap_or("NONCE"), "NONCE");
        let cache_key = script.replace(from, to);
        let cached = OUTPUTS.lock().expect("no panic").get(&cache_key).cloned();
        let text = match cached {
            Some(text) => text,
            None => {
                let script = limit_packages(script);
                let output = crate::adapters::local::run(&script, false, limits, cancel).await?;
                let text = String::from_utf8_lossy(&output.stdout).replace(from, to);
                let mut outputs = OUTPUTS.lock().expect("no panic");
                outputs.insert(cache_key, text.clone());
                text
            }
        };
        Ok(ScriptOutput {
            stdout: text.replace(to, from).into_bytes(),
            last_stderr_line: String::new(),
            elapsed: Duration::from_secs(1),
        })
    }

    async fn generate_host_keys(&self) -> Result<Vec<HostKey>, ShellError> {
        let (kind, public) = ("ed25519".to_owned(), "ssh-ed25519 AAAA".to_owned());
        Ok(vec![HostKey {
            kind,
            private: Secret::new("-----BEGIN FAKE KEY-----"),
            public,
        }])
    }
}

/// A run directory in memory.
#[derive(Debug, Default)]
pub struct MemoryWorkspace {
    /// Files by path.
    pub files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Workspace for MemoryWorkspace {
    fn root(&self) -> &Path {
        Path::new("/run-directory")
    }

    fn write(&self, path: &str, content: &[u8], _private: bool) -> io::Result<PathBuf> {
        self.files
            .lock()
            .expect("no panic")
            .insert(path.to_owned(), content.to_vec());
        Ok(self.root().join(path))
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().expect("no panic").get(path).cloned()
    }

    fn remove(&self, path: &str) {
        self.files.lock().expect("no panic").remove(path);
    }
}

/// A journal in memory. Its disk can be full.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    /// Journal lines.
    pub lines: Mutex<Vec<String>>,
    /// Number of lines that fit. `None` means no limit.
    pub room: Mutex<Option<usize>>,
}

impl MemoryJournal {
    /// Returns the journal as the text of a file.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines
            .lock()
            .expect("no panic")
            .iter()
            .map(|l| format!("{l}\n"))
            .collect()
    }
}

impl Journal for MemoryJournal {
    fn append(&self, line: &str) -> io::Result<()> {
        let mut lines = self.lines.lock().expect("no panic");
        if self
            .room
            .lock()
            .expect("no panic")
            .is_some_and(|room| lines.len() >= room)
        {
            return Err(io::Error::other("no space left on device"));
        }
        lines.push(line.to_owned());
        Ok(())
    }
}

/// Processes whose IDs in the set have ended.
#[derive(Debug, Default)]
pub struct FakeProcesses(pub Mutex<BTreeSet<u32>>);

impl Processes for FakeProcesses {
    fn current_process(&self) -> Option<ProcessIdentity> {
        None
    }

    fn has_ended(&self, process: &ProcessIdentity) -> bool {
        self.0.lock().expect("no panic").contains(&process.pid)
    }
}
