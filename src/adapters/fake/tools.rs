//! Owns the fakes beside the cloud: builder, shell, run directory, journal, clock.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::FakeCloud;
use super::state::{ACCOUNT, FakeInstance};
use crate::model::{AmiId, InstanceId, ProcessIdentity, Region, Tags, Timestamp};
use crate::ports::{
    Answer, Bounds, BuildJob, BuildOutcome, BuilderError, Clock, HostKey, ImageBuilder, Journal,
    OnLine, Processes, Secret, Shell, ShellError, ShellErrorKind, Target, Workspace,
};

/// How the next builds go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildMood {
    /// They make an AMI.
    Good,
    /// Packer exits 1 and has cleaned up.
    Fails,
    /// Packer exits 1 after it made the AMI.
    FailsLate,
    /// Packer exits 1 while the AMI is pending: the AMI is left, with the tags of the run, as by current plugins.
    FailsPending,
    /// Packer is killed: its instance is left.
    Killed,
    /// It goes on until it is cancelled.
    Endless,
}

/// A builder that reads the rendered template and registers what it says.
pub struct FakeBuilder {
    /// Where the AMIs appear.
    pub cloud: Arc<FakeCloud>,
    /// Where the rendered template is.
    pub workspace: Arc<MemoryWorkspace>,
    /// How builds go, by image name; good by default.
    pub moods: Mutex<BTreeMap<String, BuildMood>>,
    /// Signalled when a build has begun.
    pub begun: tokio::sync::Notify,
}

impl FakeBuilder {
    /// A builder in good mood.
    #[must_use]
    pub fn new(cloud: Arc<FakeCloud>, workspace: Arc<MemoryWorkspace>) -> Self {
        Self {
            cloud,
            workspace,
            moods: Mutex::default(),
            begun: tokio::sync::Notify::new(),
        }
    }

    fn launch(&self, ami: AmiId, group: String, tags: Tags) -> InstanceId {
        let instance = FakeInstance {
            ami,
            status: "running".to_owned(),
            group,
            token: String::new(),
            tags,
        };
        self.cloud.state(|state| {
            let id = InstanceId(state.id("i"));
            state.instances.insert(id.clone(), instance);
            id
        })
    }

    fn template(&self, job: &BuildJob) -> Result<Value, BuilderError> {
        let wrong = |message: String| BuilderError {
            message,
            hint: None,
        };
        let path = job.dir.join(&job.template);
        let path = path
            .strip_prefix(self.workspace.root())
            .map_err(|e| wrong(e.to_string()))?;
        let bytes = self
            .workspace
            .read(&path.display().to_string())
            .ok_or_else(|| wrong("no template".to_owned()))?;
        serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))
    }
}

#[async_trait]
impl ImageBuilder for FakeBuilder {
    async fn version(&self) -> Result<semver::Version, BuilderError> {
        Ok(semver::Version::new(1, 11, 0))
    }

    async fn check(&self) -> Result<(), BuilderError> {
        Ok(())
    }

    async fn validate(&self, job: &BuildJob) -> Result<(), BuilderError> {
        self.template(job).map(drop)
    }

    async fn build(
        &self,
        job: &BuildJob,
        cancel: &CancellationToken,
        on_line: OnLine<'_>,
    ) -> Result<BuildOutcome, BuilderError> {
        let template = self.template(job)?;
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
        let mood = self
            .moods
            .lock()
            .expect("no panic")
            .get(image)
            .copied()
            .unwrap_or(BuildMood::Good);
        on_line("building");
        let known = self.cloud.state(|state| {
            let free = !state.images.values().any(|a| a.name == text("ami_name"));
            let ready = state.key_pairs.contains_key(&text("ssh_keypair_name"))
                && state.groups.contains_key(&group);
            free && ready && state.images.contains_key(&base)
        });
        let mut outcome = BuildOutcome {
            code: Some(1),
            artifacts: Vec::new(),
            errors: Vec::new(),
            cancelled: false,
        };
        if !known {
            outcome
                .errors
                .push("the base, the key or the group is missing, or the name is taken".to_owned());
            return Ok(outcome);
        }
        let id = self.launch(base, group, tags("run_tags"));
        self.begun.notify_one();
        tokio::task::yield_now().await;
        if mood == BuildMood::Endless {
            cancel.cancelled().await;
            outcome.cancelled = true;
        }
        if mood == BuildMood::Killed {
            outcome.code = None;
            return Ok(outcome);
        }
        self.cloud.state(|state| {
            "terminated".clone_into(&mut state.instances.get_mut(&id).expect("just made").status);
            match mood {
                BuildMood::FailsPending => {
                    let ami =
                        state.register(&region, &text("ami_name"), ACCOUNT, &tags("run_tags"));
                    "pending"
                        .clone_into(&mut state.images.get_mut(&ami).expect("just made").status);
                }
                BuildMood::Good | BuildMood::FailsLate => {
                    let ami = state.register(&region, &text("ami_name"), ACCOUNT, &tags("tags"));
                    outcome.artifacts.push((region.clone(), ami));
                }
                _ => {}
            }
        });
        match mood {
            BuildMood::Good => outcome.code = Some(0),
            _ => outcome.errors.push("it broke".to_owned()),
        }
        Ok(outcome)
    }
}

/// A shell that runs the real collector with this machine's `sh`; what a script answered once is remembered.
#[derive(Debug, Default)]
pub struct LocalShell {
    /// Ends every collection as if the machine had not let us in.
    pub deaf: Mutex<bool>,
    /// Waits until cancelled, like a machine that does not answer yet.
    pub silent: Mutex<bool>,
    /// Signalled when a collection has begun.
    pub begun: tokio::sync::Notify,
}

static ANSWERS: LazyLock<Mutex<BTreeMap<String, String>>> = LazyLock::new(Mutex::default);

#[async_trait]
impl Shell for LocalShell {
    async fn run(
        &self,
        _: &Target,
        script: &str,
        bounds: Bounds,
        cancel: &CancellationToken,
    ) -> Result<Answer, ShellError> {
        self.begun.notify_one();
        tokio::task::yield_now().await;
        let silent = *self.silent.lock().expect("no panic");
        if silent {
            cancel.cancelled().await;
        }
        let refused = |kind, message: &str| {
            Err(ShellError {
                kind,
                message: message.to_owned(),
            })
        };
        if *self.deaf.lock().expect("no panic") {
            return refused(ShellErrorKind::Unreachable, "connection refused");
        }
        if cancel.is_cancelled() {
            return refused(ShellErrorKind::Cancelled, "cancelled");
        }
        // Only the nonce differs between two scripts that ask the same.
        let nonce = script
            .lines()
            .find_map(|line| line.strip_prefix("N="))
            .map(|word| word.trim_matches('\''));
        let (from, to) = (nonce.unwrap_or("NONCE"), "NONCE");
        let same = script.replace(from, to);
        let known = ANSWERS.lock().expect("no panic").get(&same).cloned();
        let text = match known {
            Some(text) => text,
            None => {
                let answer = crate::adapters::local::run(script, false, bounds, cancel).await?;
                let text = String::from_utf8_lossy(&answer.out).replace(from, to);
                ANSWERS.lock().expect("no panic").insert(same, text.clone());
                text
            }
        };
        Ok(Answer {
            out: text.replace(to, from).into_bytes(),
            last: String::new(),
            took: Duration::from_secs(1),
        })
    }

    async fn new_host_keys(&self) -> Result<Vec<HostKey>, ShellError> {
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
    /// Path to content.
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

/// A journal in memory, whose disk can be full.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    /// The lines.
    pub lines: Mutex<Vec<String>>,
    /// The number of lines that fit; all by default.
    pub room: Mutex<Option<usize>>,
}

impl MemoryJournal {
    /// What a file would hold.
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

/// Processes of which those in the set have ended.
#[derive(Debug, Default)]
pub struct FakeProcesses(pub Mutex<BTreeSet<u32>>);

impl Processes for FakeProcesses {
    fn own(&self) -> Option<ProcessIdentity> {
        None
    }

    fn has_ended(&self, process: &ProcessIdentity) -> bool {
        self.0.lock().expect("no panic").contains(&process.pid)
    }
}

/// A clock that moves only when somebody waits.
#[derive(Debug)]
pub struct FakeClock(pub Mutex<Timestamp>);

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no panic")
    }

    async fn sleep(&self, time: Duration) {
        {
            let mut now = self.0.lock().expect("no panic");
            *now += time;
        }
        tokio::task::yield_now().await;
    }
}
