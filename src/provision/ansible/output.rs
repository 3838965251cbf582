//! Interprets the output of `ansible-playbook`.

use std::fmt;

use super::advice::advice;
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
            // The explanation of Ansible can have several lines. Its last line continues with "but may
            // be elsewhere in the file".
            let line = line.strip_suffix(", but may").unwrap_or(line);
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
#[error("playbook `{playbook}`{failure}{}", failure.advice(playbook))]
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

impl AnsibleFailure {
    /// Returns what to do next, or an empty text.
    fn advice(&self, playbook: &str) -> String {
        match self {
            Self::Task(task) => advice(&task.reason, playbook),
            Self::Message(message) => advice(message, playbook),
            Self::NoHost | Self::Exit(_) | Self::Killed => String::new(),
        }
    }
}

impl fmt::Display for AnsibleFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str(" did nothing: no play matches the host; set `hosts: all`"),
            Self::Task(task) => write!(f, ": {task}"),
            Self::Message(message) => write!(f, ": {message}"),
            Self::Exit(code) => write!(f, ": ansible-playbook exited {code}"),
            Self::Killed => f.write_str(": ansible-playbook was killed"),
        }
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

/// Returns the message of a module and the error output of its command. Commands without error
/// output, such as named-checkconf(8), write their errors to standard output.
fn module_output(result: &serde_json::Value) -> String {
    let text = |key: &str| {
        let text = result.get(key)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    };
    let errors = text("stderr").or_else(|| text("stdout"));
    ["msg", "message", "censored"]
        .into_iter()
        .filter_map(text)
        .chain(errors)
        .chain(text("module_stderr"))
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
