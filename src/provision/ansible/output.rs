//! Interprets the output of `ansible-playbook`.

use std::fmt;

use super::job::Job;

/// Longest output of a task in an error, in characters.
pub(super) const MAX_TASK_OUTPUT: usize = 600;

/// Output of `ansible-playbook` so far.
#[derive(Debug, Default)]
pub struct Output {
    task: String,
    failed: Option<TaskFailure>,
    error: Vec<String>,
    in_error_explanation: bool,
    in_recap: bool,
    ran_on_host: bool,
}

impl Output {
    /// Reads one line of output or errors.
    pub fn read_line(&mut self, line: &str, job: &Job) {
        self.in_error_explanation &=
            !line.contains("be elsewhere in the file") && !line.starts_with("The offending line");
        if let Some(name) = task_name(line) {
            name.clone_into(&mut self.task);
        } else if line.starts_with("fatal: [") || line.starts_with("failed: [") {
            self.failed = Some(TaskFailure::parse(&self.task, line));
        } else if line.trim() == "...ignoring" {
            self.failed = None;
        } else if let Some(rest) = line
            .strip_prefix("ERROR! ")
            .or_else(|| line.strip_prefix("[ERROR]: "))
        {
            self.error.push(rest.to_owned());
            self.in_error_explanation = true;
        } else if self.in_error_explanation && !line.trim().is_empty() {
            // The explanation of Ansible can have several lines.
            self.error.push(line.to_owned());
        } else if line.starts_with("PLAY RECAP") {
            self.in_recap = true;
        } else if let Some((host, _)) = line.split_once(" : ").filter(|_| self.in_recap) {
            self.ran_on_host |= host.trim() == job.image;
        }
    }

    /// Returns the result of the playbook.
    ///
    /// # Errors
    /// Fails with the failed task and its reason, with an error of Ansible, or if no play matches
    /// the host.
    pub fn into_result(self, code: Option<i32>, job: &Job) -> Result<(), PlaybookError> {
        let failure = match (code, self.failed) {
            (Some(0), _) if self.ran_on_host => return Ok(()),
            (Some(0), _) => AnsibleFailure::NoHost,
            (_, Some(task)) => AnsibleFailure::Task(task),
            (_, None) if !self.error.is_empty() => {
                AnsibleFailure::Message(shorten(&self.error.join(" ")))
            }
            (Some(code), None) => AnsibleFailure::Exit(code),
            (None, None) => AnsibleFailure::Killed,
        };
        Err(PlaybookError {
            playbook: job.playbook.clone(),
            failure,
        })
    }
}

/// Failure of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("playbook `{playbook}`{failure}")]
pub struct PlaybookError {
    /// Path of the playbook, relative to the repository.
    pub playbook: String,
    /// Reason.
    pub failure: AnsibleFailure,
}

/// Reason why `ansible-playbook` did not apply a playbook. The text follows the path of the
/// playbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnsibleFailure {
    /// Success without a play for the host.
    NoHost,
    /// Failed task.
    Task(TaskFailure),
    /// Error message of Ansible, such as a syntax error.
    Message(String),
    /// Exit code without a failed task or a message.
    Exit(i32),
    /// End by a signal.
    Killed,
}

impl fmt::Display for AnsibleFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str(" did nothing: no play matches the host; set `hosts: all`"),
            Self::Task(task) => write!(f, ": {task}{}", vault_advice(&task.reason)),
            Self::Message(message) => write!(f, ": {message}{}", vault_advice(message)),
            Self::Exit(code) => write!(f, ": ansible-playbook exited {code}"),
            Self::Killed => f.write_str(": ansible-playbook was killed"),
        }
    }
}

/// Returns advice for an encrypted file that could not be read, or an empty text.
fn vault_advice(reason: &str) -> &'static str {
    if ["no vault secrets found", "Decryption failed"]
        .iter()
        .any(|words| reason.contains(words))
    {
        "; set `ANSIBLE_VAULT_PASSWORD_FILE` to the absolute path of a file with the password"
    } else {
        ""
    }
}

/// Failed task of a playbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFailure {
    /// Name of the task.
    pub task: String,
    /// True if Ansible could not connect to the instance.
    pub unreachable: bool,
    /// Message of the module and output of the command.
    pub reason: String,
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.unreachable {
            "could not reach the instance"
        } else {
            "failed"
        };
        write!(f, "task `{}` {verb}: {}", self.task, self.reason)
    }
}

impl TaskFailure {
    /// Parses the line `fatal: [host]: FAILED! => {…}`.
    fn parse(task: &str, line: &str) -> Self {
        let result = line.split_once(" => ").map_or("", |(_, result)| result);
        let reason = match serde_json::from_str(result) {
            Ok(result) => shorten(&module_output(&result)),
            Err(_) => shorten(line),
        };
        Self {
            task: task.to_owned(),
            unreachable: line.contains("UNREACHABLE!"),
            reason,
        }
    }
}

/// Returns the message of a module and the error output of its command.
fn module_output(result: &serde_json::Value) -> String {
    ["msg", "message", "censored", "stderr", "module_stderr"]
        .into_iter()
        .filter_map(|key| result.get(key)?.as_str())
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

/// Returns the name in `TASK [role : name] ***` or `RUNNING HANDLER [name] ***`.
fn task_name(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("TASK [")
        .or_else(|| line.strip_prefix("RUNNING HANDLER ["))?;
    rest.trim_end_matches('*').trim_end().strip_suffix(']')
}

/// Shortens a text to one line of [`MAX_TASK_OUTPUT`] characters.
fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out: String = line.chars().take(MAX_TASK_OUTPUT).collect();
    if out.len() < line.len() {
        out.push('…');
    }
    out
}
