//! Defines the error type of commands: its kind is the exit code, and hints are separate from the
//! message.

use std::error::Error as StdError;
use std::fmt;

/// Kind of an error. The exit codes are an API (docs/reference/exit-codes.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// 1: the input of the user is wrong (catalog, inventory, plan, templates, settings); nothing
    /// was changed.
    Input,
    /// 2: the command line is wrong.
    Usage,
    /// 3: checks failed.
    ChecksFailed,
    /// 4: a build or cloud step failed and was undone.
    StepFailed,
    /// 5: resources are left behind; manual action is needed.
    Stuck,
    /// 6: a lookup found nothing.
    NotFound,
    /// 7: refused, nothing was changed (the inventory changed, a lock is held, a limit is
    /// exceeded).
    Refused,
    /// 130: interrupted and undone.
    Interrupted,
}

impl ErrorKind {
    /// Returns the exit code of the process.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Input => 1,
            Self::Usage => 2,
            Self::ChecksFailed => 3,
            Self::StepFailed => 4,
            Self::Stuck => 5,
            Self::NotFound => 6,
            Self::Refused => 7,
            Self::Interrupted => 130,
        }
    }

    /// Returns the severity, for a run with several different outcomes. The worst one decides.
    #[must_use]
    pub fn weight(self) -> u8 {
        match self {
            Self::NotFound => 0,
            Self::Usage => 1,
            Self::Input => 2,
            Self::Refused => 3,
            Self::ChecksFailed => 4,
            Self::StepFailed => 5,
            Self::Interrupted => 6,
            Self::Stuck => 7,
        }
    }
}

/// Error with its kind, its cause, and hints about what to do next.
#[derive(Debug)]
pub struct Error {
    /// Kind that determines the exit code.
    pub kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hints: Vec<String>,
    transient: bool,
    capacity: bool,
}

/// Result of operations whose errors end in an exit code.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error with a message.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
            hints: Vec::new(),
            transient: false,
            capacity: false,
        }
    }

    /// Creates an error of kind [`ErrorKind::Input`].
    #[must_use]
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// Marks an error after which the same call may succeed.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    /// Returns whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// Marks an error for which EC2 has no capacity or the account no quota.
    #[must_use]
    pub fn for_capacity(mut self) -> Self {
        self.capacity = true;
        self
    }

    /// Returns whether EC2 had no capacity or the account no quota.
    #[must_use]
    pub fn is_for_capacity(&self) -> bool {
        self.capacity
    }

    /// Adds the cause; `message` must not repeat it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a hint about what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the hints, outermost first.
    #[must_use]
    pub fn hints(&self) -> Vec<&str> {
        let mut hints: Vec<&str> = self.hints.iter().map(String::as_str).collect();
        let mut cause: Option<&(dyn StdError + 'static)> = self.source.as_deref().map(|s| s as _);
        while let Some(error) = cause {
            if let Some(ours) = error.downcast_ref::<Error>() {
                hints.extend(ours.hints.iter().map(String::as_str));
            }
            cause = error.source();
        }
        hints
    }

    /// Returns the messages from the outermost error to the root cause.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let mut messages: Vec<String> = causes(self).map(ToString::to_string).collect();
        messages.dedup();
        messages
    }

    /// Formats the whole chain on one line, for journals and reports.
    #[must_use]
    pub fn one_line(&self) -> String {
        self.chain().join(": ")
    }

    /// Formats the whole chain and the hints on one line.
    #[must_use]
    pub fn with_advice(&self) -> String {
        let mut parts = vec![self.one_line()];
        parts.extend(self.hints().into_iter().map(str::to_owned));
        parts.join("; ")
    }
}

/// Returns an error and its causes, from the outermost to the innermost.
pub fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Describes an error and its causes on one line. Leaves out messages that the text contains
/// already.
#[must_use]
pub fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut out = String::new();
    for text in causes(error).map(ToString::to_string) {
        if out.is_empty() {
            out = text;
        } else if !out.contains(&text) {
            out = format!("{out}: {text}");
        }
    }
    out
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}
